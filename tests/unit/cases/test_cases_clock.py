from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.civil.calendar import Calendar
from libs.civil.notices import all_rows
from libs.errors import FailedPrecondition
from services.cases.core.clock import (
    CaseClock,
    Extension,
    HandlingLimits,
    Light,
    SpecialProcedure,
    Standstill,
    StandstillLedger,
    acceptance_clock,
    is_deemed_accepted,
)

CALENDAR = Calendar(all_rows())
FIRST = date(2024, 1, 1)
ACCEPTED = date(2024, 9, 27)
CLOCK = CaseClock(ACCEPTED, HandlingLimits(statutory_days=20, promised_days=5))
HEARING = SpecialProcedure.HEARING


def test_undisturbed() -> None:
    reading = CLOCK.read(CALENDAR, ACCEPTED)
    assert reading.promised_deadline == date(2024, 10, 10)
    # 29, 30 Sep; 8, 9, 10, 11, 12 Oct; 14 to 18; 21 to 25; 28, 29, 30
    assert reading.statutory_deadline == date(2024, 10, 30)
    assert (reading.remaining_days, reading.suspended_days, reading.light) == (5, 0, Light.GREEN)


def test_deadline_moves_by_the_working_days_stood_still() -> None:
    clock = CLOCK.stop(date(2024, 9, 29), HEARING).go(date(2024, 10, 9))
    reading = clock.read(CALENDAR, date(2024, 10, 9))
    assert reading.suspended_days == 3  # 30 Sep, 8 and 9 Oct
    assert reading.promised_deadline == date(2024, 10, 14)  # 10 Oct and 11, 12, 14
    assert reading.statutory_deadline == date(2024, 11, 4)  # 30 Oct and 31, 1, 4


def test_a_standstill_over_rest_days_alone_moves_nothing() -> None:
    clock = CLOCK.stop(date(2024, 9, 30), HEARING).go(date(2024, 10, 7))
    assert clock.read(CALENDAR, date(2024, 10, 7)).promised_deadline == date(2024, 10, 10)


def test_within_one_day_nothing_stands_still() -> None:
    clock = CLOCK.stop(date(2024, 9, 30), HEARING).go(date(2024, 9, 30))
    assert clock.read(CALENDAR, date(2024, 9, 30)).suspended_days == 0


def test_adjoining_standstills_count_no_day_twice() -> None:
    once = CLOCK.stop(date(2024, 10, 8), HEARING).go(date(2024, 10, 11))
    twice = CLOCK.stop(date(2024, 10, 8), HEARING).go(date(2024, 10, 9)).stop(date(2024, 10, 9), HEARING)
    assert twice.go(date(2024, 10, 11)).read(CALENDAR, date(2024, 10, 11)) == once.read(CALENDAR, date(2024, 10, 11))


def test_limit_of_zero_from_a_rest_day_moves_too() -> None:
    clock = CaseClock(date(2024, 10, 1), HandlingLimits(0, 0))
    assert clock.read(CALENDAR, date(2024, 10, 1)).promised_deadline == date(2024, 10, 8)
    stopped = clock.stop(date(2024, 10, 7), HEARING).go(date(2024, 10, 8))
    assert stopped.read(CALENDAR, date(2024, 10, 8)).promised_deadline == date(2024, 10, 9)


@pytest.mark.parametrize(
    ("today", "remaining", "light"),
    [
        (date(2024, 9, 30), 3, Light.GREEN),
        (date(2024, 10, 1), 3, Light.GREEN),
        (date(2024, 10, 8), 2, Light.YELLOW),
        (date(2024, 10, 10), 0, Light.YELLOW),
        (date(2024, 10, 11), -1, Light.RED),
    ],
)
def test_lights(today: date, remaining: int, light: Light) -> None:
    reading = CLOCK.read(CALENDAR, today)
    assert (reading.remaining_days, reading.light) == (remaining, light)


def test_red_on_the_rest_day_after_the_deadline() -> None:
    clock = CaseClock(date(2024, 10, 14), HandlingLimits(20, 4))  # ends on Friday 18 October
    reading = clock.read(CALENDAR, date(2024, 10, 19))
    assert (reading.remaining_days, reading.light) == (0, Light.RED)


def test_extension() -> None:
    clock = CLOCK.extend(Extension(10, "复杂", "staff/head"), CALENDAR, date(2024, 10, 10))
    assert clock.read(CALENDAR, ACCEPTED).promised_deadline == date(2024, 10, 23)
    with pytest.raises(FailedPrecondition) as caught:
        clock.extend(Extension(1, "再次", "staff/head"), CALENDAR, date(2024, 10, 10))
    assert caught.value.metadata == {"rule": "once"}


@pytest.mark.parametrize(
    ("extension", "rule"),
    [(Extension(0, "r", "h"), "days"), (Extension(11, "r", "h"), "days"), (Extension(5, "  ", "h"), "reason")],
)
def test_extension_refused(extension: Extension, rule: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        CLOCK.extend(extension, CALENDAR, ACCEPTED)
    assert (caught.value.reason, caught.value.metadata["rule"]) == ("CASE_EXTENSION_NOT_ALLOWED", rule)


@pytest.mark.parametrize("today", [date(2024, 10, 11), date(2024, 10, 31), date(2025, 1, 2)])
def test_an_extension_comes_while_the_limit_runs_or_never(today: date) -> None:
    """行政许可法 42: the promised five days end on 10 October."""
    with pytest.raises(FailedPrecondition) as caught:
        CLOCK.extend(Extension(10, "复杂", "staff/head"), CALENDAR, today)
    assert (caught.value.reason, caught.value.metadata) == ("CASE_EXTENSION_NOT_ALLOWED", {"rule": "expired"})


@given(late=st.integers(1, 60), stand=st.integers(0, 60))
def test_what_is_overdue_stays_overdue_whatever_procedure_begins_then(late: int, stand: int) -> None:
    stopped_on = date(2024, 10, 10) + timedelta(days=late)
    stopped = CLOCK.stop(stopped_on, HEARING)
    for clock in (stopped, stopped.go(stopped_on + timedelta(days=stand))):
        reading = clock.read(CALENDAR, stopped_on + timedelta(days=stand))
        assert (reading.promised_deadline, reading.light) == (date(2024, 10, 10), Light.RED)


def test_a_standstill_after_the_promise_still_moves_the_limit_by_law() -> None:
    clock = CLOCK.stop(date(2024, 10, 21), HEARING).go(date(2024, 10, 23))
    assert clock.read(CALENDAR, date(2024, 10, 23)).statutory_deadline == date(2024, 11, 1)  # 30 October and 31, 1


def test_a_ledger_stops_and_goes_in_turn() -> None:
    stopped = StandstillLedger().stop(date(2024, 9, 30), HEARING)
    with pytest.raises(FailedPrecondition):
        stopped.stop(date(2024, 10, 8), HEARING)
    with pytest.raises(FailedPrecondition):
        StandstillLedger().go(date(2024, 10, 8))


def test_a_ledger_never_goes_back() -> None:
    """The machine's clock stepped back over midnight while the clock stood still, and again before it stopped anew."""
    stopped = StandstillLedger().stop(date(2024, 9, 30), HEARING)
    assert stopped.go(date(2024, 9, 29)) == StandstillLedger(
        (Standstill(date(2024, 9, 30), HEARING, date(2024, 9, 30)),)
    )
    again = stopped.go(date(2024, 10, 8)).stop(date(2024, 10, 7), HEARING)
    assert again.standstills[-1] == Standstill(date(2024, 10, 8), HEARING)
    assert CLOCK.stop(ACCEPTED - timedelta(days=1)).ledger.standstills[0].start == ACCEPTED


STEPS = st.lists(st.tuples(st.integers(-400, 400), st.booleans()), max_size=12)


@given(start=st.integers(0, 400).map(lambda offset: FIRST + timedelta(days=offset)), steps=STEPS)
def test_whatever_the_clock_does_everything_stored_can_be_read(start: date, steps: list[tuple[int, bool]]) -> None:
    """A machine's clock that jumps both ways: the ledger is written, stored as days, read again, and grows only."""
    clock, today, before = CaseClock(start, HandlingLimits(20, 5)), start, 0
    for jump, acts in steps:
        today += timedelta(days=jump)
        if acts:
            clock = clock.go(today) if clock.ledger.is_open else clock.stop(today)
        stored = clock.ledger.days()
        assert StandstillLedger.of_days(stored).days() == stored == sorted(stored)
        assert clock.ledger.is_open is (len(stored) % 2 == 1)
        clock.read(CALENDAR, today)
        settled = StandstillLedger.of_days(stored[: len(stored) // 2 * 2]).working_days(
            CALENDAR, date.max.replace(year=2100)
        )
        assert settled >= before
        before = settled


@given(days=st.lists(st.integers(0, 60).map(lambda offset: FIRST + timedelta(days=offset)), max_size=9))
def test_a_ledger_that_was_written_out_of_order_is_read_all_the_same(days: list[date]) -> None:
    ledger = StandstillLedger.of_days(days)
    assert ledger.is_open is (len(days) % 2 == 1)
    assert ledger.working_days(CALENDAR, date(2024, 6, 3)) >= 0
    assert ledger.days() == sorted(ledger.days())


def test_acceptance_by_silence() -> None:
    clock = acceptance_clock(date(2024, 9, 30))  # the five days end on Saturday 12 October
    assert not is_deemed_accepted(clock, CALENDAR, date(2024, 10, 12))
    assert is_deemed_accepted(clock, CALENDAR, date(2024, 10, 13))


def test_no_acceptance_by_silence_while_the_applicant_corrects() -> None:
    asked = acceptance_clock(date(2024, 9, 30)).stop(date(2024, 10, 9), SpecialProcedure.CORRECTION)
    assert not is_deemed_accepted(asked, CALENDAR, date(2024, 12, 2))
    answered = asked.go(date(2024, 10, 11))  # stood still on 10 and 11: 12 and 14, 15 October
    assert answered.read(CALENDAR, date(2024, 10, 11)).promised_deadline == date(2024, 10, 15)
    assert not is_deemed_accepted(answered, CALENDAR, date(2024, 10, 15))
    assert is_deemed_accepted(answered, CALENDAR, date(2024, 10, 16))


def test_no_acceptance_by_silence_while_the_clock_stands_still_whenever_that_began() -> None:
    """Also where a clock that had stepped back let it begin on a day after the last: whoever was asked is not deemed silent."""
    asked = acceptance_clock(date(2024, 9, 30)).stop(date(2024, 10, 21), SpecialProcedure.CORRECTION)
    assert not is_deemed_accepted(asked, CALENDAR, date(2024, 12, 2))
    assert is_deemed_accepted(asked.go(date(2024, 12, 2)), CALENDAR, date(2024, 12, 2))


DAYS = st.integers(0, 400).map(lambda offset: FIRST + timedelta(days=offset))
LENGTHS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), max_size=5)


def _disturbed(clock: CaseClock, pattern: list[tuple[int, int]]) -> tuple[CaseClock, date]:
    """Lets the clock run and stand still in turn; returns it with the last day."""
    day = clock.start
    for run, stand in pattern:
        day += timedelta(days=run)
        clock = clock.stop(day, HEARING)
        day += timedelta(days=stand)
        clock = clock.go(day)
    return clock, day


@given(start=DAYS, limit=st.integers(0, 60), pattern=LENGTHS)
def test_deadline_moves_by_exactly_the_suspended_working_days(
    start: date, limit: int, pattern: list[tuple[int, int]]
) -> None:
    plain = CaseClock(start, HandlingLimits(60, limit))
    clock, today = _disturbed(plain, pattern)
    after = clock.read(CALENDAR, today)
    for undisturbed, deadline in (
        (plain.read(CALENDAR, today).promised_deadline, after.promised_deadline),
        (plain.read(CALENDAR, today).statutory_deadline, after.statutory_deadline),
    ):
        moved = undisturbed
        for one in clock.ledger.standstills:
            assert one.end is not None
            if one.start > moved:  # the limit was over by then
                break
            stood = (one.start + timedelta(days=offset) for offset in range(1, (one.end - one.start).days + 1))
            moved = CALENDAR.add(moved, sum(CALENDAR.is_working_day(day) for day in stood))
        assert deadline == moved
    assert CALENDAR.is_working_day(after.promised_deadline)


@given(start=DAYS, limit=st.integers(0, 60), pattern=LENGTHS, waits=st.lists(st.integers(0, 20), max_size=4))
def test_no_deadline_ever_moves_earlier(
    start: date, limit: int, pattern: list[tuple[int, int]], waits: list[int]
) -> None:
    clock, today = _disturbed(CaseClock(start, HandlingLimits(60, limit)), pattern)
    clock = clock.stop(today, HEARING)
    last = clock.read(CALENDAR, today)
    for wait in waits:
        today += timedelta(days=wait)
        reading = clock.read(CALENDAR, today)
        assert reading.promised_deadline >= last.promised_deadline
        last = reading
    assert clock.go(today).read(CALENDAR, today) == last


@given(start=DAYS, limit=st.integers(0, 60), run=st.integers(0, 30), stand=st.integers(0, 40))
def test_no_time_is_lost_or_won_while_it_stands_still(start: date, limit: int, run: int, stand: int) -> None:
    plain = CaseClock(start, HandlingLimits(60, limit))
    stopped_on = min(start + timedelta(days=run), plain.deadline(CALENDAR, limit, start))
    clock = plain.stop(stopped_on, HEARING)
    remaining = clock.read(CALENDAR, stopped_on).remaining_days
    assert clock.read(CALENDAR, stopped_on + timedelta(days=stand)).remaining_days == remaining


@given(start=DAYS, first=st.integers(0, 60), second=st.integers(0, 60))
def test_periods_add_up_from_a_working_day(start: date, first: int, second: int) -> None:
    midway = CALENDAR.add(start, first)
    assert CALENDAR.add(midway, second) == CALENDAR.add(start, max(first, CALENDAR.count(start, midway)) + second)
    assert CALENDAR.count(midway, CALENDAR.add(midway, second)) == second
