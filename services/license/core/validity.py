"""From when to when a licence is valid: whole days of China's time, the last day included."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from libs.errors import invalid_field

LONG_TERM = "99991231"


@dataclass(frozen=True, slots=True)
class LicenseTerm:
    """The first and the last day (ZZYXQQSRQ, ZZYXQJZRQ); ``end`` is None for a long-term licence."""

    start: date
    end: date | None


def check_validity(validity: LicenseTerm) -> LicenseTerm:
    """Returns ``validity``; raises FIELD_INVALID where it ends before it begins."""
    if validity.end is not None and validity.end < validity.start:
        raise invalid_field("validity.end_date", "validity.order", "must not be before validity.start_date")
    return validity


def validity_from(start: date, months: int) -> LicenseTerm:
    """Returns the validity that a type gives: ``months`` from ``start``, long-term for 0.

    The last day is the one before the same day of the month; where that month is too short, its last day.
    """
    if months == 0:
        return LicenseTerm(start, None)
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    month += 1
    length = monthrange(year, month)[1]
    if start.day > length:
        return LicenseTerm(start, date(year, month, length))
    return LicenseTerm(start, date(year, month, start.day) - timedelta(days=1))


def compact(day: date | None) -> str:
    """Returns a day as the national tables write it, ``YYYYMMDD``; long-term is 99991231 by custom."""
    return LONG_TERM if day is None else day.strftime("%Y%m%d")
