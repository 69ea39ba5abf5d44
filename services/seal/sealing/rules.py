"""Uses of a seal: an intent is committed before the key is touched, and one number is never signed twice."""

from datetime import date
from enum import StrEnum


class SealingState(StrEnum):
    """Where one use of a seal is."""

    COMMITTED = "COMMITTED"
    SIGNED = "SIGNED"
    VOIDED = "VOIDED"


class SealingKind(StrEnum):
    """What was sealed: a document sent here, or a digest of one that stayed with the caller."""

    DOCUMENT = "DOCUMENT"
    DIGEST = "DIGEST"


ABANDONED = "ABANDONED"
"""The void reason that the sweeper writes."""


def sealing_number(region: str, day: date, sequence: int) -> str:
    """Returns the number of a use: the region's id, a hyphen, date (8) and ``sequence`` (8, from 1)."""
    if not 0 < sequence < 10**8:
        raise ValueError(f"out of range: {sequence}")
    return f"{region}-{day:%Y%m%d}{sequence:08d}"
