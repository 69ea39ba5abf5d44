"""Who says why an account is closed."""

from datetime import date, timedelta

import pytest

from libs.errors import InvalidArgument
from services.identity.closings.rules import ClosingCause, check_death

TODAY = date(2026, 11, 27)


def _refused(death: date | None, *, by_staff: bool) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as error:
        check_death(death, TODAY, by_staff=by_staff)
    return [(each.field, each.rule) for each in error.value.violations]


def test_people_close_their_own_and_staff_those_of_the_dead() -> None:
    assert check_death(None, TODAY, by_staff=False) is ClosingCause.OWN
    assert check_death(TODAY, TODAY, by_staff=True) is ClosingCause.DEATH


def test_nobody_says_what_is_the_others_to_say() -> None:
    assert _refused(TODAY, by_staff=False) == [("death", "death.own")]
    assert _refused(None, by_staff=True) == [("death", "required")]


def test_nobody_dies_tomorrow() -> None:
    assert _refused(TODAY + timedelta(days=1), by_staff=True) == [("death.death_date", "death.ahead")]
