"""A producer with its outbox, a consumer with its inbox, and the stream between them."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from redis.asyncio import Redis

from libs.db.command import command_of_event
from libs.db.schema import outbox
from libs.db.uow import Transaction
from libs.errors import TongbanError
from libs.events.cloud_event import Event, stream_of
from libs.events.consumer import Consumer
from libs.events.relay import Relay
from libs.events.types import event_type
from libs.process import Process
from tests.support import sql
from tests.support.events import Done, Handled
from tests.support.outbox import emitted
from tests.support.process import command, count
from tongban.common.v1 import common_pb2

TYPE = event_type(Done)
BASE_URL = "https://region.test"


@dataclass
class Line:
    """A producer, a consumer, each with a database of its own, and the stream between them."""

    producer: Process
    consumer: Process
    region: str = field(default_factory=lambda: uuid.uuid4().hex)
    handled: list[tuple[str, int]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    failures: dict[str, list[TongbanError]] = field(default_factory=dict)
    away: dict[str, TongbanError] = field(default_factory=dict)

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return stream_of(self.region, "identity")

    def relay(self, kind: type[Relay] = Relay, redis: Redis | None = None) -> Relay:
        """A relay of the producer."""
        process = self.producer
        return kind(
            process.database,
            process.wire.over(redis) if redis else process.wire,
            self.region,
            "identity",
            process.uow.committed,
            BASE_URL,
        )

    def reader(self, name: str = "test") -> Consumer:
        """A consumer that handles by ``handle``."""
        process = self.consumer
        return Consumer(name, process.wire, process.database, [self.stream], {TYPE: self.handle})

    async def handle(self, event: Event) -> None:
        """Handles an event once, in a transaction that leaves a row in the consumer's outbox."""
        self.tried.append(event.id)
        if event.subject in self.away:
            raise self.away[event.subject]
        waiting = self.failures.get(event.subject)
        if waiting:
            raise waiting.pop(0)
        number = common_pb2.Money.FromString(event.data)
        once = command_of_event("test", event.id, number, common_pb2.Money, data=event.data, actor="services/test")

        async def work(tx: Transaction) -> common_pb2.Money:
            tx.emit(event.subject, Handled(fen=number.fen))
            return number

        await self.consumer.uow.run(once, work)
        self.handled.append((event.subject, number.fen))

    async def emit(self, subject: str, *numbers: int) -> None:
        """Commits one event after the other."""
        for number in numbers:

            async def work(tx: Transaction, number: int = number) -> common_pb2.Date:
                tx.emit(subject, Done(fen=number))
                return common_pb2.Date()

            await self.producer.uow.run(command(common_pb2.Date()), work)

    async def effects(self) -> dict[str, list[int]]:
        """What the consumer's transactions left, by subject, in their order."""
        async with self.consumer.database.read() as connection:
            rows = (await sql.execute(connection, sa.select(outbox).order_by(outbox.c.seq))).all()
        found: dict[str, list[int]] = {}
        for row in rows:
            found.setdefault(row.subject, []).append(common_pb2.Money.FromString(emitted(self.consumer.wire, row)).fen)
        return found

    async def has_effects(self, wanted: int) -> bool:
        """Whether so many transactions left something."""
        return await count(self.consumer, outbox) >= wanted

    async def on_stream(self) -> int:
        """How many entries the stream has."""
        return int(await self.producer.redis.xlen(self.stream))

    async def entries(self) -> list[Any]:
        """The fields of every entry."""
        found: Any = await self.producer.redis.xrange(self.stream)
        return [fields for _, fields in found]

    async def drained(self) -> bool:
        """Whether the outbox is empty."""
        return await count(self.producer, outbox) == 0

    async def settled(self) -> bool:
        """Whether every entry was handed out and acknowledged."""
        stream: Any = await self.producer.redis.xinfo_stream(self.stream)
        groups: Any = await self.producer.redis.xinfo_groups(self.stream)
        last = stream["last-generated-id"]
        return all(group["pending"] == 0 and group["last-delivered-id"] == last for group in groups)
