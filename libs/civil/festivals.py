"""A year as its notice states it: festivals with the days off, and the weekends that are worked for them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from libs.civil.calendar import DayKind, DayRow, days_of_year, is_weekend


@dataclass(frozen=True, slots=True)
class Festival:
    """A festival (节假日) of a notice.

    Attributes:
        name: what it is called.
        first_day: the first day off.
        last_day: the last day off.
        swapped_days: the weekdays of these that are off only because others are worked (调休).
        make_up_workdays: the Saturdays and Sundays that are worked for it (补班).
    """

    name: str
    first_day: date
    last_day: date
    swapped_days: tuple[date, ...] = ()
    make_up_workdays: tuple[date, ...] = ()

    def days_off(self) -> tuple[date, ...]:
        """Returns every day off, in order."""
        length = (self.last_day - self.first_day).days + 1
        return tuple(self.first_day + timedelta(days=offset) for offset in range(length))

    def rows(self) -> Iterator[DayRow]:
        """Returns what it makes of single days."""
        for day in self.days_off():
            kind = DayKind.SWAPPED_REST if day in self.swapped_days else DayKind.HOLIDAY
            yield DayRow(day, kind, self.name)
        for day in self.make_up_workdays:
            yield DayRow(day, DayKind.MAKE_UP_WORKDAY, self.name)


def year_of(year: int, festivals: Iterable[Festival]) -> tuple[DayRow, ...]:
    """Returns every day of ``year`` in order: what the festivals say of it, or else what its weekday makes it."""
    named = {row.day: row for festival in festivals for row in festival.rows()}
    return tuple(named.get(day) or DayRow(day, _usual(day)) for day in days_of_year(year))


def _usual(day: date) -> DayKind:
    return DayKind.WEEKEND if is_weekend(day) else DayKind.WORKDAY
