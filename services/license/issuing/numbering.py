"""The parts of a licence's identifier and number that the service chooses (GB/T 36904 leaves them to the issuer).

The identifier itself is built and checked by ``libs.ids``; the rules here only take it as text.
"""

from base64 import b32encode
from datetime import date

from libs.errors import reasons

SERIAL_ENTROPY_BYTES = 13
_SERIAL_LENGTH = 20
_LAST_VERSION = 999


def serial_from(entropy: bytes) -> str:
    """Returns a serial number (流水号) of 20 characters A-Z and 2-7 from 13 random bytes.

    Random and not counted up: verification by identifier is public, so that identifiers must not be guessable.
    """
    if len(entropy) != SERIAL_ENTROPY_BYTES:
        raise ValueError(f"a serial needs {SERIAL_ENTROPY_BYTES} random bytes")
    return b32encode(entropy).decode("ascii")[:_SERIAL_LENGTH]


def number_from(region: str, issue_date: date, serial: str) -> str:
    """Returns the printed number (ZZBH) where the issuer gives none: region (its code of that day, or its id), day, and 8 characters of the serial."""
    return f"{region}{issue_date:%Y%m%d}{serial[:8]}"


def version_text(version: int) -> str:
    """Returns a version as the identifier holds it: three digits."""
    return f"{version:03d}"


def next_version(name: str, version: int) -> int:
    """Returns the version after ``version`` of the licence ``name``: one more on each change or renewal.

    Raises LICENSE_VERSION_EXHAUSTED after 999.
    """
    if version >= _LAST_VERSION:
        raise reasons.license_version_exhausted(f"{name} has had 999 versions", resource=name)
    return version + 1
