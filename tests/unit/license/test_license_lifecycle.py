"""States of a licence, validity, and its standing on a day."""

from datetime import UTC, date, datetime

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.license.domain.lifecycle import TRANSITIONS, Action, Standing, State, check_in_force, next_state, standing
from services.license.domain.validity import Validity, check_validity, civil_date, compact, validity_from

NAME = "licenses/0190c0de-0000-7000-8000-000000000001"
YEAR = Validity(date(2024, 1, 1), date(2024, 12, 31))


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("state", list(State))
def test_only_the_listed_transitions_are_possible(state: State, action: Action) -> None:
    allowed, target = TRANSITIONS[action]
    if state in allowed:
        assert next_state(NAME, state, action) is target
        return
    with pytest.raises(FailedPrecondition) as caught:
        next_state(NAME, state, action)
    assert caught.value.reason == "STATE_CONFLICT"
    assert caught.value.metadata == {
        "resource": NAME,
        "state": state.value,
        "allowed": ",".join(each.value for each in allowed),
    }


def test_a_revoked_licence_never_comes_back() -> None:
    reachable = {target for allowed, target in TRANSITIONS.values() if State.REVOKED in allowed}
    assert reachable == {State.CANCELLED}


def test_every_state_but_the_draft_is_reached() -> None:
    assert {target for _, target in TRANSITIONS.values()} == set(State) - {State.DRAFT}


@pytest.mark.parametrize(
    ("state", "today", "expected"),
    [
        (State.ISSUED, date(2023, 12, 31), Standing.NOT_YET_VALID),
        (State.ISSUED, date(2024, 1, 1), Standing.VALID),
        (State.ISSUED, date(2024, 12, 31), Standing.VALID),
        (State.ISSUED, date(2025, 1, 1), Standing.EXPIRED),
        (State.SUSPENDED, date(2024, 6, 1), Standing.SUSPENDED),
        (State.SUSPENDED, date(2025, 1, 1), Standing.EXPIRED),
        (State.REVOKED, date(2025, 1, 1), Standing.REVOKED),
        (State.WITHDRAWN, date(2024, 6, 1), Standing.WITHDRAWN),
        (State.CANCELLED, date(2024, 6, 1), Standing.CANCELLED),
        (State.EXPIRED, date(2024, 6, 1), Standing.EXPIRED),
        (State.TRANSFERRED_OUT, date(2024, 6, 1), Standing.TRANSFERRED_OUT),
        (State.DRAFT, date(2024, 6, 1), Standing.UNKNOWN),
        (State.VOIDED, date(2024, 6, 1), Standing.UNKNOWN),
    ],
)
def test_standing_on_a_day(state: State, today: date, expected: Standing) -> None:
    assert standing(state, YEAR, today) is expected


def test_long_term_licence_never_expires() -> None:
    assert standing(State.ISSUED, Validity(date(2024, 1, 1), None), date(9999, 12, 31)) is Standing.VALID


def test_only_a_valid_licence_is_in_force() -> None:
    check_in_force(NAME, Standing.VALID)
    with pytest.raises(FailedPrecondition) as caught:
        check_in_force(NAME, Standing.REVOKED)
    assert caught.value.reason == "LICENSE_NOT_IN_FORCE"
    assert caught.value.metadata["standing"] == "REVOKED"


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2024, 5, 18), 60, date(2029, 5, 17)),
        (date(2024, 1, 1), 12, date(2024, 12, 31)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 12, 1), 1, date(2024, 12, 31)),
        (date(2024, 5, 18), 0, None),
    ],
)
def test_validity_from_months(start: date, months: int, end: date | None) -> None:
    assert validity_from(start, months) == Validity(start, end)


def test_days_are_those_of_china() -> None:
    assert civil_date(datetime(2024, 5, 17, 15, 59, tzinfo=UTC)) == date(2024, 5, 17)
    assert civil_date(datetime(2024, 5, 17, 16, 0, tzinfo=UTC)) == date(2024, 5, 18)


def test_validity_must_not_end_before_it_begins() -> None:
    one_day = Validity(date(2024, 1, 1), date(2024, 1, 1))
    assert check_validity(one_day) is one_day
    with pytest.raises(InvalidArgument) as caught:
        check_validity(Validity(date(2024, 1, 2), date(2024, 1, 1)))
    assert caught.value.violations[0].field == "validity.end"


def test_compact_days() -> None:
    assert compact(date(2024, 5, 8)) == "20240508"
    assert compact(None) == "99991231"
