"""From the outbox over Redis to a consumer: in order, each once, whatever dies on the way."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from libs.db.schema import idempotency, outbox, parked_events
from libs.db.uow import Transaction
from libs.errors import FailedPrecondition, Unavailable
from libs.events import relay as relay_module
from libs.events.cloud_event import Event, from_fields
from libs.events.consumer import Consumer
from libs.events.relay import OutboxRow, Relay
from libs.process import Process
from tests.support import sql
from tests.support.events import Done, Other
from tests.support.line import TYPE, Line
from tests.support.patience import PATIENCE
from tests.support.process import command, count, running, until
from tongban.common.v1 import common_pb2


async def test_events_of_a_subject_keep_their_order_and_are_handled_once(line: Line) -> None:
    subjects = [f"cases/{number}" for number in range(6)]
    async with running(line.relay().run, line.reader().run):
        await asyncio.gather(*(line.emit(subject, *range(20)) for subject in subjects))
        await until(lambda: line.has_effects(120))
    assert await line.effects() == {subject: list(range(20)) for subject in subjects}
    assert await line.drained()
    assert len(line.tried) == 120


async def test_concurrent_changes_of_one_row_arrive_in_the_order_of_their_commits(line: Line) -> None:
    """The sequence number is drawn under the row's lock, so numbers follow commits."""
    lock = sa.text("SELECT pg_advisory_xact_lock(42)")
    numbers = itertools.count()

    async def change() -> None:
        async def work(tx: Transaction) -> common_pb2.Date:
            await sql.execute(tx.connection, lock)
            tx.emit("cases/1", Done(fen=next(numbers)))
            return common_pb2.Date()

        await line.producer.uow.run(command(common_pb2.Date()), work)

    async with running(line.relay().run, line.reader().run):
        await asyncio.gather(*(change() for _ in range(40)))
        await until(lambda: line.has_effects(40))
    assert await line.effects() == {"cases/1": list(range(40))}


async def test_a_failed_transaction_sends_nothing(line: Line) -> None:
    async def work(tx: Transaction) -> common_pb2.Date:
        tx.emit("cases/1", Done(fen=1))
        raise FailedPrecondition("STATE_CONFLICT", "no")

    with pytest.raises(FailedPrecondition):
        await line.producer.uow.run(command(common_pb2.Date()), work)
    assert await line.drained()


async def test_what_an_event_holds_can_not_be_read_in_the_outbox_nor_in_redis(line: Line) -> None:
    await line.emit("cases/1", 1234567)
    async with line.producer.database.read() as connection:
        waiting = bytes(await sql.scalar(connection, sa.select(outbox.c.data)) or b"")
    assert common_pb2.Money(fen=1234567).SerializeToString() not in waiting
    async with running(line.relay().run):
        await until(line.drained)
    (fields,) = await line.entries()
    assert common_pb2.Money(fen=1234567).SerializeToString() not in fields[b"data"]
    assert line.producer.wire.open(from_fields(fields)).data == common_pb2.Money(fen=1234567).SerializeToString()


async def test_an_event_that_is_delivered_again_changes_nothing(line: Line) -> None:
    await line.emit("cases/1", 1, 2)
    async with running(line.relay().run):
        await until(line.drained)
    for fields in await line.entries():
        await line.producer.redis.xadd(line.stream, fields)
    async with running(line.reader().run):
        await until(lambda: _handled(line, 4))
    assert await line.effects() == {"cases/1": [1, 2]}


async def _handled(line: Line, times: int) -> bool:
    return len(line.handled) >= times


class DyingRelay(Relay):
    """Is killed between XADD and DELETE."""

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        await super()._publish(rows)
        raise asyncio.CancelledError


async def test_a_relay_that_dies_before_it_deletes_repeats_and_nothing_happens_twice(line: Line) -> None:
    await line.emit("cases/1", 1, 2, 3)
    dying = asyncio.create_task(line.relay(DyingRelay).run())
    await asyncio.wait([dying], timeout=PATIENCE)
    assert dying.cancelled()
    assert (await line.on_stream(), await line.drained()) == (3, False)
    async with running(line.relay().run, line.reader().run):
        await until(lambda: _handled(line, 6))
    assert await line.on_stream() == 6
    assert await line.effects() == {"cases/1": [1, 2, 3]}


async def test_a_consumer_that_dies_before_it_acknowledges_takes_the_event_up_again(line: Line) -> None:
    await line.emit("cases/1", 1, 2)
    done = asyncio.Event()

    async def die_after(event: Event) -> None:
        await line.handle(event)
        done.set()
        await asyncio.Event().wait()

    dying = Consumer("test", line.consumer.wire, line.consumer.database, [line.stream], {TYPE: die_after})
    async with running(line.relay().run):
        async with running(dying.run):
            await asyncio.wait_for(done.wait(), PATIENCE)
        async with running(line.reader().run):
            await until(lambda: line.has_effects(2))
            await until(line.settled)
    assert await line.effects() == {"cases/1": [1, 2]}
    assert len(line.tried) == 3


async def test_a_neighbour_that_is_away_is_waited_for(line: Line) -> None:
    away = Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="seal")
    line.failures["cases/1"] = [away] * 12
    async with running(line.relay().run, line.reader().run):
        await line.emit("cases/1", 1, 2, 3)
        await line.emit("cases/2", 1)
        await until(lambda: line.has_effects(4))
    assert await line.effects() == {"cases/1": [1, 2, 3], "cases/2": [1]}
    assert await count(line.consumer, parked_events) == 0
    assert len(line.tried) == 16


async def test_while_redis_is_away_events_wait_in_the_outbox(line: Line) -> None:
    nowhere = Redis.from_url("redis://127.0.0.1:1/0", protocol=2)
    async with running(line.relay(redis=nowhere).run):
        await line.emit("cases/1", 1, 2)
        assert not await line.drained()
    await nowhere.aclose()
    async with running(line.relay().run):
        await until(line.drained)
    assert await line.on_stream() == 2


async def test_of_several_replicas_one_publishes_and_one_handles(line: Line) -> None:
    readers = [line.reader().run for _ in range(3)]
    relays = [line.relay().run for _ in range(3)]
    async with running(*relays, *readers):
        await line.emit("cases/1", *range(30))
        await until(lambda: line.has_effects(30))
        await until(line.settled)
    assert (await line.on_stream(), len(line.tried)) == (30, 30)


async def test_a_replica_takes_over_when_the_leader_is_gone(line: Line) -> None:
    """The leader's lock hangs on its connection: PostgreSQL ends it, the lock is free."""
    await line.emit("cases/1", 1)
    async with running(line.relay().run, line.reader().run):
        await until(lambda: line.has_effects(1))
        for process in (line.producer, line.consumer):
            await _end_connections(process)
        await until(lambda: _emitted(line, 2))
        await until(lambda: line.has_effects(2))
    assert await line.effects() == {"cases/1": [1, 2]}


async def _end_connections(process: Process) -> None:
    async with process.database.read() as connection:
        await sql.end_others(connection)


async def _emitted(line: Line, number: int) -> bool:
    try:
        await line.emit("cases/1", number)
    except Unavailable:
        return False
    return True


async def test_entries_that_are_no_events_are_passed_over(line: Line) -> None:
    await line.producer.redis.xadd(line.stream, {"subject": "cases/1", "nonsense": "x"})
    await line.producer.redis.xadd(line.stream, {b"\xff": b"\xff"})
    await line.emit("cases/1", 1)
    async with running(line.relay().run, line.reader().run):
        await until(lambda: line.has_effects(1))
        await until(line.settled)


async def test_events_of_other_types_are_passed_over(line: Line) -> None:
    async def work(tx: Transaction) -> common_pb2.Date:
        tx.emit("cases/1", Other(fen=9))
        return common_pb2.Date()

    await line.producer.uow.run(command(common_pb2.Date()), work)
    async with running(line.relay().run, line.reader().run):
        await line.emit("cases/1", 1)
        await until(lambda: line.has_effects(1))
        await until(line.settled)
    assert len(line.tried) == 1


async def test_each_group_of_consumers_gets_every_event(line: Line) -> None:
    async with running(line.relay().run, line.reader("a").run, line.reader("b").run):
        await line.emit("cases/1", 1)
        await until(lambda: _handled(line, 2))
    assert await count(line.consumer, idempotency) == 1


async def test_more_than_a_batch_goes_out_in_order(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_BATCH", 3)
    await line.emit("cases/1", *range(10))
    async with running(line.relay().run):
        await until(line.drained)
    travelled = [line.producer.wire.open(from_fields(fields)).data for fields in await line.entries()]
    assert [common_pb2.Money.FromString(data).fen for data in travelled] == list(range(10))
