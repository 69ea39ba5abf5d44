"""Takes up again what was not understood, once the contracts here know it: after an upgrade, by a sweep."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from libs.background import forever
from libs.db.command import Command
from libs.db.uow import Transaction, derived_request_id
from libs.errors import TongbanError
from libs.observability import metrics
from libs.observability.logs import logger
from libs.sweeps.sweep import Backlog
from services.cases.core.access import SELF
from services.cases.core.exchange import IncomingState
from services.cases.core.outbound import MessageRow
from services.cases.core.payloads import OpenedMessage
from services.cases.incoming.store import TO_UNDERSTAND
from services.cases.incoming.taking import MessageTaker
from services.cases.integrations import is_passing
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.common.v1 import common_pb2

_log = logger(__name__)
_AN_HOUR = timedelta(hours=1)
_EVERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class MessagesNotUnderstood:
    """Follows what lies here and is not understood."""

    taker: MessageTaker

    def backlog(self) -> Backlog:
        """Returns the hand-over as a sweep follows it: what another edition of the contracts did not understand."""
        return Backlog("message_kept_understood", TO_UNDERSTAND, self.take_up, values=self._edition, longest=_AN_HOUR)

    def _edition(self) -> Mapping[str, Any]:
        return {"edition": self.taker.parts.reader.edition}

    async def watch(self) -> None:
        """Counts for ever what is not understood, for the metric; on every replica, each shows the same."""
        await forever("cases:not-understood", self.look, _EVERY_SECONDS)

    async def look(self) -> None:
        """Counts once."""
        metrics.NOT_UNDERSTOOD.set(await self.taker.store.not_understood())

    async def take_up(self, key: str) -> None:
        """Judges a message anew and applies it if it is understood; ``key`` is its id."""
        row = await self.taker.store.get(key)
        if row is None or row.state != IncomingState.NOT_UNDERSTOOD:
            return
        message = self.taker.opened(row)
        if message.doubts:
            async with self.taker.parts.database.read() as connection:
                await self.taker.store.judged(connection, row, message.doubts, self.taker.parts.reader.edition)
            return
        try:
            await self._apply(row, message)
        except TongbanError as error:
            if is_passing(error):
                raise
            await self._refused(row, message, error.reason)

    async def _apply(self, row: MessageRow, message: OpenedMessage) -> None:
        taker, actor, asked = self.taker, self.taker.store.brought_by(row), set[bytes]()
        await taker.parts.regions.check_inbound(row.peer_region)  # it was when the message came
        await taker.check(message, actor)

        async def work(tx: Transaction) -> pb.TransferReceipt:
            await taker.store.serialize(tx.connection, row.key)
            received = await taker.store.received(tx.connection, row.key)
            current = received.rows.get(message.sequence)
            if current is not None and current.state == IncomingState.NOT_UNDERSTOOD:
                await taker.store.counted(tx.connection, row.key, -1)
                await taker.apply(tx, row.key, message, received, actor, asked)
                await taker.store.settle(tx.connection, row, IncomingState.APPLIED)
                await taker.apply_behind(tx, row.key, asked)
                tx.about = f"incomingMessages/{row.id}"
            return pb.TransferReceipt.FromString(row.receipt or b"")

        await taker.parts.uow.run(self._command("takeUp", row, message), work)

    async def _refused(self, row: MessageRow, message: OpenedMessage, reason: str) -> None:
        """Ends a message that can't be applied any more: an application that is sent again is judged anew."""

        async def work(tx: Transaction) -> None:
            await self.taker.store.serialize(tx.connection, row.key)
            await self.taker.store.settle(tx.connection, row, IncomingState.REFUSED, reason)
            await self.taker.store.counted(tx.connection, row.key, -1)
            tx.record(f"incomingMessages/{row.id}", result=reason)

        _log.warning("a message that is understood now is refused", message=row.id, reason=reason)
        await self.taker.parts.uow.step(self._command("refuse", row, message), work)

    def _command(self, step: str, row: MessageRow, message: OpenedMessage) -> Command:
        return Command(
            caller=SELF,
            method=f"cases:{step}",
            request_id=derived_request_id(step, row.id, self.taker.parts.reader.edition),
            digest=bytes.fromhex(row.digest.removeprefix("sm3:")),
            response_type=pb.TransferReceipt,
            actor=SELF,
            use=common_pb2.UseContext(transaction_id=message.envelope.transaction_id),
        )
