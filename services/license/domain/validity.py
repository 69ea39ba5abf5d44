"""From when to when a licence is valid: whole days of China's time, the last day included."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from libs.errors import invalid_field

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
LONG_TERM = "99991231"


@dataclass(frozen=True, slots=True)
class Validity:
    """The first and the last day (ZZYXQQSRQ, ZZYXQJZRQ); ``end`` is None for a long-term licence."""

    start: date
    end: date | None


def civil_date(instant: datetime) -> date:
    """Returns the day that an aware ``instant`` falls on in China."""
    return instant.astimezone(CHINA).date()


def check_validity(validity: Validity) -> Validity:
    """Returns ``validity``; raises FIELD_INVALID where it ends before it begins."""
    if validity.end is not None and validity.end < validity.start:
        raise invalid_field("validity.end", "validity.order", "must not be before validity.start")
    return validity


def validity_from(start: date, months: int) -> Validity:
    """Returns the validity that a type gives: ``months`` from ``start``, long-term for 0.

    The last day is the one before the same day of the month; where that month is too short, its last day.
    """
    if months == 0:
        return Validity(start, None)
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    month += 1
    length = monthrange(year, month)[1]
    if start.day > length:
        return Validity(start, date(year, month, length))
    return Validity(start, date(year, month, start.day) - timedelta(days=1))


def compact(day: date | None) -> str:
    """Returns a day as the national tables write it, ``YYYYMMDD``; long-term is 99991231 by custom."""
    return LONG_TERM if day is None else day.strftime("%Y%m%d")
