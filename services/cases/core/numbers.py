"""The case number (办件编号): implementation code, day of receipt ``yyyyMMdd``, six digits of sequence.

No national algorithm is confirmed; the national upload tables allow 50 characters. With a national code of 31
characters the number has 45.
"""

import re
from dataclasses import dataclass
from datetime import date

from libs.errors import invalid_field, reasons

MAX_LENGTH = 50
"""What the national upload tables hold (project_no)."""

LAST_SEQUENCE = 999_999
"""The highest sequence of one item on one day."""

_DAY_AND_SEQUENCE = 14
_NUMBER = re.compile(r"(?P<code>[0-9A-Z-]{4,36})(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<sequence>\d{6})")


@dataclass(frozen=True, slots=True)
class CaseNumber:
    """A case number, taken apart."""

    task_code: str
    day: date
    sequence: int

    def __str__(self) -> str:
        """The number as it is printed."""
        return f"{number_prefix(self.task_code, self.day)}{self.sequence:06d}"


def number_prefix(task_code: str, day: date) -> str:
    """Returns what all numbers of an item and a day begin with, before the six digits of sequence."""
    return f"{task_code}{day:%Y%m%d}"


def case_number(task_code: str, day: date, sequence: int) -> str:
    """Makes a case number; ``sequence`` counts from 1 per item and day.

    Raises:
        ResourceExhausted: ``CASE_NUMBER_EXHAUSTED``: the day's numbers are used up.
        ValueError: the code is too long for a number, or the sequence isn't positive.
    """
    if sequence > LAST_SEQUENCE:
        raise reasons.case_number_exhausted(
            f"{task_code} has no number left on {day}",
            task_code=task_code,
            date=day.isoformat(),
        )
    if sequence < 1 or len(task_code) > MAX_LENGTH - _DAY_AND_SEQUENCE:
        raise ValueError("a case number needs a positive sequence and a code of at most 36 characters")
    return str(CaseNumber(task_code, day, sequence))


def parse_case_number(text: str) -> CaseNumber:
    """Takes a case number apart. Raises ``FIELD_INVALID`` for ``number`` where it isn't one of ours."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise invalid_field("number", "case_number.form", "is no case number")
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        raise invalid_field("number", "case_number.date", "holds no calendar date") from None
    return CaseNumber(found["code"], day, int(found["sequence"]))
