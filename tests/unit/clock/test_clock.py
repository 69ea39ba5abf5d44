"""The clocks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs.clock import Clock, FakeClock, SystemClock, unix_ms

START = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_system_clock_is_aware_and_utc() -> None:
    clock: Clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)


def test_fake_clock_stands_until_advanced() -> None:
    clock = FakeClock(START)
    assert clock.now() == clock.now() == START
    assert clock.advance(timedelta(hours=1)) == START + timedelta(hours=1)
    clock.move_to(START)
    assert clock.now() == START


def test_fake_clock_turns_other_zones_into_utc() -> None:
    beijing = timezone(timedelta(hours=8))
    assert FakeClock(datetime(2024, 1, 1, 8, tzinfo=beijing)).now().tzinfo is UTC


def test_fake_clock_refuses_naive_time_and_going_back() -> None:
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2024, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="positive"):
        FakeClock(START).advance(timedelta(seconds=-1))


def test_unix_ms_rounds_down() -> None:
    assert unix_ms(START) == 1704164645678
