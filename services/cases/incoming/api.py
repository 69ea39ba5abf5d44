"""What other regions send: applications to the deciding side (办理地), answers to the receiving side (收件地); in order and once."""

from libs.db.command import command_of, digest_of
from libs.db.uow import Transaction, derived_request_id
from libs.errors import not_found, reasons
from libs.ids import names
from libs.rpc.call import Call
from libs.rpc.messages import Names
from services.cases.core.exchange import (
    MessageAdmission,
    MessageDirection,
    MessageVerdict,
    Payload,
    TransferSignal,
    admit,
    check_payload,
    move,
)
from services.cases.core.outbound import message_digest
from services.cases.core.parts import Parts
from services.cases.core.transfers import INBOUND, OUTBOUND, UPDATE, ExchangeKey, TransferRow
from services.cases.incoming.answers import apply_answer, same_acknowledgement, tell_acknowledged, written
from services.cases.incoming.applying import MessageApplier
from services.cases.incoming.checks import check_application, check_holders, require_same_transfer
from services.cases.incoming.receipts import command_under, first_receipt, receipted, require_sender, require_service
from services.cases.incoming.store import InboxStore, ReceivedMessages
from tongban.cases.v1 import exchange_service_pb2 as pb

_TRANSFER_STATES = Names(pb.TransferState)
_SIGNALS = {"ACCEPTED": TransferSignal.ACCEPT, "RETURNED": TransferSignal.RETURN}


class IncomingApi:
    """Receives messages; a repeated one gets its first receipt."""

    def __init__(self, parts: Parts, applying: MessageApplier) -> None:
        self._parts = parts
        self._applying = applying
        self._store = InboxStore(parts.database, parts.cipher)

    async def receive_case_transfer(self, request: pb.ReceiveCaseTransferRequest, call: Call) -> pb.TransferReceipt:
        """Takes a message of the receiving region."""
        actor, message = call.actor, request.message
        require_sender(actor, message.sender_region)
        payload, exchange = _of_kind(message, MessageDirection.TO_HANDLING, INBOUND)
        digest, asked = message_digest(message), set[bytes]()
        known = first_receipt(await self._store.read(exchange), message.sequence, digest)
        if known is not None:
            if payload is Payload.APPLICATION:
                await self._parts.queue.tell_again(exchange)
            return known
        check_holders((*message.application.materials, *message.correction.materials), actor.region)
        if payload is Payload.APPLICATION:
            await check_application(self._parts, message.application, actor)

        async def work(tx: Transaction) -> pb.TransferReceipt:
            await self._store.serialize(tx.connection, exchange)
            received, admission = await self._admitted(tx, exchange, message, digest)
            opened = await self._parts.transfers.of_exchange(tx.connection, exchange)
            if opened is not None:  # before it may be held: what is held is applied later under another's token
                require_same_transfer(opened, actor)
            receipt = self._receipt(tx, message, digest, admission)
            for each in await self._to_apply(tx, received, admission, message):
                await self._applying.apply(tx, exchange, each, actor, asked)
            await self._store.keep(tx.connection, exchange, message, receipt, tx.now)
            return receipt

        request_id = _message_id("receive", exchange, message, digest)
        command = command_under(command_of(request, call=call), message.transaction_id, request_id)
        return await self._parts.uow.run(command, work)

    async def acknowledge_case_transfer(
        self, request: pb.AcknowledgeCaseTransferRequest, call: Call
    ) -> pb.TransferReceipt:
        """Notes that the case was opened there, or that the application comes back."""
        require_service(call.actor, request.sender_region)
        exchange = ExchangeKey(request.sender_region, request.exchange_id, OUTBOUND)
        row = _sent(await self._parts.transfers.read_of_exchange(exchange))
        if request.case_name and names.parse(request.case_name, "case_name").region != request.sender_region:
            raise reasons.region_mismatch("the case is another region's", region=request.sender_region)
        digest = f"sm3:{digest_of(request).hex()}"
        if row.acknowledgement is not None:
            return same_acknowledgement(row, row.acknowledgement, digest)

        async def work(tx: Transaction) -> pb.TransferReceipt:
            row = await self._locked(tx, exchange)
            if row.acknowledgement is not None:
                same_acknowledgement(row, row.acknowledgement, digest)
                raise reasons.resource_exists("acknowledged before", resource=row.name)
            return await self._acknowledged(tx, row, request, digest)

        request_id = derived_request_id("acknowledge", exchange.peer, exchange.exchange_id, digest)
        command = command_under(command_of(request, call=call), request.transaction_id, request_id)
        return await self._parts.uow.run(command, work)

    async def _acknowledged(
        self, tx: Transaction, row: TransferRow, request: pb.AcknowledgeCaseTransferRequest, digest: str
    ) -> pb.TransferReceipt:
        state = move(row.name, row.state, _SIGNALS[_TRANSFER_STATES.name(request.state)])
        empty = pb.TransferMessage(exchange_id=request.exchange_id)
        receipt = receipted(tx, empty, digest, self._parts.home, held=False)
        await UPDATE.one(
            tx.connection,
            row.id,
            state=state,
            case_name=request.case_name,
            case_number=request.case_number,
            end_reason=request.reason,
            acknowledgement=receipt.SerializeToString(),
            acknowledge_time=tx.now,
            update_time=tx.now,
        )
        tell_acknowledged(tx, row, request)
        return receipt

    async def push_progress(self, request: pb.PushProgressRequest, call: Call) -> pb.TransferReceipt:
        """Takes progress or the result."""
        message = request.message
        require_service(call.actor, message.sender_region)
        _, exchange = _of_kind(message, MessageDirection.TO_RECEIVING, OUTBOUND)
        _sent(await self._parts.transfers.read_of_exchange(exchange))
        digest = message_digest(message)
        known = first_receipt(await self._store.read(exchange), message.sequence, digest)
        if known is not None:
            return known

        async def work(tx: Transaction) -> pb.TransferReceipt:
            row = await self._locked(tx, exchange)
            received, admission = await self._admitted(tx, exchange, message, digest)
            receipt = self._receipt(tx, message, digest, admission)
            content, tolerated = self._parts.transfers.content(row), row.tolerated
            for each in await self._to_apply(tx, received, admission, message):
                tolerated = apply_answer(tx, row, content, each) or tolerated
            if admission.apply:
                values = written(self._parts.transfers, row, content, admission.apply[-1], tolerated=tolerated)
                await UPDATE.one(tx.connection, row.id, **values, update_time=tx.now)
            await self._store.keep(tx.connection, exchange, message, receipt, tx.now)
            return receipt

        request_id = _message_id("push", exchange, message, digest)
        command = command_under(command_of(request, call=call), message.transaction_id, request_id)
        return await self._parts.uow.run(command, work)

    async def _admitted(
        self, tx: Transaction, exchange: ExchangeKey, message: pb.TransferMessage, digest: str
    ) -> tuple[ReceivedMessages, MessageAdmission]:
        received = await self._store.received(tx.connection, exchange)
        admission = admit(received.inbox, message.sequence, digest)
        if admission.verdict is MessageVerdict.REPEAT:
            raise reasons.resource_exists("the message was received before", resource="messages")
        return received, admission

    def _receipt(
        self, tx: Transaction, message: pb.TransferMessage, digest: str, admission: MessageAdmission
    ) -> pb.TransferReceipt:
        return receipted(tx, message, digest, self._parts.home, held=admission.verdict is MessageVerdict.HOLD)

    async def _to_apply(
        self, tx: Transaction, received: ReceivedMessages, admission: MessageAdmission, message: pb.TransferMessage
    ) -> list[pb.TransferMessage]:
        """Returns what is to be applied now, in order: the message, and those that were held behind it."""
        held = [received.rows[sequence] for sequence in admission.apply if sequence in received.rows]
        for row in held:
            await self._store.applied(tx.connection, row)
        return [message, *map(self._parts.queue.opened, held)] if admission.apply else []

    async def _locked(self, tx: Transaction, exchange: ExchangeKey) -> TransferRow:
        await self._store.serialize(tx.connection, exchange)
        row = _sent(await self._parts.transfers.of_exchange(tx.connection, exchange))
        return await self._parts.transfers.lock(tx.connection, row.name)


def _of_kind(message: pb.TransferMessage, way: MessageDirection, direction: str) -> tuple[Payload, ExchangeKey]:
    """Returns what a message says, and its exchange; raises TRANSFER_PAYLOAD_UNEXPECTED where it can't stand there."""
    payload = Payload(message.WhichOneof("payload") or "")
    check_payload(message.exchange_id, way, message.sequence, payload)
    return payload, ExchangeKey(message.sender_region, message.exchange_id, direction)


def _message_id(step: str, exchange: ExchangeKey, message: pb.TransferMessage, digest: str) -> str:
    return derived_request_id(step, exchange.peer, exchange.exchange_id, str(message.sequence), digest)


def _sent(row: TransferRow | None) -> TransferRow:
    if row is None:
        raise not_found("caseTransfers")
    return row
