"""What is about to be changed, by whom and why: the key of idempotency and the frame of the audit record."""

import hashlib
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from libs.observability import tracing
from libs.rpc.call import Call
from tongban.common.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Command:
    """One mutation.

    Attributes:
        caller: whose request_id it is; two callers may use the same id.
        method: the RPC's full name, or ``event:<consumer>``.
        request_id: the idempotency key.
        digest: SM3 of the request, so that the same id with another body is noticed.
        response_type: the class of the stored answer.
        actor, on_behalf_of, department, assurance, trace_id, span_id: who, for the audit record.
        use: purpose, case, legal basis and transaction id, for the audit record.
        call: the call that brought it; None where an event or a worker did.
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

    def recorded(self) -> None:
        """Notes that an audit record of the call that brought this stands; nothing to note where none did."""
        if self.call is not None:
            self.call.recorded = True


def digest_of(message: Message) -> bytes:
    """Returns SM3 over the deterministic bytes of ``message``."""
    return hashlib.new("sm3", message.SerializeToString(deterministic=True)).digest()


_NO_USE = common_pb2.UseContext()


@cache
def _use_field(message_type: str) -> str:
    fields = descriptor_pool.Default().FindMessageTypeByName(message_type).fields
    return next((each.name for each in fields if each.message_type is common_pb2.UseContext.DESCRIPTOR), "")


def _use_of(request: Message) -> common_pb2.UseContext:
    name = _use_field(request.DESCRIPTOR.full_name)
    return cast("common_pb2.UseContext", getattr(request, name)) if name else _NO_USE


def command_of(request: Message, *, request_id: str | None = None, call: Call) -> Command:
    """Builds the command of a call; its request names ``request_id``, or it is given."""
    actor = call.actor
    return Command(
        caller=f"{actor.subject} {actor.delegate}".strip(),
        method=call.method.name,
        request_id=request_id or str(getattr(request, "request_id", "") or uuid.uuid4()),
        digest=digest_of(request),
        response_type=call.method.response_type,
        actor=actor.delegate or actor.subject,
        on_behalf_of=actor.organization or (actor.subject if actor.delegate else ""),
        department=actor.department,
        assurance=actor.assurance,
        trace_id=call.trace_id,
        span_id=call.span_id,
        use=_use_of(request),
        call=call,
    )


def command_of_event(
    consumer: str,
    event_id: str,
    data: Message,
    response_type: type[Message],
    *,
    actor: str,
    trace_id: str = "",
    span_id: str = "",
) -> Command:
    """Builds the command for handling an event once: its idempotency row is the inbox row.

    It belongs to the event's trace: that which the consumer follows, unless another is given.
    """
    if not trace_id and tracing.followed():
        trace_id, span_id = tracing.parse_traceparent(tracing.followed())
    return Command(
        caller=actor,
        method=f"event:{consumer}",
        request_id=event_id,
        digest=digest_of(data),
        response_type=response_type,
        actor=actor,
        trace_id=trace_id,
        span_id=span_id,
    )
