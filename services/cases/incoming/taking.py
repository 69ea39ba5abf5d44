"""How a message is taken: receipted over its bytes, kept, and applied in its turn, or kept until it is understood."""

from dataclasses import dataclass

from libs.access.actor import Actor
from libs.db.uow import Transaction
from libs.errors import reasons
from services.cases.core.exchange import (
    IncomingState,
    MessageAdmission,
    MessageDirection,
    MessageVerdict,
    Payload,
    admit,
    released,
)
from services.cases.core.outbound import MessageRow
from services.cases.core.parts import Parts
from services.cases.core.payloads import OpenedMessage
from services.cases.core.transfers import INBOUND, ExchangeKey
from services.cases.incoming.answers import AnswerApplier, check_acknowledgement
from services.cases.incoming.applying import MessageApplier
from services.cases.incoming.checks import check_application, check_holders, require_same_transfer
from services.cases.incoming.receipts import receipted
from services.cases.incoming.store import BroughtBy, InboxStore, ReceivedMessages
from tongban.cases.v1 import exchange_service_pb2 as pb

_WITH_MATERIALS = frozenset({Payload.APPLICATION, Payload.CORRECTION})


@dataclass(frozen=True, slots=True)
class MessageTaker:
    """Takes messages, in both directions alike."""

    parts: Parts
    store: InboxStore
    applying: MessageApplier
    answers: AnswerApplier

    def opened(self, row: MessageRow) -> OpenedMessage:
        """Opens a message that was kept, by the contracts as they are now."""
        return self.parts.reader.kept(self.store.whole(row), way_of(row.direction))

    async def check(self, message: OpenedMessage, actor: Actor) -> None:
        """Checks what must be asked elsewhere, or can't be so in any state, before a message is applied."""
        if message.kind in _WITH_MATERIALS:
            check_holders(message.content.materials, actor.region)
        if message.kind == Payload.APPLICATION:
            await check_application(self.parts, message.content, actor)
        elif message.kind == Payload.ACKNOWLEDGEMENT:
            check_acknowledgement(message)

    async def take(
        self, tx: Transaction, exchange: ExchangeKey, message: OpenedMessage, actor: Actor, asked: set[bytes]
    ) -> pb.TransferReceipt:
        """Takes a message that comes for the first time; raises RESOURCE_EXISTS where it was taken meanwhile."""
        await self.store.serialize(tx.connection, exchange)
        received = await self.store.received(tx.connection, exchange)
        admission = admit(received.inbox, message.sequence, message.envelope.previous_sequence, message.key)
        if admission.verdict is MessageVerdict.REPEAT:
            raise reasons.resource_exists("the message was received before", resource="messages")
        if exchange.direction == INBOUND:
            await self._require_same(tx, exchange, actor)
        if received.refused is not None and message.sequence == received.refused.sequence:
            await self.store.drop(tx.connection, received.refused)
        held = admission.verdict is MessageVerdict.HOLD
        receipt = receipted(tx, message, self.parts.home, self.parts.reader.release, held=held)
        state = await self._taken(tx, exchange, message, received, admission, actor, asked)
        brought = BroughtBy(actor, self.parts.reader.edition)
        await self.store.keep(tx.connection, exchange, message, receipt, state, tx.now, brought)
        return receipt

    async def _require_same(self, tx: Transaction, exchange: ExchangeKey, actor: Actor) -> None:
        # Before it may be kept: what is kept is applied later.
        opened = await self.parts.transfers.of_exchange(tx.connection, exchange)
        if opened is not None:
            require_same_transfer(opened, actor)

    async def _taken(
        self,
        tx: Transaction,
        exchange: ExchangeKey,
        message: OpenedMessage,
        received: ReceivedMessages,
        admission: MessageAdmission,
        actor: Actor,
        asked: set[bytes],
    ) -> IncomingState:
        if admission.verdict is MessageVerdict.HOLD:
            return IncomingState.HELD
        if message.doubts:
            await self.store.counted(tx.connection, exchange, 1)
            if exchange.direction == INBOUND and message.sequence == 1:
                return IncomingState.NOT_UNDERSTOOD  # everything waits behind it
        else:
            await self.apply(tx, exchange, message, received, actor, asked)
        behind = admission.apply[1:]
        await self.apply_held(tx, exchange, [received.rows[number] for number in behind], received, asked)
        return IncomingState.NOT_UNDERSTOOD if message.doubts else IncomingState.APPLIED

    async def apply(
        self,
        tx: Transaction,
        exchange: ExchangeKey,
        message: OpenedMessage,
        received: ReceivedMessages,
        actor: Actor,
        asked: set[bytes],
    ) -> None:
        """Applies a message that is understood, in the name of ``actor``, whose token brought it."""
        if exchange.direction == INBOUND:
            await self.applying.apply(tx, exchange, message, actor, asked)
        else:
            await self.answers.apply(tx, exchange, message, received.newest(message.kind))

    async def apply_held(
        self,
        tx: Transaction,
        exchange: ExchangeKey,
        rows: list[MessageRow],
        received: ReceivedMessages,
        asked: set[bytes],
    ) -> None:
        """Applies messages that were held and whose turn has come, each in the name of who brought it."""
        for row in rows:
            message = self.opened(row)
            if message.doubts:
                await self.store.judged(tx.connection, row, message.doubts, self.parts.reader.edition)
                await self.store.counted(tx.connection, exchange, 1)
                continue
            await self.apply(tx, exchange, message, received, self.store.brought_by(row), asked)
            await self.store.settle(tx.connection, row, IncomingState.APPLIED)

    async def apply_behind(self, tx: Transaction, exchange: ExchangeKey, asked: set[bytes]) -> None:
        """Applies what was held behind a message that is settled now."""
        received = await self.store.received(tx.connection, exchange)
        numbers = released(received.inbox.held, received.inbox.settled_through)
        await self.apply_held(tx, exchange, [received.rows[number] for number in numbers], received, asked)


def way_of(direction: str) -> MessageDirection:
    """Returns which way the messages of the other side go, by which side this is."""
    return MessageDirection.TO_HANDLING if direction == INBOUND else MessageDirection.TO_RECEIVING
