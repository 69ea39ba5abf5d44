"""Carries messages to other regions: in order per exchange, again and again until each is receipted or refused.

One replica delivers at a time. What it writes would also be right from two: a message is marked only while it is
pending, and the other side applies a repeated one once. Regions take turns and have few places each, so that one that is
away, or slow, holds up no other (``libs.sweeps.fair``).
"""

import asyncio
import contextlib
from datetime import timedelta

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.audit.writer import AuditWriter
from libs.db import rows
from libs.db.command import Command, digest_of
from libs.db.engine import Database, Row
from libs.db.leader import lead
from libs.db.uow import Transaction, UnitOfWork, derived_request_id
from libs.errors import TongbanError, reasons
from libs.observability.logs import logger
from libs.rpc.regions import Regions
from libs.sweeps.fair import Due, FairWorker
from services.cases.clients import Identity, is_passing
from services.cases.domain.transfers import TransferSignal, TransferState, move
from services.cases.store.transfers import ACKNOWLEDGEMENT, Exchange, TransferStore
from services.cases.tables import transfers
from services.cases.usecases.acceptance import SELF
from services.cases.usecases.incoming import message_digest
from services.cases.usecases.news import News
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import exchange_service_pb2_grpc
from tongban.common.v1 import common_pb2

_log = logger(__name__)
_POLL_SECONDS = 0.5
_APPLICATION_FOR, _OTHERS_FOR = timedelta(days=7), timedelta(days=30)
"""How long a message is tried. Who applied stands without a case as long as the application is not over there."""
_METHOD = "tongban.cases.v1.ExchangeService"
_RECEIPTED = {"application": TransferSignal.RECEIPT, "withdrawal": TransferSignal.WITHDRAW}
"""What the receipt of a message moves the transfer by."""


class Deliverer:
    """The one sender of a region's exchanges."""

    def __init__(
        self,
        database: Database,
        uow: UnitOfWork,
        audit: AuditWriter,
        store: TransferStore,
        news: News,
        identity: Identity,
        regions: Regions,
        region: str,
    ) -> None:
        self._database = database
        self._uow = uow
        self._audit = audit
        self._store = store
        self._news = news
        self._identity = identity
        self._regions = regions
        self._region = region
        self._worker = FairWorker(store.due, self._deliver, news.woken)

    async def run(self) -> None:
        """Delivers for ever, on one replica at a time."""
        await lead(self._database, "cases:deliverer", self._turn)

    async def _turn(self, _lock: AsyncConnection) -> None:
        try:
            while True:
                self._news.woken.clear()
                await self._worker.start()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.woken.wait(), _POLL_SECONDS)
        finally:
            await self._worker.stop()

    async def deliver_due(self) -> int:
        """Delivers what is due until nothing is; returns how many messages were tried."""
        return await self._worker.drain()

    async def _deliver(self, due: Due) -> bool:
        """Delivers one message; tells False where the region could not be reached."""
        row = await self._store.take(due.key)
        if row is None:
            return True
        transfer = await self._store.read_of_exchange(Exchange(row.peer_region, row.exchange_id, row.direction))
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

    async def _send(self, row: Row, transfer: Row) -> pb.TransferReceipt:
        request = self._request(row, transfer)
        await self._record(request, transfer)
        if row.direction == "INBOUND":
            name = "AcknowledgeTransfer" if row.payload == ACKNOWLEDGEMENT else "PushProgress"
            receipt = await self._invoke(row.peer_region, name, request)
        else:
            transfer_name = f"transfers/{transfer.id}"
            delegation = self._store.open_delegation(transfer)
            assertion = await self._identity.assertion(delegation, row.peer_region, transfer_name)
            receipt = await self._invoke(row.peer_region, "ReceiveTransfer", request, assertion)
        expected = message_digest(request.message) if hasattr(request, "message") else receipt.digest
        if receipt.digest != expected or receipt.region != row.peer_region:
            raise reasons.dependency_unavailable("the receipt is of another message", dependency=row.peer_region)
        return receipt

    def _request(self, row: Row, transfer: Row) -> Message:
        if row.payload == ACKNOWLEDGEMENT:
            return pb.AcknowledgeTransferRequest(
                exchange_id=row.exchange_id,
                sender_region=self._region,
                state=pb.TRANSFER_STATE_ACCEPTED,
                case_name=f"//{self._region}/{transfer.case_name}",
                case_number=transfer.case_number,
                transaction_id=transfer.transaction_id,
            )
        message = self._store.open_message(row)
        message.exchange_id, message.sequence = row.exchange_id, row.sequence
        message.sender_region, message.transaction_id = self._region, transfer.transaction_id
        if row.direction == "INBOUND":
            return pb.PushProgressRequest(message=message)
        return pb.ReceiveTransferRequest(message=message)

    async def _invoke(self, region: str, method: str, request: Message, assertion: str = "") -> pb.TransferReceipt:
        return await self._regions.invoke(
            region,
            lambda channel: getattr(exchange_service_pb2_grpc.ExchangeServiceStub(channel), method),
            request,
            pb.TransferReceipt,
            assertion=assertion,
        )

    async def _record(self, request: Message, transfer: Row) -> None:
        """No record, no service: what leaves for another region stands in the log before."""
        command = self._command("deliver", "", request, transfer)
        await self._audit.write(command, f"transfers/{transfer.id}", fields=("transfer.message",), record_count=1)

    def _command(self, step: str, request_id: str, request: Message, transfer: Row) -> Command:
        return Command(
            caller=SELF,
            method=f"{_METHOD}:{step}",
            request_id=request_id,
            digest=digest_of(request),
            response_type=pb.TransferReceipt,
            actor=SELF,
            use=common_pb2.UseContext(transaction_id=transfer.transaction_id, case_name=transfer.case_name),
        )

    async def _settle(self, row: Row, transfer: Row, receipt: pb.TransferReceipt) -> None:
        async def work(tx: Transaction) -> None:
            current = await self._store.lock(tx.connection, transfer.id)
            if (await self._store.lock_outgoing(tx.connection, row.id)).state != "PENDING":
                return
            await self._store.receipted(tx.connection, row.id, receipt.SerializeToString())
            values: dict[str, object] = {"last_receipted": max(current.last_receipted, row.sequence)}
            signal = _RECEIPTED.get(row.payload)
            if signal is not None:
                state = move(f"transfers/{transfer.id}", TransferState(current.state), signal)
                values["state"] = str(state)
            if row.payload == "application" and current.receive_time is None:
                values["receive_time"] = tx.now
            await rows.update(tx.connection, transfers, transfer.id, {**values, "update_time": tx.now})

        await self._uow.step(
            self._command("receipted", derived_request_id("receipted", row.id), receipt, transfer), work
        )

    async def _failed(self, row: Row, transfer: Row, error: TongbanError) -> None:
        _log.warning("message not delivered", transfer=transfer.id, payload=row.payload, reason=error.reason)
        waits = error.reason == "TRANSFER_SEQUENCE_TOO_FAR" or row.payload == ACKNOWLEDGEMENT
        if is_passing(error) or waits:
            await self._put_off(row, transfer, error.reason)
            return

        async def work(tx: Transaction) -> None:
            current = await self._store.lock(tx.connection, transfer.id)
            locked = await self._store.lock_outgoing(tx.connection, row.id)
            if locked.state != "PENDING":
                return
            await self._store.refused(tx.connection, locked, error.reason)
            values: dict[str, object] = {"end_reason": error.reason, "last_sent": current.last_sent - 1}
            if row.payload == "application":
                state = move(f"transfers/{transfer.id}", TransferState(current.state), TransferSignal.GIVE_UP)
                values["state"] = str(state)
            await rows.update(tx.connection, transfers, transfer.id, {**values, "update_time": tx.now})
            self._tell_failed(tx, row, transfer, error.reason)

        empty = pb.TransferReceipt(exchange_id=row.exchange_id)
        await self._uow.step(self._command("refused", derived_request_id("refused", row.id), empty, transfer), work)

    @staticmethod
    def _tell_failed(tx: Transaction, row: Row, transfer: Row, reason: str) -> None:
        """Tells that a message of the exchange will not arrive: somebody must see to it by another way."""
        name = f"transfers/{transfer.id}"
        tx.emit(
            name,
            events.TransferFailed(name=name, peer_region=row.peer_region, payload=row.payload, error_reason=reason),
        )
        tx.record(name, result=reason)

    async def _put_off(self, row: Row, transfer: Row, reason: str) -> None:
        limit = _APPLICATION_FOR if row.payload == "application" else _OTHERS_FOR
        if await self._store.try_later(row.id, reason, limit):
            await self._end(row, transfer, reason)

    async def _end(self, row: Row, transfer: Row, reason: str) -> None:
        """Gives the exchange up: whether the other side holds the message is not known, so nothing can follow it."""

        async def work(tx: Transaction) -> None:
            current = await self._store.lock(tx.connection, transfer.id)
            if (await self._store.lock_outgoing(tx.connection, row.id)).state != "PENDING":
                return
            await self._store.end(tx.connection, Exchange(row.peer_region, row.exchange_id, row.direction))
            values: dict[str, object] = {"end_reason": reason, "waiting_reason": "", "waiting_since": None}
            if current.state == TransferState.SENT:
                values["state"] = str(TransferState.FAILED)
            await rows.update(tx.connection, transfers, transfer.id, {**values, "update_time": tx.now})
            self._tell_failed(tx, row, transfer, reason)

        empty = pb.TransferReceipt(exchange_id=row.exchange_id)
        await self._uow.step(self._command("ended", derived_request_id("ended", row.id), empty, transfer), work)
