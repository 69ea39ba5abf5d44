"""What a certificate entitles its key to: one role each, given when it is issued and asked for wherever it is used.

Roles are extended key usages (RFC 5280, 4.2.1.12). Those of Tongban stand under an arc of its own, which ITU-T X.667 gives
to whoever makes a UUID: ``2.25.<the UUID as a number>``. See docs/decisions/0022.
"""

from enum import Enum

ARC = "2.25.190226170619499430436789331470922257402"
"""Tongban's arc: UUID 8f1c3a52-6d0e-4b7a-9e25-41d7c06b93fa."""
ANY_PURPOSE = "2.5.29.37.0"
"""anyExtendedKeyUsage: bounds nothing below a CA, and entitles no end entity to anything here."""


class Role(Enum):
    """What the key of an end entity may do; the value is the object identifier of the extended key usage."""

    SEAL_MAKER = f"{ARC}.1"
    """Signs seals (制章者)."""
    SEAL_SIGNER = f"{ARC}.2"
    """Signs with a seal (签章者)."""
    AUDIT_LOG = f"{ARC}.3"
    """Signs the heads of a service's audit log."""
    TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
    """Signs time stamps (RFC 3161, 2.3)."""
