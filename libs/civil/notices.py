"""The State Council's notices (国务院办公厅关于部分节假日安排的通知) that a region starts with; data and source are in ``notices.toml``.

Cases puts them into its table when a region is set up; from then on that table is the truth, and other years come by
``CalendarService.ImportCalendar``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from libs.civil.calendar import DayRow
from libs.civil.festivals import Festival, year_of


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice.

    Attributes:
        year: the year that it settles.
        source: its title and number.
        published: its day.
        festivals: what it says.
    """

    year: int
    source: str
    published: date
    festivals: tuple[Festival, ...]

    def rows(self) -> tuple[DayRow, ...]:
        """Returns every day of the year with its kind, in order."""
        return year_of(self.year, self.festivals)


@cache
def shipped() -> Mapping[int, Notice]:
    """Returns the notices that come with the project, by year, in order."""
    text = resources.files("libs.civil").joinpath("notices.toml").read_text(encoding="utf-8")
    return MappingProxyType({each["year"]: _notice(each) for each in tomllib.loads(text)["notice"]})


def all_rows() -> tuple[DayRow, ...]:
    """Returns the days of all shipped years, in order."""
    return tuple(row for notice in shipped().values() for row in notice.rows())


def _notice(told: Mapping[str, Any]) -> Notice:
    return Notice(told["year"], told["source"], told["published"], tuple(map(_festival, told["festivals"])))


def _festival(told: Mapping[str, Any]) -> Festival:
    swapped, worked = told.get("swapped_days", ()), told.get("make_up_workdays", ())
    return Festival(told["name"], told["first_day"], told["last_day"], tuple(swapped), tuple(worked))
