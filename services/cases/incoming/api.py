"""What other regions send: applications to the deciding side (办理地), answers to the receiving side (收件地); in order and once."""

from typing import Any

from libs.db.command import command_of
from libs.db.uow import Transaction, derived_request_id
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import Names, timestamp
from services.cases.core.exchange import Payload
from services.cases.core.parts import Parts
from services.cases.core.payloads import FORMATS, OpenedMessage
from services.cases.core.transfers import INBOUND, OUTBOUND, ExchangeKey
from services.cases.incoming.answers import sent
from services.cases.incoming.receipts import (
    command_under,
    first_receipt,
    require_number,
    require_sender,
    require_service,
)
from services.cases.incoming.store import KEPT, NOT_APPLIED, KeptMessage, ReceivedMessages
from services.cases.incoming.taking import MessageTaker, way_of
from tongban.cases.v1 import exchange_service_pb2 as pb

_DIRECTIONS, _STATES = Names(pb.TransferDirection), Names(pb.IncomingMessageState)
_FEATURES = ("transfers.sequence_gaps",)


class IncomingApi:
    """Receives messages; a repeated one gets its first receipt, whatever became of it."""

    def __init__(self, parts: Parts, taker: MessageTaker) -> None:
        self._parts = parts
        self._taker = taker

    async def receive_case_transfer(self, request: pb.ReceiveCaseTransferRequest, call: Call) -> pb.TransferReceipt:
        """Takes a message of the receiving region."""
        require_sender(call.actor, request.message.sender_region)
        message, exchange = self._opened(request, call, INBOUND)
        received = await self._taker.store.read(exchange)
        known = _told_again(received, message, call)
        if known is None:
            return await self._taken(message, received, request, call)
        if message.kind == Payload.APPLICATION:
            await self._parts.queue.tell_again(exchange)
        return known

    async def acknowledge_case_transfer(
        self, request: pb.AcknowledgeCaseTransferRequest, call: Call
    ) -> pb.TransferReceipt:
        """Notes that the case was opened there, or that the application comes back."""
        require_number(request.message.sequence, acknowledges=True)
        return await self._answered(request, call)

    async def push_progress(self, request: pb.PushProgressRequest, call: Call) -> pb.TransferReceipt:
        """Takes progress or the result."""
        require_number(request.message.sequence, acknowledges=False)
        return await self._answered(request, call)

    async def _answered(self, request: Any, call: Call) -> pb.TransferReceipt:
        require_service(call.actor, request.message.sender_region)
        message, exchange = self._opened(request, call, OUTBOUND)
        sent(await self._parts.transfers.read_of_exchange(exchange))
        received = await self._taker.store.read(exchange)
        return _told_again(received, message, call) or await self._taken(message, received, request, call)

    def _opened(self, request: Any, call: Call, direction: str) -> tuple[OpenedMessage, ExchangeKey]:
        envelope = request.message
        exchange = ExchangeKey(envelope.sender_region, envelope.exchange_id, direction)
        return self._parts.reader.opened(request, call.received, way_of(direction)), exchange

    async def _taken(
        self, message: OpenedMessage, received: ReceivedMessages, request: Any, call: Call
    ) -> pb.TransferReceipt:
        asked, exchange = set[bytes](), received.exchange
        if not message.doubts:
            await self._taker.check(message, call.actor)

        async def work(tx: Transaction) -> pb.TransferReceipt:
            return await self._taker.take(tx, exchange, message, call.actor, asked)

        envelope = message.envelope
        # One that was refused when it was understood at last is another request when it comes again.
        after = received.refused.id if received.refused is not None else ""
        parts = (exchange.direction, exchange.peer, exchange.exchange_id, str(message.sequence), message.key, after)
        request_id = derived_request_id("message", *parts)
        command = command_under(command_of(request, call=call), envelope.transaction_id, request_id)
        return await self._parts.uow.run(command, work)

    async def list_incoming_messages(
        self, request: pb.ListIncomingMessagesRequest, call: Call
    ) -> pb.ListIncomingMessagesResponse:
        """Lists what lies here and was not applied."""
        parts, waiting = self._parts, Scope({}, (NOT_APPLIED,))
        async with parts.database.read() as connection:
            shown, token = await KEPT.page(connection, parts.pages, request, [waiting])
        return pb.ListIncomingMessagesResponse(messages=map(_message, shown), next_page_token=token)

    async def get_capabilities(self, request: pb.GetCapabilitiesRequest, call: Call) -> pb.Capabilities:
        """Says what is understood here."""
        return pb.Capabilities(
            region=self._parts.home,
            release=self._parts.reader.release,
            format_versions=FORMATS,
            payload_types=sorted(self._parts.reader.taken),
            features=_FEATURES,
        )


def _told_again(received: ReceivedMessages, message: OpenedMessage, call: Call) -> pb.TransferReceipt | None:
    """Returns the first receipt of a repeated message: the record that it names is what this call leaves with, too."""
    known = first_receipt(received, message)
    if known is not None:
        call.receipt = known.receipt
    return known


def _message(row: KeptMessage) -> pb.IncomingMessage:
    return pb.IncomingMessage(
        name=f"incomingMessages/{row.id}",
        exchange_id=row.exchange_id,
        sequence=row.sequence or 0,
        direction=_DIRECTIONS.number(row.direction),
        sender_region=row.peer_region,
        payload_type=row.payload,
        release=row.release,
        state=_STATES.number(row.state),
        doubts=row.doubts,
        reason=row.last_error,
        digest=row.digest,
        receive_time=timestamp(row.create_time),
    )
