"""Citizen identity number (公民身份号码), GB 11643-1999: 6 region digits, birth date, 3 order digits, check character.

The region is that of the first registration and may be abolished since, so only its province prefix is checked.
"""

import re
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date
from enum import Enum

from libs.errors import InvalidArgument, invalid_field
from libs.ids.region import has_known_province

EARLIEST_BIRTH = date(1850, 1, 1)
"""Nobody alive, and nobody on a record that Tongban reads, was born before."""

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_SHAPE = re.compile(r"[0-9]{17}[0-9Xx]", re.ASCII)
_FIRST_GENERATION = re.compile(r"[0-9]{15}", re.ASCII)


class Sex(Enum):
    """The sex that the order code tells (GB 11643-1999, 4.2.3: odd male, even female), as in GB/T 2261.1."""

    MALE = "1"
    FEMALE = "2"


@dataclass(frozen=True, slots=True)
class CitizenId:
    """A checked citizen identity number; its ``repr`` does not show it."""

    number: str = dataclass_field(repr=False)

    def __str__(self) -> str:
        return self.number

    @property
    def region_code(self) -> str:
        """The 6 digits of the county of first registration; may be an abolished one."""
        return self.number[:6]

    @property
    def birth_date(self) -> date:
        """The date of birth."""
        return _birth_date(self.number)

    @property
    def sex(self) -> Sex:
        """The sex that the order code tells."""
        return Sex.MALE if int(self.number[16]) % 2 else Sex.FEMALE

    @property
    def masked(self) -> str:
        """The number as pages show it: first six and last four characters."""
        return f"{self.number[:6]}********{self.number[14:]}"


def check_char(body: str) -> str:
    """Returns the ISO 7064 MOD 11-2 check character of the first 17 digits."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def parse(text: str, field: str, today: date | None = None) -> CitizenId:
    """Checks a number of 18 characters (a lower-case x is taken and stored as X).

    Args:
        text: the number.
        field: the request's field, for the error.
        today: if given, a birth date after it is refused.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``citizen_id.shape``, ``.province``, ``.birth_date`` or ``.check``.
    """
    if _SHAPE.fullmatch(text) is None:
        raise _invalid(field, "shape", "a citizen identity number has 17 digits and a check character")
    number = text.upper()
    # 83 (Taiwan) stands only in residence permits of 2018 and later, not in GB/T 2260.
    if not (has_known_province(number) or number.startswith("83")):
        raise _invalid(field, "province", "the first two digits are no province-level code")
    _check_birth_date(number, field, today)
    if check_char(number[:17]) != number[17]:
        raise _invalid(field, "check", "the check character does not match")
    return CitizenId(number)


def from_first_generation(text: str, field: str) -> CitizenId:
    """Converts a first-generation number of 15 digits, withdrawn in 2013; for historical records only.

    Raises:
        InvalidArgument: as ``parse``.
    """
    if _FIRST_GENERATION.fullmatch(text) is None:
        raise _invalid(field, "shape", "a first-generation number has 15 digits")
    body = f"{text[:6]}19{text[6:]}"
    return parse(body + check_char(body), field)


def is_valid(text: str) -> bool:
    """Says whether ``text`` is a well-formed number with a matching check character."""
    try:
        parse(text, "number")
    except InvalidArgument:
        return False
    return True


def _check_birth_date(number: str, field: str, today: date | None) -> None:
    try:
        born = _birth_date(number)
    except ValueError:
        raise _invalid(field, "birth_date", "digits 7 to 14 are no date") from None
    if born < EARLIEST_BIRTH or (today is not None and born > today):
        raise _invalid(field, "birth_date", "the birth date is not plausible")


def _birth_date(number: str) -> date:
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def _invalid(field: str, rule: str, description: str) -> InvalidArgument:
    return invalid_field(field, f"citizen_id.{rule}", description)
