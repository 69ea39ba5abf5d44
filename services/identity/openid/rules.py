"""What people type from a device's screen, and how often a device may ask (RFC 8628)."""

import secrets
import unicodedata
from datetime import datetime, timedelta

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come about, and nothing that is taken for a digit (RFC 8628, 6.1)."""
CODE_LENGTH = 8
"""20^8 codes: who guesses at one that waits has a chance of one in 25 thousand million."""
DEVICE_LASTS = timedelta(minutes=10)
"""For so long a device waits for somebody to type its code."""
FIRST_INTERVAL = 5
"""Seconds between two questions of a device (RFC 8628, 3.2)."""
MORE_SECONDS = 5
"""What a device that asks too soon has to wait beside (RFC 8628, 3.5)."""
LONGEST_INTERVAL = 60


def new_user_code() -> str:
    """Returns a code as it is compared."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def shown_user_code(code: str) -> str:
    """Returns a code as a screen shows it: `WDJB-MJHT`."""
    return f"{code[:4]}-{code[4:]}"


def normal_user_code(typed: str) -> str:
    """Returns what was typed as codes are compared: in upper case, without what stands between; an empty string where it is none."""
    letters = unicodedata.normalize("NFKC", typed[:100]).upper()
    found = "".join(each for each in letters if each.isalnum())
    return found if len(found) == CODE_LENGTH and set(found) <= set(ALPHABET) else ""


def asks_too_soon(poll_time: datetime | None, interval_seconds: int, now: datetime) -> bool:
    """Says whether a device that last asked at ``poll_time`` did not wait as it was told."""
    return poll_time is not None and now < poll_time + timedelta(seconds=interval_seconds)


def next_interval(interval_seconds: int, *, too_soon: bool) -> int:
    """Returns how long the device is to wait from now on, in seconds."""
    return min(interval_seconds + MORE_SECONDS, LONGEST_INTERVAL) if too_soon else interval_seconds
