"""One-time codes of an application (RFC 6238): six digits, another one every 30 seconds."""

import hmac
from datetime import datetime

import pyotp

from services.identity.signin.rules import CODE_SECONDS

_STEPS = (-1, 0, 1)
"""The code before and the one behind are taken too: clocks differ, and people type (RFC 6238, 5.2)."""


def new_secret() -> str:
    """Returns a secret of 160 bits, as applications take it (base32; RFC 4226, 4)."""
    return pyotp.random_base32()


def setup_uri(secret: str, region: str, account: str) -> str:
    """Returns what the QR code says by which an application takes a secret up (`otpauth://`)."""
    return pyotp.TOTP(secret, interval=CODE_SECONDS).provisioning_uri(name=account, issuer_name=region)


def step_of(secret: str, typed: str, now: datetime) -> int | None:
    """Returns the number of the step whose code was typed, or None where it is none that is taken now."""
    codes, current = pyotp.TOTP(secret, interval=CODE_SECONDS), int(now.timestamp()) // CODE_SECONDS
    shown, found = typed.strip().encode(), None
    for each in _STEPS:  # to the end: which one it was takes no other time
        if hmac.compare_digest(codes.generate_otp(current + each).encode(), shown):
            found = current + each
    return found
