"""Carries messages to other regions: in order per exchange, again and again until each is receipted or refused.

One replica delivers at a time. What it writes would also be right from two: a message is marked only while it is
pending, and the other side applies a repeated one once. Regions take turns and have few places each, so that one that is
away, or slow, holds up no other (``libs.sweeps.fair``).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.message import Message

from libs.db.command import Command, digest_of
from libs.db.connection import DatabaseConnection
from libs.db.leader import lead
from libs.db.uow import Transaction, derived_request_id
from libs.errors import TongbanError, reasons
from libs.observability.logs import logger
from libs.sweeps.fair import DueWork, FairWorker
from services.cases.core.access import SELF
from services.cases.core.exchange import Payload, TransferSignal, TransferState, move
from services.cases.core.outbound import MessageRow
from services.cases.core.parts import Parts
from services.cases.core.payloads import payload_digest
from services.cases.core.transfers import DELEGATION, INBOUND, UPDATE, TransferRow
from services.cases.integrations import is_passing
from services.cases.outgoing.store import OutboxStore
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.common.v1 import common_pb2

_log = logger(__name__)
_POLL_SECONDS = 0.5
_APPLICATION_FOR, _OTHERS_FOR = timedelta(days=7), timedelta(days=30)
"""How long a message is tried. Who applied stands without a case as long as the application is not over there."""
_METHOD = "tongban.cases.v1.ExchangeService"
_RECEIPTED: Mapping[str, TransferSignal] = {
    Payload.APPLICATION: TransferSignal.RECEIPT,
    Payload.WITHDRAWAL: TransferSignal.WITHDRAW,
}
"""What the receipt of a message moves the transfer by."""


class MessageDeliverer:
    """The one sender of a region's exchanges."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = OutboxStore(parts.database)
        self._woken = parts.queue.woken
        self._worker = FairWorker(self._store.due, self._deliver, self._woken)

    async def run(self) -> None:
        """Delivers for ever, on one replica at a time."""
        await lead(self._parts.database, "cases:deliverer", self._turn)

    async def _turn(self, _lock: DatabaseConnection) -> None:
        try:
            while True:
                self._woken.clear()
                await self._worker.start()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _POLL_SECONDS)
        finally:
            await self._worker.stop()

    async def deliver_due(self) -> int:
        """Delivers what is due until nothing is; returns how many messages were tried."""
        return await self._worker.drain()

    async def _deliver(self, due: DueWork) -> bool:
        """Delivers one message; tells False where the region could not be reached."""
        row = await self._store.take(due.key)
        if row is None:
            return True
        transfer = await self._parts.transfers.read_of_exchange(row.key)
        assert transfer is not None, "a message is one of an exchange"
        try:
            receipt = await self._send(row, transfer)
        except TongbanError as error:
            await self._failed(row, transfer, error)
            return not is_passing(error)
        except Exception:
            await self._put_off(row, transfer, "INTERNAL")
            raise
        await self._settle(row, transfer, receipt)
        return True

    async def _send(self, row: MessageRow, transfer: TransferRow) -> pb.TransferReceipt:
        message = self._message(row, transfer)
        await self._record(message, transfer)
        receipt = await self._brought(message, row, transfer)
        held = (receipt.exchange_id, receipt.sequence, receipt.digest, receipt.region)
        if held != (row.exchange_id, message.sequence, payload_digest(message), row.peer_region):
            # What lies there under this number is something else: a repeat would not change it.
            raise reasons.transfer_message_conflict(
                "the receipt is of another message", exchange_id=row.exchange_id, sequence=str(message.sequence)
            )
        return receipt

    async def _brought(self, message: pb.TransferMessage, row: MessageRow, transfer: TransferRow) -> pb.TransferReceipt:
        deliver = self._parts.regions.deliver
        if row.payload == Payload.ACKNOWLEDGEMENT:
            return await deliver(
                row.peer_region, "AcknowledgeCaseTransfer", pb.AcknowledgeCaseTransferRequest(message=message)
            )
        if row.direction == INBOUND:
            return await deliver(row.peer_region, "PushProgress", pb.PushProgressRequest(message=message))
        delegation = self._parts.cipher.decrypt_text(DELEGATION, transfer.id, transfer.delegation or b"")
        assertion = await self._parts.identity.assertion(delegation, row.peer_region, transfer.name)
        request = pb.ReceiveCaseTransferRequest(message=message)
        return await deliver(row.peer_region, "ReceiveCaseTransfer", request, assertion)

    def _message(self, row: MessageRow, transfer: TransferRow) -> pb.TransferMessage:
        message = self._parts.queue.opened(row)
        message.exchange_id, message.sequence = row.exchange_id, row.sequence or 0
        message.previous_sequence = row.previous
        message.sender_region, message.transaction_id = self._parts.home, transfer.transaction_id
        return message

    async def _record(self, request: Message, transfer: TransferRow) -> None:
        """No record, no service: what leaves for another region stands in the log before."""
        command = self._command("deliver", "", request, transfer)
        await self._parts.audit.write(command, transfer.name, fields=("transfer.message",), record_count=1)

    def _command(self, step: str, request_id: str, request: Message, transfer: TransferRow) -> Command:
        return Command(
            caller=SELF,
            method=f"{_METHOD}:{step}",
            request_id=request_id,
            digest=digest_of(request),
            response_type=pb.TransferReceipt,
            actor=SELF,
            use=common_pb2.UseContext(transaction_id=transfer.transaction_id, case=transfer.case_name),
        )

    async def _settle(self, row: MessageRow, transfer: TransferRow, receipt: pb.TransferReceipt) -> None:
        async def work(tx: Transaction) -> None:
            current = await self._parts.transfers.lock(tx.connection, transfer.name)
            if (await self._store.lock(tx.connection, row.id)).state != "PENDING":
                return
            await self._store.receipted(tx.connection, row.id, receipt.SerializeToString())
            values: dict[str, object] = {"last_receipted": max(current.last_receipted, row.sequence or 0)}
            if receipt.understanding == pb.UNDERSTANDING_NOT_UNDERSTOOD and row.receipt is None:
                values["sent_not_understood"] = current.sent_not_understood + 1
            signal = _RECEIPTED.get(row.payload)
            if signal is not None:
                values["state"] = move(transfer.name, current.state, signal)
            if row.payload == Payload.APPLICATION and current.receive_time is None:
                values["receive_time"] = tx.now
            await UPDATE.one(tx.connection, transfer.id, **values, update_time=tx.now)

        await self._parts.uow.step(
            self._command("receipted", derived_request_id("receipted", row.id), receipt, transfer), work
        )

    async def _failed(self, row: MessageRow, transfer: TransferRow, error: TongbanError) -> None:
        _log.warning("message not delivered", transfer=transfer.id, payload=row.payload, reason=error.reason)
        acknowledges = row.payload == Payload.ACKNOWLEDGEMENT and error.reason != "TRANSFER_MESSAGE_CONFLICT"
        if is_passing(error) or acknowledges or error.reason == "TRANSFER_SEQUENCE_TOO_FAR":
            await self._put_off(row, transfer, error.reason)
            return

        async def work(tx: Transaction) -> None:
            current = await self._parts.transfers.lock(tx.connection, transfer.name)
            locked = await self._store.lock(tx.connection, row.id)
            if locked.state != "PENDING":
                return
            await self._store.refused(tx.connection, locked, error.reason)
            values: dict[str, object] = {"end_reason": error.reason}
            if row.payload == Payload.APPLICATION:
                values["state"] = move(transfer.name, current.state, TransferSignal.GIVE_UP)
            await UPDATE.one(tx.connection, transfer.id, **values, update_time=tx.now)
            self._tell_failed(tx, row, transfer, error.reason)

        empty = pb.TransferReceipt(exchange_id=row.exchange_id)
        await self._parts.uow.step(
            self._command("refused", derived_request_id("refused", row.id), empty, transfer), work
        )

    @staticmethod
    def _tell_failed(tx: Transaction, row: MessageRow, transfer: TransferRow, reason: str) -> None:
        """Tells that a message of the exchange will not arrive: somebody must see to it by another way."""
        name = transfer.name
        tx.emit(
            name,
            events.CaseTransferFailed(name=name, peer_region=row.peer_region, payload=row.payload, error_reason=reason),
        )
        tx.record(name, result=reason)

    async def _put_off(self, row: MessageRow, transfer: TransferRow, reason: str) -> None:
        limit = _APPLICATION_FOR if row.payload == Payload.APPLICATION else _OTHERS_FOR
        if await self._store.try_later(row.id, reason, limit):
            await self._end(row, transfer, reason)

    async def _end(self, row: MessageRow, transfer: TransferRow, reason: str) -> None:
        """Gives the exchange up: whether the other side holds the message is not known, so nothing can follow it."""

        async def work(tx: Transaction) -> None:
            current = await self._parts.transfers.lock(tx.connection, transfer.name)
            if (await self._store.lock(tx.connection, row.id)).state != "PENDING":
                return
            await self._store.end(tx.connection, row.key)
            values: dict[str, object] = {"end_reason": reason, "waiting_reason": "", "waiting_since": None}
            if current.state == TransferState.SENT:
                values["state"] = TransferState.FAILED
            await UPDATE.one(tx.connection, transfer.id, **values, update_time=tx.now)
            self._tell_failed(tx, row, transfer, reason)

        empty = pb.TransferReceipt(exchange_id=row.exchange_id)
        await self._parts.uow.step(self._command("ended", derived_request_id("ended", row.id), empty, transfer), work)
