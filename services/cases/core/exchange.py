"""Exchange with another region (跨省通办): the order of messages, and the states of a transfer.

Messages of one exchange are numbered from 1 in each direction. They are applied in order and once; delivery repeats
until a receipt arrives, so every message may come again, and late ones may come early.
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
    """What a message says, named as the contract's oneof."""

    APPLICATION = "application"
    CORRECTION = "correction"
    PROGRESS = "progress"
    RESULT = "result"
    RATING = "rating"
    WITHDRAWAL = "withdrawal"


class MessageDirection(StrEnum):
    """Which way a message goes."""

    TO_HANDLING = "TO_HANDLING"
    TO_RECEIVING = "TO_RECEIVING"


class MessageVerdict(StrEnum):
    """What to do with a message that arrived."""

    APPLY = "APPLY"
    HOLD = "HOLD"
    REPEAT = "REPEAT"


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
        applied_through: the number of the last message applied; 0 before the first.
        held: the numbers of messages that wait for those before them.
        digests: the digest of each message that was ever receipted, applied or held, by number.
    """

    exchange_id: str
    applied_through: int = 0
    held: frozenset[int] = frozenset()
    digests: Mapping[int, str] = field(default_factory=dict)

    @property
    def expected(self) -> int:
        """The number that can be applied next."""
        return self.applied_through + 1


@dataclass(frozen=True, slots=True)
class MessageAdmission:
    """The verdict on a message, the inbox after it, and the numbers to apply now, in order."""

    verdict: MessageVerdict
    inbox: Inbox
    apply: tuple[int, ...] = ()


def admit(inbox: Inbox, sequence: int, digest: str) -> MessageAdmission:
    """Judges a message that arrived.

    A repeated message gets ``REPEAT`` (answer with the receipt that was given first), one that comes too early
    ``HOLD``, and the next one ``APPLY``, together with those held behind it.

    Raises:
        FailedPrecondition: ``TRANSFER_MESSAGE_CONFLICT`` (known number, other content),
            ``TRANSFER_SEQUENCE_TOO_FAR``.
    """
    known = inbox.digests.get(sequence)
    if known is not None:
        _require_same(inbox, sequence, known, digest)
        return MessageAdmission(MessageVerdict.REPEAT, inbox)
    if sequence >= inbox.expected + HOLD_WINDOW:
        raise _too_far(inbox, sequence)
    digests = {**inbox.digests, sequence: digest}
    if sequence > inbox.expected:
        return MessageAdmission(MessageVerdict.HOLD, replace(inbox, held=inbox.held | {sequence}, digests=digests))
    run = _run_from(sequence, inbox.held)
    after = replace(inbox, applied_through=run[-1], held=inbox.held - set(run), digests=digests)
    return MessageAdmission(MessageVerdict.APPLY, after, run)


def check_payload(exchange_id: str, direction: MessageDirection, sequence: int, payload: Payload) -> None:
    """Refuses a payload that can't stand there: each direction has its own, and the application is message 1 alone.

    Raises:
        InvalidArgument: ``TRANSFER_PAYLOAD_UNEXPECTED``.
    """
    is_first = direction is MessageDirection.TO_HANDLING and sequence == 1
    if payload not in _ALLOWED[direction] or (payload is Payload.APPLICATION) != is_first:
        raise reasons.transfer_payload_unexpected(
            f"message {sequence} {direction} can't be {payload}",
            exchange_id=exchange_id,
            payload=payload,
        )


def move(name: str, state: TransferState, signal: TransferSignal) -> TransferState:
    """Returns the state of the sending side's transfer after ``signal``. Raises ``STATE_CONFLICT``."""
    following = TRANSFER_TRANSITIONS.get((state, signal))
    if following is None:
        raise state_conflict(name, state, *(origin for origin, known in TRANSFER_TRANSITIONS if known is signal))
    return following


def _run_from(sequence: int, held: frozenset[int]) -> tuple[int, ...]:
    last = sequence
    while last + 1 in held:
        last += 1
    return tuple(range(sequence, last + 1))


def _require_same(inbox: Inbox, sequence: int, known: str, digest: str) -> None:
    if known != digest:
        raise reasons.transfer_message_conflict(
            f"message {sequence} was received before with other content",
            exchange_id=inbox.exchange_id,
            sequence=str(sequence),
        )


def _too_far(inbox: Inbox, sequence: int) -> FailedPrecondition:
    return reasons.transfer_sequence_too_far(
        f"message {sequence} is too far ahead of {inbox.expected}",
        exchange_id=inbox.exchange_id,
        sequence=str(sequence),
        expected=str(inbox.expected),
    )
