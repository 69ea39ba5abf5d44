"""Carries messages to other regions: in order per exchange, again and again until each is receipted or refused.

One replica delivers at a time. What it writes would also be right from two: a message is marked only while it is
pending, and the other side applies a repeated one once.
"""

import asyncio
import contextlib

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.audit.writer import AuditWriter
from libs.db import rows
from libs.db.command import Command, digest_of
from libs.db.engine import Database, Row
from libs.db.leader import lead
from libs.db.uow import Transaction, UnitOfWork, derived_request_id
from libs.errors import TongbanError, Unavailable
from libs.observability.logs import logger
from libs.rpc.regions import Regions
from services.cases.clients import Identity, is_passing
from services.cases.domain.transfers import TransferSignal, TransferState, move
from services.cases.store.transfers import ACKNOWLEDGEMENT, Exchange, TransferStore
from services.cases.tables import transfers
from services.cases.usecases.acceptance import SELF
from services.cases.usecases.incoming import message_digest
from services.cases.usecases.news import News
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import exchange_service_pb2_grpc
from tongban.common.v1 import common_pb2

_log = logger(__name__)
_AT_ONCE = 16
_POLL_SECONDS = 0.5
_METHOD = "tongban.cases.v1.ExchangeService"


class Deliverer:
    """The one sender of a region's exchanges."""

    def __init__(
        self, database: Database, uow: UnitOfWork, audit: AuditWriter, store: TransferStore, news: News,
        identity: Identity, regions: Regions, region: str,
    ) -> None:  # fmt: skip
        self._database = database
        self._uow = uow
        self._audit = audit
        self._store = store
        self._news = news
        self._identity = identity
        self._regions = regions
        self._region = region

    async def run(self) -> None:
        """Delivers for ever, on one replica at a time."""
        await lead(self._database, "cases:deliverer", self._turn)

    async def _turn(self, _lock: AsyncConnection) -> None:
        while True:
            self._news.woken.clear()
            if await self.deliver_due() < 1:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.woken.wait(), _POLL_SECONDS)

    async def deliver_due(self) -> int:
        """Delivers what is due, the next message of each exchange; returns how many were tried."""
        due = await self._store.due(_AT_ONCE)
        await asyncio.gather(*(self._deliver(identifier) for identifier in due))
        return len(due)

    async def _deliver(self, identifier: str) -> None:
        row = await self._store.outgoing(identifier)
        transfer = await self._store.read_of_exchange(Exchange(row.peer_region, row.exchange_id, row.direction))
        if transfer is None or row.state != "PENDING":
            return
        try:
            receipt = await self._send(row, transfer)
        except TongbanError as error:
            await self._failed(row, transfer, error)
        except Exception:  # noqa: BLE001 - one broken message must not hold up the others
            _log.error("message not delivered", transfer=transfer.id, exc_info=True)
            await self._store.try_later(row.id, "INTERNAL")
        else:
            await self._settle(row, transfer, receipt)

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
            raise Unavailable("DEPENDENCY_UNAVAILABLE", "the receipt is of another message", dependency=row.peer_region)
        return receipt

    def _request(self, row: Row, transfer: Row) -> Message:
        if row.payload == ACKNOWLEDGEMENT:
            return pb.AcknowledgeTransferRequest(
                exchange_id=row.exchange_id, sender_region=self._region, state=pb.TRANSFER_STATE_ACCEPTED,
                case_name=f"//{self._region}/{transfer.case_name}", case_number=transfer.case_number,
                transaction_id=transfer.transaction_id,
            )  # fmt: skip
        message = self._store.open_message(row)
        message.exchange_id, message.sequence = row.exchange_id, row.sequence
        message.sender_region, message.transaction_id = self._region, transfer.transaction_id
        if row.direction == "INBOUND":
            return pb.PushProgressRequest(message=message)
        return pb.ReceiveTransferRequest(message=message)

    async def _invoke(self, region: str, method: str, request: Message, assertion: str = "") -> pb.TransferReceipt:
        return await self._regions.invoke(
            region, lambda channel: getattr(exchange_service_pb2_grpc.ExchangeServiceStub(channel), method), request,
            pb.TransferReceipt, assertion=assertion,
        )  # fmt: skip

    async def _record(self, request: Message, transfer: Row) -> None:
        """No record, no service: what leaves for another region stands in the log before."""
        command = self._command("deliver", "", request, transfer)
        await self._audit.write(command, f"transfers/{transfer.id}", fields=("transfer.message",), record_count=1)

    def _command(self, step: str, request_id: str, request: Message, transfer: Row) -> Command:
        return Command(
            caller=SELF, method=f"{_METHOD}:{step}", request_id=request_id, digest=digest_of(request),
            response_type=pb.TransferReceipt, actor=SELF,
            use=common_pb2.UseContext(transaction_id=transfer.transaction_id, case_name=transfer.case_name),
        )  # fmt: skip

    async def _settle(self, row: Row, transfer: Row, receipt: pb.TransferReceipt) -> None:
        async def work(tx: Transaction) -> None:
            current = await self._store.lock(tx.connection, transfer.id)
            if (await self._store.lock_outgoing(tx.connection, row.id)).state != "PENDING":
                return
            await self._store.receipted(tx.connection, row.id, receipt.SerializeToString())
            values: dict[str, object] = {"last_receipted": max(current.last_receipted, row.sequence)}
            if row.payload == "application":
                state = move(f"transfers/{transfer.id}", TransferState(current.state), TransferSignal.RECEIPT)
                values |= {"state": str(state), "receive_time": tx.now}
            await rows.update(tx.connection, transfers, transfer.id, {**values, "update_time": tx.now})

        await self._uow.step(
            self._command("receipted", derived_request_id("receipted", row.id), receipt, transfer), work
        )

    async def _failed(self, row: Row, transfer: Row, error: TongbanError) -> None:
        _log.warning("message not delivered", transfer=transfer.id, payload=row.payload, reason=error.reason)
        waits = error.reason == "TRANSFER_SEQUENCE_TOO_FAR" or row.payload == ACKNOWLEDGEMENT
        if is_passing(error) or waits:
            await self._store.try_later(row.id, error.reason)
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

        empty = pb.TransferReceipt(exchange_id=row.exchange_id)
        await self._uow.step(self._command("refused", derived_request_id("refused", row.id), empty, transfer), work)
