"""What an OFD package that comes here may cost to read, to be sealed or to be validated."""

from libs.documents.ofd import OfdLimits

LIMITS = OfdLimits(total_bytes=32 << 20)
"""All of a package is hashed."""
