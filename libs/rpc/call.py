"""The call that is being served: what the stages found out about it, for the use cases and the records."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from libs.access.actor import ANONYMOUS, Actor
from libs.rpc.contract import Method
from libs.rpc.receipts import RECEIPT, RECEIPT_ABROAD
from libs.rpc.streams import NO_PACE, StreamPace
from tongban.common.v1 import common_pb2


@dataclass(slots=True)
class Call:
    """One RPC on its way through the stages.

    Attributes:
        method: what the contract declares of the RPC.
        context: gRPC's own context.
        metadata: the request's metadata with text values; of a repeated key the last.
        actor: who calls; anonymous until the caller stage has run.
        peers: the mTLS names of the peer.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        started: monotonic seconds at the start.
        received: the bytes of the request exactly as they came; of a client's stream those of its first message, of one that
            is answered as it goes those of the message that is being answered.
        receipt: that of the audit record which says how this call ended; None while none stands.
        receipt_abroad: that of another region, which this one asked for the caller and whose answer is passed on.
        pace: how long a call that streams has been silent; made with its deadline.
        is_own: whether the answer is wholly the caller's own, which nobody need record.
    """

    method: Method
    context: grpc.aio.ServicerContext[Any, Any]
    metadata: dict[str, str] = field(default_factory=dict)
    actor: Actor = ANONYMOUS
    peers: frozenset[str] = frozenset()
    trace_id: str = ""
    span_id: str = ""
    started: float = field(default_factory=time.monotonic)
    received: bytes = b""
    receipt: common_pb2.Receipt | None = None
    receipt_abroad: common_pb2.Receipt | None = None
    is_own: bool = False
    pace: StreamPace = NO_PACE

    @property
    def address(self) -> str:
        """Where the call came from, as the gateway saw it; empty where it did not come through one."""
        return gateway_saw(self.metadata.get(FORWARDED, ""))

    @property
    def signer(self) -> str:
        """The client that signed the request, as the gateway found; empty where none did, or it did not come through one."""
        return self.metadata.get(SIGNER, "")

    @property
    def accounted(self) -> bool:
        """Whether the answer may leave: a record of this call stands, or nobody need record it."""
        return self.is_own or self.receipt is not None

    def pass_on(self, receipt: common_pb2.Receipt | None) -> None:
        """Notes the receipt of another region that was asked for the caller; it goes with the answer beside ours."""
        self.receipt_abroad = receipt

    def taken_receipts(self) -> tuple[tuple[str, bytes], ...]:
        """Returns what the call has to show for itself as metadata, once; nothing where nothing was recorded."""
        given = ((RECEIPT, self.receipt), (RECEIPT_ABROAD, self.receipt_abroad))
        self.receipt = self.receipt_abroad = None
        return tuple((key, receipt.SerializeToString()) for key, receipt in given if receipt is not None)

    async def send_receipts(self) -> None:
        """Sends what the call has to show for itself; nothing where nothing was recorded, or once it was sent."""
        if metadata := self.taken_receipts():
            await self.context.send_initial_metadata(metadata)

    def own(self) -> None:
        """Notes that the answer holds the caller's own data alone, which nobody need record."""
        self.is_own = True


SIGNER = "x-tongban-signer"
"""Which client signed the request. The gateway takes it away from what comes in, and says it of what it found signed."""
FORWARDED = "x-forwarded-for"
"""Where a call came from, and what says so."""


def gateway_saw(forwarded: str) -> str:
    """Returns the address that the gateway saw: it adds it at the end; what stands before is the caller's own word."""
    return forwarded.rpartition(",")[2].strip()


Request = Message | AsyncIterator[Message]
Handler = Callable[[Any, Call], Awaitable[Message]]
"""Serves a request. The request is a message, or an async iterator of messages where the client streams."""
Stage = Callable[[Method, Handler], Handler]
"""Wraps the handler of a method; made once per method when the server starts."""

_current: ContextVar[Call | None] = ContextVar("tongban_call", default=None)


def served() -> Call | None:
    """Returns the call being served, or None in a task of the service's own."""
    return _current.get()


def enter(call: Call) -> None:
    """Makes ``call`` the current one of this task; gRPC runs each call in a task of its own."""
    _current.set(call)
