"""What is seen of a seal, and what it comes to."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.sub_indications import SubIndication
from services.seal.core.seal_rules import SealState
from services.seal.validation.registered import RegisteredSeal, existence_finding, status_finding, structure_finding
from services.seal.validation.rules import (
    Conclusion,
    StepFinding,
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

GOOD, NONE = passed(), not_applicable("")
BAD, WORSE = failed(SubIndication.HASH_FAILURE, ""), failed(SubIndication.SIG_CRYPTO_FAILURE, "")
DARK = indeterminate(SubIndication.TRY_LATER, "")


@pytest.mark.parametrize(
    ("findings", "conclusion", "sub_indication"),
    [
        ([GOOD, NONE], Conclusion.TOTAL_PASSED, None),
        ([GOOD, DARK, BAD, WORSE], Conclusion.TOTAL_FAILED, SubIndication.HASH_FAILURE),
        ([DARK, GOOD], Conclusion.INDETERMINATE, SubIndication.TRY_LATER),
        ([NONE], Conclusion.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND),
        ([], Conclusion.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND),
    ],
)
def test_the_worst_step_decides(
    findings: list[StepFinding], conclusion: Conclusion, sub_indication: SubIndication | None
) -> None:
    verdict = conclude(ValidationStep("s", "c", finding) for finding in findings)
    assert (verdict.conclusion, verdict.sub_indication) == (conclusion, sub_indication)


def used(stated: datetime, proven: datetime | None = None) -> Times:
    return Times(stated, proven or stated)


def test_periods_include_both_ends() -> None:
    assert within(NOW, NOW + DAY, used(NOW)).outcome is StepOutcome.PASSED
    assert within(NOW, NOW + DAY, used(NOW + DAY)).outcome is StepOutcome.PASSED
    assert within(NOW, NOW + DAY, used(NOW, NOW + DAY)).outcome is StepOutcome.PASSED
    assert within(NOW, NOW + DAY, used(NOW - DAY)).sub_indication is SubIndication.NOT_YET_VALID
    assert within(NOW, NOW + DAY, used(NOW + 2 * DAY)).sub_indication is SubIndication.EXPIRED
    late = within(NOW, NOW + DAY, used(NOW, NOW + 2 * DAY))
    assert (late.outcome, late.sub_indication) == (StepOutcome.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE)


@pytest.mark.parametrize(
    ("state", "end", "times", "recorded", "sub_indication"),
    [
        (SealState.ACTIVE, None, used(NOW), False, None),
        (SealState.FROZEN, None, used(NOW), False, SubIndication.TRY_LATER),
        (SealState.FROZEN, None, used(NOW), True, None),
        (SealState.REVOKED, NOW + DAY, used(NOW), True, None),
        (SealState.REVOKED, NOW + DAY, used(NOW, NOW + 2 * DAY), False, SubIndication.REVOKED_NO_POE),
        (SealState.SUPERSEDED, NOW + DAY, used(NOW, NOW + DAY), False, SubIndication.REVOKED_NO_POE),
        (SealState.REVOKED, NOW, used(NOW), True, SubIndication.REVOKED),
        (SealState.REVOKED, NOW, used(NOW, NOW + DAY), False, SubIndication.REVOKED),
    ],
)
def test_what_is_proven_to_be_sealed_before_the_end_of_a_seal_stays_valid(
    state: SealState, end: datetime | None, times: Times, recorded: bool, sub_indication: SubIndication | None
) -> None:
    found = status_finding(RegisteredSeal(b"", state, NOW, end), times, recorded=recorded)
    assert found.sub_indication == sub_indication
    ended = sub_indication is SubIndication.REVOKED
    assert (found.outcome is StepOutcome.FAILED, found.outcome is StepOutcome.PASSED) == (ended, sub_indication is None)


def test_a_seal_that_is_not_on_the_list_is_not_known() -> None:
    assert status_finding(None, used(NOW), recorded=False).sub_indication is SubIndication.TRY_LATER
    assert structure_finding(None, b"x").outcome is StepOutcome.NOT_APPLICABLE


def test_a_seal_is_the_registered_one_or_a_forgery() -> None:
    known = RegisteredSeal(b"structure", SealState.ACTIVE, NOW)
    assert structure_finding(known, b"structure").outcome is StepOutcome.PASSED
    assert structure_finding(known, b"structurE") == failed(
        SubIndication.HASH_FAILURE, "this region registered another structure under this esID"
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
