"""Working days for the deadlines of sharing."""

from datetime import UTC, date, datetime

import pytest

from libs.errors import FailedPrecondition
from services.sharing.calendar import add_working_days, is_working_day, local_day


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2024, 5, 6), 1, date(2024, 5, 7)),
        (date(2024, 5, 10), 1, date(2024, 5, 11)),  # the Saturday was worked for the May holidays
        (date(2024, 9, 30), 1, date(2024, 10, 8)),
        (date(2024, 5, 6), 10, date(2024, 5, 17)),
        (date(2024, 5, 6), 0, date(2024, 5, 6)),
    ],
)
def test_working_days_are_those_of_the_notices(start: date, count: int, end: date) -> None:
    assert add_working_days(start, count) == end


def test_a_year_without_notice_is_an_error_and_no_guess() -> None:
    assert is_working_day(date(2026, 12, 31))
    with pytest.raises(FailedPrecondition) as error:
        add_working_days(date(2026, 12, 31), 1)
    assert (error.value.reason, error.value.metadata) == ("CALENDAR_UNKNOWN", {"date": "2027-01-01"})


def test_the_day_is_that_of_china() -> None:
    assert local_day(datetime(2024, 5, 6, 15, 59, tzinfo=UTC)) == date(2024, 5, 6)
    assert local_day(datetime(2024, 5, 6, 16, 0, tzinfo=UTC)) == date(2024, 5, 7)
