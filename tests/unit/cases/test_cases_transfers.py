from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import FailedPrecondition, InvalidArgument
from services.cases.core.exchange import (
    HOLD_WINDOW,
    Inbox,
    MessageDirection,
    MessageVerdict,
    Payload,
    TransferSignal,
    TransferState,
    admit,
    check_payload,
    move,
)

EXCHANGE = "5f0c8f0e-0000-4000-8000-000000000001"


def _digest(sequence: int) -> str:
    return f"sm3:{sequence:064x}"


def test_in_order() -> None:
    first = admit(Inbox(EXCHANGE), 1, _digest(1))
    assert (first.verdict, first.apply, first.inbox.expected) == (MessageVerdict.APPLY, (1,), 2)


def test_a_gap_waits_and_is_filled() -> None:
    inbox = Inbox(EXCHANGE)
    for sequence in (3, 2):
        held = admit(inbox, sequence, _digest(sequence))
        assert (held.verdict, held.apply) == (MessageVerdict.HOLD, ())
        inbox = held.inbox
    filled = admit(inbox, 1, _digest(1))
    assert (filled.verdict, filled.apply) == (MessageVerdict.APPLY, (1, 2, 3))
    assert (filled.inbox.applied_through, filled.inbox.held) == (3, frozenset())


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_repeat_changes_nothing(sequence: int) -> None:
    inbox = admit(admit(Inbox(EXCHANGE), 1, _digest(1)).inbox, 3, _digest(3)).inbox
    repeated = admit(inbox, sequence, _digest(sequence))
    assert (repeated.verdict, repeated.inbox, repeated.apply) == (MessageVerdict.REPEAT, inbox, ())


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_known_number_with_other_content_is_refused(sequence: int) -> None:
    inbox = admit(admit(Inbox(EXCHANGE), 1, _digest(1)).inbox, 3, _digest(3)).inbox
    with pytest.raises(FailedPrecondition) as caught:
        admit(inbox, sequence, _digest(99))
    assert caught.value.reason == "TRANSFER_MESSAGE_CONFLICT"
    assert caught.value.metadata == {"exchange_id": EXCHANGE, "sequence": str(sequence)}


def test_what_can_be_held_is_bounded() -> None:
    assert admit(Inbox(EXCHANGE), HOLD_WINDOW, _digest(1)).verdict is MessageVerdict.HOLD
    with pytest.raises(FailedPrecondition) as caught:
        admit(Inbox(EXCHANGE), HOLD_WINDOW + 1, _digest(1))
    assert caught.value.metadata["expected"] == "1"


@given(
    st.permutations(range(1, 13)).flatmap(
        lambda order: st.lists(st.sampled_from(order), max_size=20).map(lambda again: [*order, *again])
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_with_repeats_applies_each_once_in_order(order: list[int], random: Random) -> None:
    random.shuffle(order)
    inbox = Inbox(EXCHANGE)
    applied: list[int] = []
    for sequence in order:
        admission = admit(inbox, sequence, _digest(sequence))
        inbox = admission.inbox
        applied.extend(admission.apply)
    assert applied == list(range(1, 13))
    assert not inbox.held


ALLOWED = {
    (MessageDirection.TO_HANDLING, 1, Payload.APPLICATION),
    (MessageDirection.TO_HANDLING, 2, Payload.CORRECTION),
    (MessageDirection.TO_HANDLING, 2, Payload.RATING),
    (MessageDirection.TO_HANDLING, 2, Payload.WITHDRAWAL),
    (MessageDirection.TO_RECEIVING, 1, Payload.PROGRESS),
    (MessageDirection.TO_RECEIVING, 1, Payload.RESULT),
    (MessageDirection.TO_RECEIVING, 2, Payload.PROGRESS),
    (MessageDirection.TO_RECEIVING, 2, Payload.RESULT),
}


@pytest.mark.parametrize("direction", MessageDirection)
@pytest.mark.parametrize("sequence", [1, 2])
@pytest.mark.parametrize("payload", Payload)
def test_payloads_by_place(direction: MessageDirection, sequence: int, payload: Payload) -> None:
    if (direction, sequence, payload) in ALLOWED:
        check_payload(EXCHANGE, direction, sequence, payload)
        return
    with pytest.raises(InvalidArgument) as caught:
        check_payload(EXCHANGE, direction, sequence, payload)
    assert caught.value.reason == "TRANSFER_PAYLOAD_UNEXPECTED"


MOVES = {
    "SENT": {
        "RECEIPT": "RECEIVED",
        "ACCEPT": "ACCEPTED",
        "RETURN": "RETURNED",
        "GIVE_UP": "FAILED",
        "WITHDRAW": "WITHDRAWN",
    },
    "RECEIVED": {
        "RECEIPT": "RECEIVED",
        "ACCEPT": "ACCEPTED",
        "RETURN": "RETURNED",
        "GIVE_UP": "FAILED",
        "WITHDRAW": "WITHDRAWN",
    },
    "ACCEPTED": {"RECEIPT": "ACCEPTED", "ACCEPT": "ACCEPTED", "WITHDRAW": "WITHDRAWN"},
    "RETURNED": {"RECEIPT": "RETURNED", "RETURN": "RETURNED", "WITHDRAW": "RETURNED"},
    "FAILED": {"ACCEPT": "ACCEPTED", "RETURN": "RETURNED"},
    "WITHDRAWN": dict.fromkeys(("ACCEPT", "RETURN", "WITHDRAW"), "WITHDRAWN"),
}


@pytest.mark.parametrize("state", TransferState)
@pytest.mark.parametrize("signal", TransferSignal)
def test_every_move(state: TransferState, signal: TransferSignal) -> None:
    following = MOVES[state].get(signal)
    if following is not None:
        assert move("caseTransfers/x", state, signal) == following
        return
    with pytest.raises(FailedPrecondition) as caught:
        move("caseTransfers/x", state, signal)
    assert caught.value.reason == "STATE_CONFLICT"
