"""Exchange with another region (跨省通办): the order of messages, and the states of a transfer.

Messages of one exchange are numbered from 1 in each direction. They are applied in order and once; delivery repeats
until a receipt arrives, so every message may come again, and late ones may come early. A message that was refused keeps its
number; the next one says which one it follows. One that is not understood is kept, and those behind it are applied, for a
result must not wait for an upgrade; only behind an application that is not understood everything waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from libs.errors import FailedPrecondition, reasons, state_conflict

HOLD_WINDOW = 64
"""How far ahead of the next message one may be and still be held; bounds what a peer can make us keep."""


class TransferState(StrEnum):
    """Where a transfer stands, named as in the contract."""

    SENT = "SENT"
    RECEIVED = "RECEIVED"
    ACCEPTED = "ACCEPTED"
    RETURNED = "RETURNED"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"


class TransferSignal(StrEnum):
    """What moves a transfer at the sending side."""

    RECEIPT = "RECEIPT"
    ACCEPT = "ACCEPT"
    RETURN = "RETURN"
    GIVE_UP = "GIVE_UP"
    WITHDRAW = "WITHDRAW"


class Payload(StrEnum):
    """What a message says, by the full name of its message in the contract."""

    APPLICATION = "tongban.cases.v1.TransferApplication"
    CORRECTION = "tongban.cases.v1.TransferCorrection"
    PROGRESS = "tongban.cases.v1.TransferProgress"
    RESULT = "tongban.cases.v1.TransferResult"
    RATING = "tongban.cases.v1.TransferRating"
    WITHDRAWAL = "tongban.cases.v1.TransferWithdrawal"
    ACKNOWLEDGEMENT = "tongban.cases.v1.TransferAcknowledgement"


class MessageDirection(StrEnum):
    """Which way a message goes."""

    TO_HANDLING = "TO_HANDLING"
    TO_RECEIVING = "TO_RECEIVING"


class MessageVerdict(StrEnum):
    """What to do with a message that arrived."""

    APPLY = "APPLY"
    HOLD = "HOLD"
    REPEAT = "REPEAT"


class IncomingState(StrEnum):
    """What became of a message that came in."""

    HELD = "HELD"
    """It came before one that stands before it."""
    NOT_UNDERSTOOD = "NOT_UNDERSTOOD"
    """It holds what our contract lacks; it is applied once that knows it."""
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"
    """It was understood later, and could not be applied any more."""


_T, _G = TransferState, TransferSignal

TRANSFER_TRANSITIONS: Mapping[tuple[TransferState, TransferSignal], TransferState] = {
    (_T.SENT, _G.RECEIPT): _T.RECEIVED,
    (_T.SENT, _G.ACCEPT): _T.ACCEPTED,
    (_T.SENT, _G.RETURN): _T.RETURNED,
    (_T.SENT, _G.GIVE_UP): _T.FAILED,
    (_T.RECEIVED, _G.RECEIPT): _T.RECEIVED,
    (_T.RECEIVED, _G.ACCEPT): _T.ACCEPTED,
    (_T.RECEIVED, _G.RETURN): _T.RETURNED,
    (_T.RECEIVED, _G.GIVE_UP): _T.FAILED,
    (_T.ACCEPTED, _G.RECEIPT): _T.ACCEPTED,
    (_T.ACCEPTED, _G.ACCEPT): _T.ACCEPTED,
    (_T.RETURNED, _G.RECEIPT): _T.RETURNED,
    (_T.RETURNED, _G.RETURN): _T.RETURNED,
    (_T.RETURNED, _G.WITHDRAW): _T.RETURNED,
    (_T.FAILED, _G.ACCEPT): _T.ACCEPTED,
    (_T.FAILED, _G.RETURN): _T.RETURNED,
    (_T.SENT, _G.WITHDRAW): _T.WITHDRAWN,
    (_T.RECEIVED, _G.WITHDRAW): _T.WITHDRAWN,
    (_T.ACCEPTED, _G.WITHDRAW): _T.WITHDRAWN,
    (_T.WITHDRAWN, _G.WITHDRAW): _T.WITHDRAWN,
    (_T.WITHDRAWN, _G.ACCEPT): _T.WITHDRAWN,
    (_T.WITHDRAWN, _G.RETURN): _T.WITHDRAWN,
}
"""An acknowledgement may overtake the receipt, and both may come again. One that comes after all, when the receipt was
given up waiting for, holds; one that comes after the withdrawal changes nothing: the withdrawal is on its way."""

_ALLOWED: Mapping[MessageDirection, frozenset[Payload]] = {
    MessageDirection.TO_HANDLING: frozenset(
        {Payload.APPLICATION, Payload.CORRECTION, Payload.RATING, Payload.WITHDRAWAL}
    ),
    MessageDirection.TO_RECEIVING: frozenset({Payload.PROGRESS, Payload.RESULT}),
}


@dataclass(frozen=True, slots=True)
class Inbox:
    """What one side holds of the other's messages in one exchange.

    Attributes:
        exchange_id: the exchange, for errors.
        settled_through: the number of the last message that those after it need not wait for; 0 before the first.
        held: the messages that wait for those before them, each with the number that it follows.
        digests: the digest of each message that was ever receipted, by number.
    """

    exchange_id: str
    settled_through: int = 0
    held: Mapping[int, int] = field(default_factory=dict)
    digests: Mapping[int, str] = field(default_factory=dict)

    @property
    def expected(self) -> int:
        """The number that can be applied next."""
        return self.settled_through + 1


@dataclass(frozen=True, slots=True)
class MessageAdmission:
    """The verdict on a message, the inbox after it, and the numbers to apply now, in order."""

    verdict: MessageVerdict
    inbox: Inbox
    apply: tuple[int, ...] = ()


def admit(inbox: Inbox, sequence: int, previous: int, digest: str) -> MessageAdmission:
    """Judges a message that arrived.

    A repeated message gets ``REPEAT`` (answer with the receipt that was given first), one that comes too early
    ``HOLD``, and the next one ``APPLY``, together with those held behind it. The next one is that whose ``previous`` is
    settled: the numbers between the two were refused here and never come. Number 0 has no place in the order.

    Raises:
        FailedPrecondition: ``TRANSFER_MESSAGE_CONFLICT`` (known number, other content; or a number that was left out),
            ``TRANSFER_SEQUENCE_TOO_FAR``.
    """
    known = inbox.digests.get(sequence)
    if known is not None:
        _require_same(inbox, sequence, known, digest)
        return MessageAdmission(MessageVerdict.REPEAT, inbox)
    if 0 < sequence <= inbox.settled_through:
        raise _conflict(inbox, sequence, "was left out by a later one")
    if sequence >= inbox.expected + HOLD_WINDOW:
        raise _too_far(inbox, sequence)
    digests = {**inbox.digests, sequence: digest}
    if previous > inbox.settled_through:
        held = {**inbox.held, sequence: previous}
        return MessageAdmission(MessageVerdict.HOLD, replace(inbox, held=held, digests=digests))
    run = (sequence, *released(inbox.held, sequence)) if sequence else (0,)
    return MessageAdmission(MessageVerdict.APPLY, _after(inbox, run, digests), run)


def _after(inbox: Inbox, run: tuple[int, ...], digests: Mapping[int, str]) -> Inbox:
    held = {number: previous for number, previous in inbox.held.items() if number not in run}
    return replace(inbox, settled_through=max(inbox.settled_through, run[-1]), held=held, digests=digests)


def released(held: Mapping[int, int], settled: int) -> tuple[int, ...]:
    """Returns the held messages, each with the number that it follows, whose turn has come after ``settled``."""
    run: tuple[int, ...] = ()
    for number in sorted(each for each in held if each > settled):
        if held[number] > settled:
            break
        run, settled = (*run, number), number
    return run


def may_stand(direction: MessageDirection, sequence: int, payload: str) -> bool:
    """Tells whether a payload is known to stand there: each direction has its own, and the application is message 1 alone."""
    if payload == Payload.ACKNOWLEDGEMENT or sequence == 0:
        return payload == Payload.ACKNOWLEDGEMENT and sequence == 0 and direction is MessageDirection.TO_RECEIVING
    is_first = direction is MessageDirection.TO_HANDLING and sequence == 1
    return payload in _ALLOWED[direction] and (payload == Payload.APPLICATION) == is_first


def move(name: str, state: TransferState, signal: TransferSignal) -> TransferState:
    """Returns the state of the sending side's transfer after ``signal``. Raises ``STATE_CONFLICT``."""
    following = TRANSFER_TRANSITIONS.get((state, signal))
    if following is None:
        raise state_conflict(name, state, *(origin for origin, known in TRANSFER_TRANSITIONS if known is signal))
    return following


def _require_same(inbox: Inbox, sequence: int, known: str, digest: str) -> None:
    if known != digest:
        raise _conflict(inbox, sequence, "was received before with other content")


def _conflict(inbox: Inbox, sequence: int, what: str) -> FailedPrecondition:
    return reasons.transfer_message_conflict(
        f"message {sequence} {what}", exchange_id=inbox.exchange_id, sequence=str(sequence)
    )


def _too_far(inbox: Inbox, sequence: int) -> FailedPrecondition:
    return reasons.transfer_sequence_too_far(
        f"message {sequence} is too far ahead of {inbox.expected}",
        exchange_id=inbox.exchange_id,
        sequence=str(sequence),
        expected=str(inbox.expected),
    )
