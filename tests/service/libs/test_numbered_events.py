"""Events are numbered by subject, without gaps in what each reader is told, whatever order their transactions end in."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from libs.db.schema import changes
from libs.db.uow import Transaction
from libs.events.cloud_event import Event, from_fields
from libs.events.numbers import SeenNumbers
from libs.events.relay import OutboxRow, Relay
from libs.observability import metrics
from tests.support.events import Done, Handled, Other
from tests.support.line import BASE_URL, Line
from tests.support.outbox import KEEP_SENT, LET_GO
from tests.support.patience import PATIENCE
from tests.support.process import command, count, running, until
from tongban.common.v1 import common_pb2


async def sent(line: Line) -> list[Event]:
    """What stands on the stream once the relay has moved everything."""
    async with running(line.relay().run):
        await until(line.drained)
    return [from_fields(fields) for fields in await line.entries()]


async def emit_both(line: Line, subject: str) -> None:
    """Commits a public event, an internal one, and another public one, together."""

    async def work(tx: Transaction) -> common_pb2.Date:
        tx.emit(subject, Done(fen=1))
        tx.emit(subject, Other(fen=2))
        tx.emit(subject, Handled(fen=3))
        return common_pb2.Date()

    await line.producer.uow.run(command(common_pb2.Date()), work)


async def test_each_subject_is_counted_from_one_without_a_gap(line: Line) -> None:
    await asyncio.gather(*(line.emit(f"cases/{number}", *range(5)) for number in range(3)))
    first = await sent(line)
    await line.emit("cases/1", 5, 6)
    later = (await sent(line))[len(first) :]
    counted = {f"cases/{n}": [e.sequence for e in first if e.subject == f"cases/{n}"] for n in range(3)}
    assert counted == {f"cases/{n}": [1, 2, 3, 4, 5] for n in range(3)}
    assert [event.sequence for event in later] == [6, 7]


async def test_who_is_told_of_public_events_alone_sees_no_gap(line: Line) -> None:
    await emit_both(line, "cases/1")
    await emit_both(line, "cases/1")
    events = await sent(line)
    assert [event.sequence for event in events if event.public] == [1, 2, 3, 4]
    assert [event.sequence for event in events if not event.public] == [1, 2]
    (fields, *_) = await line.entries()
    assert fields[b"audience"] == b"public"
    assert fields[b"sequence"] == b"000000000000001"
    assert fields[b"dataschema"] == f"{BASE_URL}/schemas/cn.tongban.test.done.v1.json".encode()


class DyingRelay(Relay):
    """Is killed between XADD and COMMIT."""

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        await super()._publish(rows)
        raise asyncio.CancelledError


async def test_what_is_sent_again_has_the_number_that_it_had(line: Line) -> None:
    await line.emit("cases/1", 1, 2)
    dying = asyncio.create_task(line.relay(DyingRelay).run())
    await asyncio.wait([dying], timeout=PATIENCE)
    again = await sent(line)
    assert [(event.id, event.sequence) for event in again[:2]] == [(event.id, event.sequence) for event in again[2:]]
    assert [event.sequence for event in again] == [1, 2, 1, 2]


async def test_a_relay_that_can_not_commit_sends_again_under_the_same_numbers_and_keeps_nothing_twice(
    line: Line,
) -> None:
    """Until it can: as ``tests/chaos/test_relay.py`` does to a whole region."""
    owner = await asyncpg.connect(line.producer.config.database.owner_dsn_file.read_text())
    await owner.execute(KEEP_SENT)
    await line.emit("cases/1", 1, 2)
    async with running(line.relay().run):
        await until(lambda: _sent(line, 6))
        assert not await line.drained()
        await owner.execute(LET_GO)
        await until(line.drained)
    await owner.close()
    events = [from_fields(fields) for fields in await line.entries()]
    assert {(event.id, event.sequence) for event in events} == {(each.id, each.sequence) for each in events[:2]}
    assert await count(line.producer, changes) == 2


async def _sent(line: Line, times: int) -> bool:
    return await line.on_stream() >= times


async def test_what_another_replica_commits_is_seen_without_being_told(line: Line) -> None:
    """The relay rests, and looks; nobody wakes it."""
    closed = line.producer.wire.close_up("1", Done(fen=1).SerializeToString())
    async with running(line.relay().run):
        await line.emit("cases/1", 1)
        await until(line.drained)
        for subject in ("cases/1", "cases/2"):
            async with line.producer.database.read() as connection:
                await connection.driver.execute(
                    "INSERT INTO outbox (id, type, subject, public, traceparent, time, data)"
                    " VALUES ('1', 'cn.tongban.test.done.v1', $1, true, '', now(), $2)",
                    subject,
                    closed,
                )
            await until(line.drained)
    events = [from_fields(fields) for fields in await line.entries()]
    assert [(event.subject, event.sequence) for event in events] == [("cases/1", 1), ("cases/1", 2), ("cases/2", 1)]


async def test_a_consumer_tells_what_never_came(line: Line) -> None:
    """Somebody trims the stream: the sweeps repeat what had effects, and the operator sees how much it was."""
    before = _missing(line)
    await line.emit("cases/1", *range(6))
    await sent(line)
    entries: Any = await line.producer.redis.xrange(line.stream)
    ids = [entry for entry, _ in entries]
    await line.producer.redis.xdel(line.stream, *ids[2:4])
    async with running(line.reader().run):
        await until(lambda: line.has_effects(4))
        await until(line.settled)
    assert _missing(line) - before == 2


def _missing(line: Line) -> float:
    return metrics.EVENTS_MISSING.labels("test", f"//{line.region}/identity")._value.get()  # type: ignore[no-any-return]


def _event(sequence: int, subject: str = "cases/1", *, public: bool = True) -> Event:
    return Event("1", "//1/cases", "t", subject, None, b"", sequence=sequence, public=public)  # type: ignore[arg-type]


def test_a_repetition_is_no_gap_and_audiences_are_counted_apart() -> None:
    seen = SeenNumbers()
    assert [seen.missing(_event(n)) for n in (7, 8, 8, 11, 9)] == [0, 0, 0, 2, 0]
    assert [seen.missing(_event(n, public=False)) for n in (1, 2)] == [0, 0]
    assert seen.missing(_event(0)) == 0


def test_subjects_heard_of_long_ago_are_forgotten() -> None:
    seen = SeenNumbers(subjects=2)
    assert [seen.missing(_event(1, subject)) for subject in ("a", "b", "a", "c")] == [0, 0, 0, 0]
    assert seen.missing(_event(9, "b")) == 0
    assert seen.missing(_event(9, "c")) == 7
