from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import FailedPrecondition
from services.cases.core.exchange import (
    HOLD_WINDOW,
    Inbox,
    MessageAdmission,
    MessageDirection,
    MessageVerdict,
    Payload,
    TransferSignal,
    TransferState,
    admit,
    may_stand,
    move,
)

EXCHANGE = "5f0c8f0e-0000-4000-8000-000000000001"


def _digest(sequence: int) -> str:
    return f"sm3:{sequence:064x}"


def _next(inbox: Inbox, sequence: int, previous: int | None = None, digest: str = "") -> MessageAdmission:
    """A message that follows the one before it, where nothing else is said."""
    follows = sequence - 1 if previous is None else previous
    return admit(inbox, sequence, follows, digest or _digest(sequence))


def test_in_order() -> None:
    first = _next(Inbox(EXCHANGE), 1)
    assert (first.verdict, first.apply, first.inbox.expected) == (MessageVerdict.APPLY, (1,), 2)


def test_a_gap_waits_and_is_filled() -> None:
    inbox = Inbox(EXCHANGE)
    for sequence in (3, 2):
        held = _next(inbox, sequence)
        assert (held.verdict, held.apply) == (MessageVerdict.HOLD, ())
        inbox = held.inbox
    filled = _next(inbox, 1)
    assert (filled.verdict, filled.apply) == (MessageVerdict.APPLY, (1, 2, 3))
    assert (filled.inbox.settled_through, filled.inbox.held) == (3, {})


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_repeat_changes_nothing(sequence: int) -> None:
    inbox = _next(_next(Inbox(EXCHANGE), 1).inbox, 3).inbox
    repeated = _next(inbox, sequence)
    assert (repeated.verdict, repeated.inbox, repeated.apply) == (MessageVerdict.REPEAT, inbox, ())


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_known_number_with_other_content_is_refused(sequence: int) -> None:
    inbox = _next(_next(Inbox(EXCHANGE), 1).inbox, 3).inbox
    with pytest.raises(FailedPrecondition) as caught:
        _next(inbox, sequence, digest=_digest(99))
    assert caught.value.reason == "TRANSFER_MESSAGE_CONFLICT"
    assert caught.value.metadata == {"exchange_id": EXCHANGE, "sequence": str(sequence)}


def test_the_number_of_a_refused_message_is_left_out_and_never_taken() -> None:
    inbox = _next(Inbox(EXCHANGE), 1).inbox
    after = _next(inbox, 4, 1)
    assert (after.verdict, after.apply, after.inbox.settled_through) == (MessageVerdict.APPLY, (4,), 4)
    for sequence in (2, 3):
        with pytest.raises(FailedPrecondition, match="TRANSFER_MESSAGE_CONFLICT"):
            _next(after.inbox, sequence)


def test_what_follows_one_that_is_missing_waits_for_it_alone() -> None:
    inbox = _next(_next(Inbox(EXCHANGE), 1).inbox, 5, 3).inbox
    inbox = _next(inbox, 6).inbox
    assert _next(inbox, 3, 1).apply == (3, 5, 6)


def test_an_acknowledgement_has_no_place_in_the_order() -> None:
    inbox = _next(_next(Inbox(EXCHANGE), 1).inbox, 3).inbox
    acknowledged = admit(inbox, 0, 0, _digest(0))
    assert (acknowledged.verdict, acknowledged.apply) == (MessageVerdict.APPLY, (0,))
    assert (acknowledged.inbox.settled_through, acknowledged.inbox.held) == (1, {3: 2})
    assert admit(acknowledged.inbox, 0, 0, _digest(0)).verdict is MessageVerdict.REPEAT


def test_what_can_be_held_is_bounded() -> None:
    assert _next(Inbox(EXCHANGE), HOLD_WINDOW).verdict is MessageVerdict.HOLD
    with pytest.raises(FailedPrecondition) as caught:
        _next(Inbox(EXCHANGE), HOLD_WINDOW + 1)
    assert caught.value.metadata["expected"] == "1"


@given(
    st.sets(st.integers(1, 12), min_size=1).flatmap(
        lambda stand: st.permutations(sorted(stand)).flatmap(
            lambda order: st.lists(st.sampled_from(order), max_size=20).map(lambda again: [*order, *again])
        )
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_with_repeats_applies_each_once_in_order(order: list[int], random: Random) -> None:
    """Whatever numbers were refused and left out between them."""
    random.shuffle(order)
    stand, inbox = sorted(set(order)), Inbox(EXCHANGE)
    applied: list[int] = []
    for sequence in order:
        before = [number for number in stand if number < sequence]
        admission = _next(inbox, sequence, before[-1] if before else 0)
        inbox = admission.inbox
        applied.extend(admission.apply)
    assert applied == stand
    assert not inbox.held


ALLOWED = {
    (MessageDirection.TO_HANDLING, 1, Payload.APPLICATION),
    (MessageDirection.TO_HANDLING, 2, Payload.CORRECTION),
    (MessageDirection.TO_HANDLING, 2, Payload.RATING),
    (MessageDirection.TO_HANDLING, 2, Payload.WITHDRAWAL),
    (MessageDirection.TO_RECEIVING, 0, Payload.ACKNOWLEDGEMENT),
    (MessageDirection.TO_RECEIVING, 1, Payload.PROGRESS),
    (MessageDirection.TO_RECEIVING, 1, Payload.RESULT),
    (MessageDirection.TO_RECEIVING, 2, Payload.PROGRESS),
    (MessageDirection.TO_RECEIVING, 2, Payload.RESULT),
}


@pytest.mark.parametrize("direction", MessageDirection)
@pytest.mark.parametrize("sequence", [0, 1, 2])
@pytest.mark.parametrize("payload", Payload)
def test_payloads_by_place(direction: MessageDirection, sequence: int, payload: Payload) -> None:
    assert may_stand(direction, sequence, payload) == ((direction, sequence, payload) in ALLOWED)


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
