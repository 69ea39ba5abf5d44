"""What may follow an application that another region has, and when it can be taken back."""

import pytest

from libs.errors import FailedPrecondition
from services.cases.core.exchange import Payload, TransferState
from services.cases.core.states import CaseState
from services.cases.outgoing.rules import OPEN, check_asked, check_open

NAME = "caseTransfers/00000000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("progress", "tolerated"),
    [
        (CaseState.CORRECTION_REQUESTED, False),
        (CaseState.CORRECTION_REQUESTED, True),
        (CaseState.ACCEPTED, True),
        (CaseState.UNDER_REVIEW, True),
        (CaseState.SUSPENDED, True),
    ],
)
def test_what_was_asked_for_can_be_sent(progress: CaseState, tolerated: bool) -> None:
    check_asked(NAME, TransferState.ACCEPTED, progress, tolerated=tolerated, under_way=False)


@pytest.mark.parametrize("progress", ["", CaseState.SUBMITTED, CaseState.ACCEPTED, CaseState.DECIDED])
def test_what_nobody_asked_for_is_refused(progress: str) -> None:
    with pytest.raises(FailedPrecondition) as error:
        check_asked(NAME, TransferState.ACCEPTED, progress, tolerated=False, under_way=False)
    assert error.value.metadata == {
        "resource": NAME,
        "state": progress or "SUBMITTED",
        "allowed": "CORRECTION_REQUESTED",
    }


def test_tolerance_ends_with_the_decision() -> None:
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        check_asked(NAME, TransferState.ACCEPTED, CaseState.DECIDED, tolerated=True, under_way=False)


def test_one_answer_at_a_time() -> None:
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        check_asked(NAME, TransferState.ACCEPTED, CaseState.CORRECTION_REQUESTED, tolerated=False, under_way=True)


@pytest.mark.parametrize("state", sorted(set(TransferState) - {TransferState.ACCEPTED}))
def test_nothing_is_sent_to_who_has_opened_no_case(state: TransferState) -> None:
    with pytest.raises(FailedPrecondition) as error:
        check_asked(NAME, state, CaseState.CORRECTION_REQUESTED, tolerated=False, under_way=False)
    assert error.value.metadata == {"resource": NAME, "state": state, "allowed": "ACCEPTED"}


def test_an_application_is_taken_back_once_and_before_its_end() -> None:
    for state in OPEN:
        check_open(NAME, state, [Payload.APPLICATION, Payload.CORRECTION])
        with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
            check_open(NAME, state, [Payload.APPLICATION, Payload.WITHDRAWAL])
    for state in set(TransferState) - set(OPEN):
        with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
            check_open(NAME, state, [])
