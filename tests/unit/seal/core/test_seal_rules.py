"""The rules of seals and of who may use them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from services.seal.core.seal_rules import (
    DIAMETERS_MM,
    SealChange,
    SealFacts,
    SealRank,
    SealState,
    SealUser,
    User,
    ensure_in_force,
    ensure_may_use,
    ensure_period,
    next_state,
    seal_code,
    state_at,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def a_seal(state: SealState = SealState.ACTIVE, *users: SealUser) -> SealFacts:
    return SealFacts("seals/1", state, NOW - DAY, NOW + DAY, users)


def test_a_seal_lives_from_application_to_its_end() -> None:
    state = SealState.APPLIED
    changes = (SealChange.APPROVE, SealChange.MAKE, SealChange.FREEZE, SealChange.UNFREEZE, SealChange.REVOKE)
    seen = []
    for change in changes:
        state = next_state("seals/1", state, change)
        seen.append(state)
    assert seen == ["APPROVED", "ACTIVE", "FROZEN", "ACTIVE", "REVOKED"]


@pytest.mark.parametrize("end", [SealState.REVOKED, SealState.EXPIRED, SealState.SUPERSEDED])
@pytest.mark.parametrize("change", list(SealChange))
def test_nothing_leads_out_of_an_end(end: SealState, change: SealChange) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        next_state("seals/1", end, change)
    assert caught.value.reason == "STATE_CONFLICT"
    assert caught.value.metadata["state"] == end


def test_a_seal_expires_by_itself() -> None:
    assert state_at(a_seal(), NOW + DAY) is SealState.ACTIVE
    assert state_at(a_seal(), NOW + 2 * DAY) is SealState.EXPIRED
    assert state_at(a_seal(SealState.REVOKED), NOW + 2 * DAY) is SealState.REVOKED


def test_a_seal_expires_with_its_certificates() -> None:
    seal = replace(a_seal(), certified_until=NOW)
    assert (state_at(seal, NOW), state_at(seal, NOW + DAY / 2)) == (SealState.ACTIVE, SealState.EXPIRED)
    longer = replace(seal, certified_until=NOW + 9 * DAY)
    assert (longer.ends, state_at(longer, NOW + 2 * DAY)) == (longer.valid_until, SealState.EXPIRED)


@pytest.mark.parametrize(
    ("seal", "at", "state"),
    [
        (a_seal(), NOW - 2 * DAY, "NOT_YET_VALID"),
        (a_seal(), NOW + 2 * DAY, "EXPIRED"),
        (a_seal(SealState.FROZEN), NOW, "FROZEN"),
        (a_seal(SealState.APPROVED), NOW, "APPROVED"),
    ],
)
def test_only_a_seal_in_force_is_used(seal: SealFacts, at: datetime, state: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        ensure_in_force(seal, at)
    assert (caught.value.reason, caught.value.metadata["state"]) == ("SEAL_NOT_USABLE", state)
    ensure_in_force(a_seal(), NOW)


def test_who_may_use_a_seal() -> None:
    seal = a_seal(SealState.ACTIVE, SealUser("services/license"), SealUser("departments/d", approval_needed=True))
    clerk = User("staff/s", "persons/1", frozenset({"departments/d"}))
    assert ensure_may_use(seal, User("services/license")).subject == "services/license"
    assert ensure_may_use(seal, clerk, approver="persons/2").subject == "departments/d"
    # Nobody else approved where the same human being did, whatever record they did it under.
    for approver in ("", "persons/1"):
        with pytest.raises(FailedPrecondition, match="SEAL_APPROVAL_NEEDED"):
            ensure_may_use(seal, clerk, approver)
    with pytest.raises(PermissionDenied, match="SEAL_USE_NOT_ALLOWED"):
        ensure_may_use(seal, User("staff/x", "persons/3"), approver="persons/2")


@pytest.mark.parametrize(
    ("keeper", "separated"),
    [
        (User("staff/k", "persons/9"), True),
        (User("staff/k", "persons/1"), False),
        (User("clients/c"), True),
        (User("staff/s"), False),
        (User(), True),
    ],
)
def test_who_keeps_a_seal_is_told_by_the_human_being(keeper: User, separated: bool) -> None:
    seal = replace(a_seal(SealState.ACTIVE, SealUser("departments/d")), keeper=keeper)
    clerk = User("staff/s", "persons/1", frozenset({"departments/d"}))
    if separated:
        assert ensure_may_use(seal, clerk).subject == "departments/d"
    else:
        with pytest.raises(PermissionDenied, match="SEAL_DUTIES_NOT_SEPARATED"):
            ensure_may_use(seal, clerk)


def test_an_own_right_goes_before_one_that_needs_approval() -> None:
    seal = a_seal(SealState.ACTIVE, SealUser("departments/d", approval_needed=True), SealUser("staff/s"))
    assert ensure_may_use(seal, User("staff/s", also=frozenset({"departments/d"}))).subject == "staff/s"


def test_codes_and_diameters() -> None:
    assert seal_code("500112", 399) == "50011200000399"
    assert DIAMETERS_MM[SealRank.COUNTY] == 42
    for region, sequence in (("5001", 1), ("50011x", 1), ("500112", 0), ("500112", 10**8)):
        with pytest.raises(ValueError, match=r"region|range"):
            seal_code(region, sequence)


def test_a_period_runs_forward_and_ends() -> None:
    ensure_period(NOW, NOW + DAY)
    for until in (NOW, NOW - DAY, NOW + 4000 * DAY):
        with pytest.raises(InvalidArgument, match="end_time"):
            ensure_period(NOW, until)
