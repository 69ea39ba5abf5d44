"""What is decided of personal codes (个人码): scenes, days, and which scans are one and the same."""

import hashlib
from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from libs.errors import InvalidArgument, TongbanError, invalid_field, reasons

MOST_DAYS = 366
"""So many days can be counted at once."""
SHOW = "SHOW"
"""What a code that was made is counted as; a scan is counted as its scene."""


class CodeScene(StrEnum):
    """What a code is shown for (CodeScene of the contract), in the order of the contract."""

    TRANSPORT = "TRANSPORT"
    PHARMACY = "PHARMACY"
    VISIT = "VISIT"
    OFFICE = "OFFICE"


def check_period(start: date, end: date) -> None:
    """Raises FIELD_INVALID where the period of counts ends before it begins, or is longer than 366 days."""
    if end < start:
        raise invalid_field("end_date", "period.order", "must not be before start_date")
    if (end - start).days >= MOST_DAYS:
        raise invalid_field("end_date", "period.length", f"must be at most {MOST_DAYS} days with start_date")


def scan_key(caller: str, scan: str) -> bytes:
    """Returns the 16 bytes that a repeat of a scan by the same caller has in common with it, and nothing else.

    ``caller`` is who calls, ``scan`` the UUID that they gave, in whichever case it is written.
    """
    return hashlib.sha256(f"{caller}\0{scan.lower()}".encode()).digest()[:16]


def refused(rule: str) -> TongbanError:
    """Builds the error for a code that ``libs.personal_codes`` refuses by ``rule``."""
    return reasons.code_expired("the code has expired") if rule == "expired" else invalid(rule)


def invalid(rule: str) -> InvalidArgument:
    """Builds the error for what is no code, or none of a trusted key."""
    return reasons.code_invalid("this is no valid personal code", rule=rule)


def replayed() -> TongbanError:
    """Builds the error for a code that was scanned in this scene before."""
    return reasons.code_replayed("the code was scanned in this scene before")


def distinct(scans: Sequence[tuple[bytes, bytes]]) -> list[int]:
    """Returns the places of those scans (code, scan key) that are the first of their code, sorted by code.

    All replicas use codes up in this order, so that no two wait for one another.
    """
    first: dict[bytes, int] = {}
    for place, (code, _) in enumerate(scans):
        first.setdefault(code, place)
    return [first[code] for code in sorted(first)]
