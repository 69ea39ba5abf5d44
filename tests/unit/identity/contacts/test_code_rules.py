"""How often codes are sent and tried: each rule at its limit and one beyond."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import InvalidArgument, ResourceExhausted
from services.identity.contacts import rules
from services.identity.contacts.rules import CodeState, CodeTried
from services.identity.core.contact_points import check_unlike_points

NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _ago(*minutes: float) -> list[datetime]:
    return [NOW - timedelta(minutes=each) for each in minutes]


def _wait(to_point: list[datetime], of_account: list[datetime]) -> float | None:
    with pytest.raises(ResourceExhausted) as refused:
        rules.check_pace(to_point, of_account, NOW)
    assert refused.value.reason == "RATE_LIMITED"
    return refused.value.retry_after


def test_a_contact_point_is_left_in_peace_for_a_minute() -> None:
    rules.check_pace([NOW - rules.PAUSE], [], NOW)
    assert _wait([NOW - rules.PAUSE + SECOND * 2], []) == 2
    # Another of the same account is not.
    rules.check_pace([], [NOW], NOW)


def test_five_codes_an_hour_go_to_a_contact_point_and_of_an_account() -> None:
    four = _ago(10, 20, 30, 40)
    rules.check_pace(four, four, NOW)
    five = _ago(10, 20, 30, 40, 50)
    assert _wait(five, []) == 600
    assert _wait([], five) == 600
    # The oldest of them has just left the hour.
    rules.check_pace(_ago(10, 20, 30, 40, 60), _ago(10, 20, 30, 40, 60), NOW)


def test_of_six_in_an_hour_two_must_leave_it() -> None:
    assert _wait([], _ago(10, 20, 30, 40, 50, 55)) == 600


def test_what_a_clock_wrote_that_was_ahead_locks_nobody_out() -> None:
    ahead = [NOW + rules.WITHIN + timedelta(hours=each) for each in range(6)]
    rules.check_pace(ahead, ahead, NOW)


def test_the_longest_wait_is_told_and_a_second_at_least() -> None:
    assert _wait([NOW - rules.PAUSE + SECOND / 10], []) == 1
    assert _wait(_ago(0.5, 20, 30, 40, 50), []) == 600


def test_the_right_code_confirms_also_at_the_last_try() -> None:
    assert rules.tried(0, right=True) == CodeTried(CodeState.CONFIRMED, 1)
    assert rules.tried(4, right=True) == CodeTried(CodeState.CONFIRMED, 5)
    assert rules.tried(4, right=True).remaining == 0


def test_five_wrong_tries_spend_a_code() -> None:
    assert rules.tried(0, right=False) == CodeTried(CodeState.OPEN, 1)
    assert rules.tried(0, right=False).remaining == 4
    assert rules.tried(3, right=False).remaining == 1
    assert rules.tried(4, right=False) == CodeTried(CodeState.SPENT, 5)
    assert rules.tried(4, right=False).remaining == 0


def test_what_could_not_be_sent_is_tried_again_in_doubling_steps() -> None:
    waits = [(rules.next_attempt(each, NOW) - NOW).total_seconds() for each in (0, 1, 2, 6, 60)]
    assert waits == [15, 30, 60, 960, 960]


def test_a_contact_point_is_named_once() -> None:
    check_unlike_points([b"1", b"2"], "contact_points")
    with pytest.raises(InvalidArgument) as twice:
        check_unlike_points([b"1", b"2", b"1"], "contact_points")
    assert [(each.field, each.rule) for each in twice.value.violations] == [
        ("contact_points[2]", "contact_points.unique")
    ]
