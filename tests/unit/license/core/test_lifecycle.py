"""States of a licence, validity, and its standing on a day."""

from datetime import UTC, date, datetime

import pytest

from libs.civil.calendar import local_day
from libs.errors import FailedPrecondition, InvalidArgument
from services.license.core.lifecycle import (
    TRANSITIONS,
    LicenseAction,
    LicenseStanding,
    LicenseState,
    check_in_force,
    next_state,
    standing,
)
from services.license.core.validity import LicenseTerm, check_validity, compact, validity_from

NAME = "licenses/0190c0de-0000-7000-8000-000000000001"
YEAR = LicenseTerm(date(2024, 1, 1), date(2024, 12, 31))


@pytest.mark.parametrize("action", list(LicenseAction))
@pytest.mark.parametrize("state", list(LicenseState))
def test_only_the_listed_transitions_are_possible(state: LicenseState, action: LicenseAction) -> None:
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
    reachable = {target for allowed, target in TRANSITIONS.values() if LicenseState.REVOKED in allowed}
    assert reachable == {LicenseState.CANCELLED}


def test_every_state_but_the_draft_is_reached() -> None:
    assert {target for _, target in TRANSITIONS.values()} == set(LicenseState) - {LicenseState.DRAFT}


@pytest.mark.parametrize(
    ("state", "today", "expected"),
    [
        (LicenseState.ISSUED, date(2023, 12, 31), LicenseStanding.NOT_YET_VALID),
        (LicenseState.ISSUED, date(2024, 1, 1), LicenseStanding.VALID),
        (LicenseState.ISSUED, date(2024, 12, 31), LicenseStanding.VALID),
        (LicenseState.ISSUED, date(2025, 1, 1), LicenseStanding.EXPIRED),
        (LicenseState.SUSPENDED, date(2024, 6, 1), LicenseStanding.SUSPENDED),
        (LicenseState.SUSPENDED, date(2025, 1, 1), LicenseStanding.EXPIRED),
        (LicenseState.REVOKED, date(2025, 1, 1), LicenseStanding.REVOKED),
        (LicenseState.WITHDRAWN, date(2024, 6, 1), LicenseStanding.WITHDRAWN),
        (LicenseState.CANCELLED, date(2024, 6, 1), LicenseStanding.CANCELLED),
        (LicenseState.EXPIRED, date(2024, 6, 1), LicenseStanding.EXPIRED),
        (LicenseState.TRANSFERRED_OUT, date(2024, 6, 1), LicenseStanding.TRANSFERRED_OUT),
        (LicenseState.DRAFT, date(2024, 6, 1), LicenseStanding.UNKNOWN),
        (LicenseState.VOIDED, date(2024, 6, 1), LicenseStanding.UNKNOWN),
    ],
)
def test_standing_on_a_day(state: LicenseState, today: date, expected: LicenseStanding) -> None:
    assert standing(state, YEAR, today) is expected


def test_long_term_licence_never_expires() -> None:
    assert (
        standing(LicenseState.ISSUED, LicenseTerm(date(2024, 1, 1), None), date(9999, 12, 31)) is LicenseStanding.VALID
    )


def test_only_a_valid_licence_is_in_force() -> None:
    check_in_force(NAME, LicenseStanding.VALID)
    with pytest.raises(FailedPrecondition) as caught:
        check_in_force(NAME, LicenseStanding.REVOKED)
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
    assert validity_from(start, months) == LicenseTerm(start, end)


def test_days_are_those_of_china() -> None:
    assert local_day(datetime(2024, 5, 17, 15, 59, tzinfo=UTC)) == date(2024, 5, 17)
    assert local_day(datetime(2024, 5, 17, 16, 0, tzinfo=UTC)) == date(2024, 5, 18)


def test_validity_must_not_end_before_it_begins() -> None:
    one_day = LicenseTerm(date(2024, 1, 1), date(2024, 1, 1))
    assert check_validity(one_day) is one_day
    with pytest.raises(InvalidArgument) as caught:
        check_validity(LicenseTerm(date(2024, 1, 2), date(2024, 1, 1)))
    assert caught.value.violations[0].field == "validity.end_date"


def test_compact_days() -> None:
    assert compact(date(2024, 5, 8)) == "20240508"
    assert compact(None) == "99991231"
