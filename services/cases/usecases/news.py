"""What goes to the region that sent a case: progress at every step, the result when the case is closed."""

import asyncio
from datetime import date

from libs.db.uow import Transaction
from libs.rpc.timestamps import timestamp
from services.cases.convert import ACTION, STATE, date_message
from services.cases.domain.states import Action
from services.cases.store.cases import CaseRecord
from services.cases.store.transfers import ACKNOWLEDGEMENT, Exchange, TransferStore
from tongban.cases.v1 import exchange_service_pb2 as pb


class News:
    """Puts messages in line for the deliverer, in the transaction of what they tell."""

    def __init__(self, transfers: TransferStore, region: str) -> None:
        self._transfers = transfers
        self._region = region
        self._queued = False
        self.woken = asyncio.Event()

    def wake(self) -> None:
        """Wakes the deliverer where something was put in line; call it after the commit."""
        if self._queued:
            self._queued = False
            self.woken.set()

    async def progress(
        self,
        tx: Transaction,
        record: CaseRecord,
        action: str,
        note: str,
        more: pb.TransferProgress,
        promised: date | None,
    ) -> None:
        """Tells of a step; ``more`` holds what only some steps tell, ``promised`` the last day by promise as it is now."""
        progress = pb.TransferProgress(
            state=STATE.number(record.state),
            action=ACTION.number(action),
            note=note[:1000],
            promised_date=date_message(promised),
            event_time=timestamp(tx.now),
        )
        progress.MergeFrom(more)
        assert record.transfer is not None
        await self.queue(tx, record.transfer, "progress", pb.TransferMessage(progress=progress))
        if action == Action.CLOSE:
            await self.queue(tx, record.transfer, "result", pb.TransferMessage(result=self._result(record)))

    def _result(self, record: CaseRecord) -> pb.TransferResult:
        decision = record.content.decision
        return pb.TransferResult(
            outcome=decision.outcome,
            reason=decision.reason,
            decide_time=decision.decide_time,
            license=f"//{self._region}/{record.license}" if record.license else "",
            license_identifier=record.license_identifier,
        )

    async def acknowledge(self, tx: Transaction, transfer: str) -> None:
        """Tells that the case was opened."""
        self._queued = True
        await self._transfers.queue(tx.connection, transfer, ACKNOWLEDGEMENT, None, tx.now)

    async def tell_again(self, exchange: Exchange) -> None:
        """Tells once more whatever was told: who sends the application again may have lost it.

        What the other side has of it, it answers with its first receipts.
        """
        await self._transfers.tell_again(exchange)
        self.woken.set()

    async def queue(self, tx: Transaction, transfer: str, payload: str, message: pb.TransferMessage) -> None:
        """Puts a message in line; exchange, number and regions are filled in when it is sent."""
        self._queued = True
        await self._transfers.queue(tx.connection, transfer, payload, message, tx.now)
