"""The rules of seals, of their use, and of conclusions."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

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
from services.seal.sealing.rules import sealing_number
from services.seal.validation.registered import RegisteredSeal, existence_finding, status_finding, structure_finding
from services.seal.validation.rules import (
    Conclusion,
    StepFinding,
    StepIndication,
    StepOutcome,
    Times,
    ValidationStep,
    conclude,
    failed,
    indeterminate,
    not_applicable,
    passed,
    within,
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


@pytest.mark.parametrize("end", [SealState.REVOKED, SealState.EXPIRED, SealState.REPLACED])
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


def test_codes_numbers_and_diameters() -> None:
    assert seal_code("500112", 399) == "50011200000399"
    assert sealing_number("341500", date(2026, 3, 2), 7) == "3415002026030200000007"
    assert DIAMETERS_MM[SealRank.COUNTY] == 42
    for region, sequence in (("5001", 1), ("50011x", 1), ("500112", 0), ("500112", 10**8)):
        with pytest.raises(ValueError, match=r"region|range"):
            seal_code(region, sequence)


def test_a_period_runs_forward_and_ends() -> None:
    ensure_period(NOW, NOW + DAY)
    for until in (NOW, NOW - DAY, NOW + 4000 * DAY):
        with pytest.raises(InvalidArgument, match="valid_until_time"):
            ensure_period(NOW, until)


GOOD, NONE = passed(), not_applicable("")
BAD, WORSE = failed(StepIndication.HASH_FAILURE, ""), failed(StepIndication.SIG_CRYPTO_FAILURE, "")
DARK = indeterminate(StepIndication.TRY_LATER, "")


@pytest.mark.parametrize(
    ("findings", "conclusion", "sub_indication"),
    [
        ([GOOD, NONE], Conclusion.VALID, None),
        ([GOOD, DARK, BAD, WORSE], Conclusion.INVALID, StepIndication.HASH_FAILURE),
        ([DARK, GOOD], Conclusion.INDETERMINATE, StepIndication.TRY_LATER),
        ([NONE], Conclusion.INDETERMINATE, StepIndication.SIGNED_DATA_NOT_FOUND),
        ([], Conclusion.INDETERMINATE, StepIndication.SIGNED_DATA_NOT_FOUND),
    ],
)
def test_the_worst_step_decides(
    findings: list[StepFinding], conclusion: Conclusion, sub_indication: StepIndication | None
) -> None:
    verdict = conclude(ValidationStep("s", "c", finding) for finding in findings)
    assert (verdict.conclusion, verdict.sub_indication) == (conclusion, sub_indication)


def used(stated: datetime, proven: datetime | None = None) -> Times:
    return Times(stated, proven or stated)


def test_periods_include_both_ends() -> None:
    assert within(NOW, NOW + DAY, used(NOW)).outcome is StepOutcome.PASSED
    assert within(NOW, NOW + DAY, used(NOW + DAY)).outcome is StepOutcome.PASSED
    assert within(NOW, NOW + DAY, used(NOW, NOW + DAY)).outcome is StepOutcome.PASSED
    assert within(NOW, NOW + DAY, used(NOW - DAY)).sub_indication is StepIndication.NOT_YET_VALID
    assert within(NOW, NOW + DAY, used(NOW + 2 * DAY)).sub_indication is StepIndication.EXPIRED
    late = within(NOW, NOW + DAY, used(NOW, NOW + 2 * DAY))
    assert (late.outcome, late.sub_indication) == (StepOutcome.INDETERMINATE, StepIndication.OUT_OF_BOUNDS_NO_POE)


@pytest.mark.parametrize(
    ("state", "end", "times", "recorded", "sub_indication"),
    [
        (SealState.ACTIVE, None, used(NOW), False, None),
        (SealState.FROZEN, None, used(NOW), False, StepIndication.TRY_LATER),
        (SealState.FROZEN, None, used(NOW), True, None),
        (SealState.REVOKED, NOW + DAY, used(NOW), True, None),
        (SealState.REVOKED, NOW + DAY, used(NOW, NOW + 2 * DAY), False, StepIndication.REVOKED_NO_POE),
        (SealState.REPLACED, NOW + DAY, used(NOW, NOW + DAY), False, StepIndication.REVOKED_NO_POE),
        (SealState.REVOKED, NOW, used(NOW), True, StepIndication.REVOKED),
        (SealState.REVOKED, NOW, used(NOW, NOW + DAY), False, StepIndication.REVOKED),
    ],
)
def test_what_is_proven_to_be_sealed_before_the_end_of_a_seal_stays_valid(
    state: SealState, end: datetime | None, times: Times, recorded: bool, sub_indication: StepIndication | None
) -> None:
    found = status_finding(RegisteredSeal(b"", state, NOW, end), times, recorded=recorded)
    assert found.sub_indication == sub_indication
    ended = sub_indication is StepIndication.REVOKED
    assert (found.outcome is StepOutcome.FAILED, found.outcome is StepOutcome.PASSED) == (ended, sub_indication is None)


def test_a_seal_that_is_not_on_the_list_is_not_known() -> None:
    assert status_finding(None, used(NOW), recorded=False).sub_indication is StepIndication.TRY_LATER
    assert structure_finding(None, b"x").outcome is StepOutcome.NOT_APPLICABLE


def test_a_seal_is_the_registered_one_or_a_forgery() -> None:
    known = RegisteredSeal(b"structure", SealState.ACTIVE, NOW)
    assert structure_finding(known, b"structure").outcome is StepOutcome.PASSED
    assert structure_finding(known, b"structurE") == failed(
        StepIndication.HASH_FAILURE, "this region registered another structure under this esID"
    )


@pytest.mark.parametrize(
    ("registered", "stamped", "recorded", "outcome"),
    [
        (True, None, True, StepOutcome.PASSED),
        (True, NOW, False, StepOutcome.PASSED),
        (False, NOW, False, StepOutcome.PASSED),
        (False, None, False, StepOutcome.NOT_APPLICABLE),
        # The region's own seal, but not its own use of it.
        (True, None, False, StepOutcome.INDETERMINATE),
    ],
)
def test_what_proves_that_a_signature_exists(
    registered: bool, stamped: datetime | None, recorded: bool, outcome: StepOutcome
) -> None:
    known = RegisteredSeal(b"", SealState.ACTIVE, NOW) if registered else None
    assert existence_finding(known, stamped, used(NOW), recorded=recorded).outcome is outcome
