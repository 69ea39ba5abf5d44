"""What is about to be changed, by whom and why: the key of idempotency and the frame of the audit record."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from libs.crypto.sm3 import sm3
from libs.observability import tracing
from libs.rpc.call import Call
from libs.rpc.messages import wire_bytes
from libs.rpc.outputs import resource_fields
from tongban.common.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Command:
    """One mutation.

    Attributes:
        caller: whose request_id it is; two callers may use the same id.
        method: the RPC's full name, or ``event:<consumer>``.
        request_id: the idempotency key.
        digest: SM3 of the bytes that came, as they came: what the audit record is of. Empty where none came.
        response_type: the class of the stored answer.
        actor, on_behalf_of, department, assurance, trace_id, span_id: who, for the audit record.
        use: purpose, case, legal basis and transaction id, for the audit record.
        call: the call that brought it; None where an event or a worker did.
        validate_only: whether nothing is to change: all is done as it would be, and taken back (AIP-163).
        meaning: SM3 of what the request says, however its sender wrote it (:mod:`libs.db.bodies`).
    """

    caller: str
    method: str
    request_id: str
    digest: bytes
    response_type: type[Message]
    actor: str = ""
    on_behalf_of: str = ""
    department: str = ""
    assurance: int = 0
    trace_id: str = ""
    span_id: str = ""
    use: common_pb2.UseContext = field(default_factory=common_pb2.UseContext)
    call: Call | None = field(default=None, compare=False, repr=False)
    meaning: bytes = b""
    validate_only: bool = False

    def recorded(self, receipt: common_pb2.Receipt) -> None:
        """Notes that a record of the call that brought this stands; it answers with the receipt of the last one noted.

        Nothing is noted where no call brought it.
        """
        if self.call is not None:
            self.call.receipt = receipt

    def recorded_abroad(self, receipt: common_pb2.Receipt | None) -> None:
        """Notes what another region, asked for this call, gave as its receipt; it goes with the answer beside ours."""
        if self.call is not None:
            self.call.pass_on(receipt)


def digest_of(message: Message) -> bytes:
    """Returns SM3 of the bytes by which ``message`` leaves this process.

    Evidence only of what this process writes itself. Of what others wrote their own bytes are evidence.
    """
    return sm3(wire_bytes(message))


def _digests(received: bytes, request: Message) -> tuple[bytes, bytes]:
    """Returns the digest of the bytes and that of their meaning; mostly they were written as we write them, and one is both."""
    written, digest = wire_bytes(request), sm3(received)
    return digest, digest if written == received else sm3(written)


_NO_USE = common_pb2.UseContext()


def _use_of(request: Any) -> common_pb2.UseContext:
    """The context that a request states: its own, or that of the resource that it makes."""
    for stated in (request, *(getattr(request, each.name) for each in resource_fields(request.DESCRIPTOR))):
        use = getattr(stated, "use_context", None)
        if isinstance(use, common_pb2.UseContext):
            return use
    return _NO_USE


def command_of(request: Message, *, request_id: str | None = None, call: Call) -> Command:
    """Builds the command of a call; its request names ``request_id``, or it is given."""
    actor = call.actor
    digest, meaning = _digests(call.received, request)
    return Command(
        caller=f"{actor.subject} {actor.delegate}".strip(),
        method=call.method.name,
        request_id=request_id or str(getattr(request, "request_id", "") or uuid.uuid4()),
        digest=digest,
        response_type=call.method.response_type,
        actor=actor.delegate or actor.subject,
        on_behalf_of=actor.organization or (actor.subject if actor.delegate else actor.represented),
        department=actor.department,
        assurance=actor.assurance,
        trace_id=call.trace_id,
        span_id=call.span_id,
        use=_use_of(request),
        call=call,
        meaning=meaning,
        validate_only=bool(getattr(request, "validate_only", False)),
    )


def command_of_event(
    consumer: str,
    event_id: str,
    told: Message,
    response_type: type[Message],
    *,
    data: bytes,
    actor: str,
    trace_id: str = "",
    span_id: str = "",
) -> Command:
    """Builds the command for handling an event once: its idempotency row is the inbox row.

    ``told`` is what the event's ``data`` say. It belongs to the event's trace: that which the consumer follows, unless another is given.
    """
    if not trace_id and tracing.followed():
        trace_id, span_id = tracing.parse_traceparent(tracing.followed())
    digest, meaning = _digests(data, told)
    return Command(
        caller=actor,
        method=f"event:{consumer}",
        request_id=event_id,
        digest=digest,
        response_type=response_type,
        actor=actor,
        trace_id=trace_id,
        span_id=span_id,
        meaning=meaning,
    )
