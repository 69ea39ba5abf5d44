"""When a client is told again, and which addresses are called."""

from datetime import UTC, datetime, timedelta

import pytest

from services.identity.logouts.rules import is_given_up, next_attempt

_NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (11, 3600), (10_000, 3600)]
)
def test_each_wait_is_twice_the_one_before_to_an_hour(attempts: int, seconds: int) -> None:
    assert next_attempt(attempts, _NOW) == _NOW + timedelta(seconds=seconds)


def test_it_is_tried_for_more_than_a_day() -> None:
    assert not is_given_up(_NOW - timedelta(hours=26) + timedelta(seconds=1), _NOW)
    assert is_given_up(_NOW - timedelta(hours=26), _NOW)
