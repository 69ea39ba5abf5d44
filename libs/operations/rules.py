"""Who sees an operation, and how it may end: decided purely."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.errors import Aborted, Cancelled, Code, TongbanError, not_found, reasons, state_conflict

KEPT = timedelta(days=7)
"""How long an operation is kept after its end, with its result or its error."""
MANAGES = "operations.operations.interrupt"
"""The permission of who may interrupt operations: for them all operations of a service are there."""
MOST_STALLS = 5
"""So often an operation is taken up without getting on; then it is given up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_PASSING = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.ABORTED})


@dataclass(frozen=True, slots=True)
class LongOperation:
    """An operation as it stands.

    Attributes:
        method: the full name of the RPC that began it.
        owner: who began it: the subject of the token, and who acts for it.
        actor: who is on record as having begun it.
        trace: the trace that it was begun in; empty where tracing is off.
        request: what was asked, encrypted; so are checkpoint, response and error.
        phase: what it is about to do, a word of the method's.
        done, total: how many items are done, and how many there are (0 while that is not known).
        checkpoint: what the work needs to go on from here; empty before the first.
        response: what came of it, a packed google.protobuf.Any; None until then.
        error: what it failed with, a google.rpc.Status; None unless it did.
        worker: who has it, or had it last, by an id made when it was taken; empty where it was given back.
        attempts: how often it was taken up.
        stalls: how often since it last got on.
        expire_time: when it is forgotten; None before its end.
    """

    id: str
    method: str
    owner: str
    actor: str
    trace: str
    request: bytes
    phase: str
    done: int
    total: int
    checkpoint: bytes
    response: bytes | None
    error: bytes | None
    cancel_requested: bool
    worker: str
    attempts: int
    stalls: int
    create_time: datetime
    update_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    expire_time: datetime | None


def check_seen(found: LongOperation | None, name: str, owner: str, manages: bool) -> LongOperation:
    """Returns the operation if the caller may know of it; another's does not exist (RESOURCE_NOT_FOUND)."""
    if found is None or not (manages or found.owner == owner):
        raise not_found(name)
    return found


def check_ended(operation: LongOperation, name: str) -> None:
    """Raises STATE_CONFLICT while an operation goes on."""
    if operation.end_time is None:
        raise state_conflict(name, "under way", "ended")


def check_under_way(operation: LongOperation, name: str) -> None:
    """Raises STATE_CONFLICT where an operation has ended."""
    if operation.end_time is not None:
        raise state_conflict(name, "ended", "under way")


def check_room(under_way: int, most: int) -> None:
    """Raises OPERATION_QUOTA_EXCEEDED where a caller has ``most`` operations under way."""
    if under_way >= most:
        raise reasons.operation_quota_exceeded("too many operations under way", limit=str(most))


def cancelled(name: str) -> Cancelled:
    """Builds the error of an operation that was stopped as asked."""
    return reasons.operation_cancelled(f"{name} was cancelled", resource=name)


def interrupted(name: str, rule: str) -> Aborted:
    """Builds the error of an operation that nobody goes on with; ``rule`` is ``attempts`` or ``operator``."""
    return reasons.operation_interrupted(f"{name} was interrupted: {rule}", resource=name, rule=rule)


def passes(error: TongbanError) -> bool:
    """Tells whether what a work failed with is likely to pass: then it is taken up again, and not ended."""
    return error.code in _PASSING and error.reason != "OPERATION_INTERRUPTED"


def pause_seconds(stalls: int) -> float:
    """Returns how long to wait before a work is taken up again that failed ``stalls`` times without getting on."""
    return min(_FIRST_PAUSE * 2.0 ** max(0, stalls - 1), _LONGEST_PAUSE)
