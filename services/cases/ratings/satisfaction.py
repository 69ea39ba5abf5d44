"""The two opposite numberings of satisfaction, mapped at the edge only.

GB/T 39046-2020 table A.8 counts 1 = 非常满意 … 5 = 非常不满意; the national reporting interface, as implemented by
provinces, counts 1 = 非常不满意 … 5 = 非常满意. Inside, only the names of ``Satisfaction`` are used.
"""

from collections.abc import Mapping
from enum import StrEnum

from libs.errors import invalid_field
from services.cases.ratings.rules import Satisfaction


class Coding(StrEnum):
    """Which numbering a partner uses."""

    GB_T_39046 = "GB_T_39046"
    NATIONAL_REPORTING = "NATIONAL_REPORTING"


CODES: Mapping[Coding, Mapping[Satisfaction, int]] = {
    Coding.GB_T_39046: {
        Satisfaction.VERY_SATISFIED: 1,
        Satisfaction.SATISFIED: 2,
        Satisfaction.BASICALLY_SATISFIED: 3,
        Satisfaction.DISSATISFIED: 4,
        Satisfaction.VERY_DISSATISFIED: 5,
    },
    Coding.NATIONAL_REPORTING: {
        Satisfaction.VERY_DISSATISFIED: 1,
        Satisfaction.DISSATISFIED: 2,
        Satisfaction.BASICALLY_SATISFIED: 3,
        Satisfaction.SATISFIED: 4,
        Satisfaction.VERY_SATISFIED: 5,
    },
}
"""The number of each level in each numbering."""


def encode(level: Satisfaction, coding: Coding) -> int:
    """Returns the number of ``level`` in ``coding``."""
    return CODES[coding][level]


def decode(number: int, coding: Coding) -> Satisfaction:
    """Returns the level that ``number`` means in ``coding``. Raises ``FIELD_INVALID`` outside 1 to 5."""
    for level, code in CODES[coding].items():
        if code == number:
            return level
    raise invalid_field("satisfaction", "satisfaction.code", "must be 1 to 5")
