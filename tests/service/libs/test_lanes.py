"""No subject's waiting holds up another's events; what a stream lost or went back to is found again."""

import asyncio

import pytest

from libs.errors import Unavailable
from libs.events import consumer as consumer_module
from libs.events import lanes as lanes_module
from libs.events.cloud_event import Event
from libs.events.consumer import Consumer
from tests.support.line import TYPE, Line
from tests.support.patience import PATIENCE
from tests.support.process import running, until

_MANY = 400
"""More than a batch, more than the slots, more than what is read ahead."""


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks behind at every turn."""
    monkeypatch.setattr(consumer_module, "_LOOK_BEHIND_SECONDS", 0.0)


async def test_subjects_that_wait_for_a_neighbour_hold_up_no_other(line: Line) -> None:
    away = Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="//320402")
    for number in range(_MANY):
        subject = f"cases/away{number}"
        line.away[subject] = away
        await line.emit(subject, 1, 2)
    await line.emit("cases/here", 1, 2, 3)
    async with running(line.relay().run, line.reader().run):
        await until(lambda: line.has_effects(3))
        assert await line.effects() == {"cases/here": [1, 2, 3]}
        line.away.clear()
        await until(lambda: line.has_effects(3 + 2 * _MANY))
        await until(line.settled)
    assert all(numbers[:2] == [1, 2] for numbers in (await line.effects()).values())


async def test_calls_that_hang_hold_up_no_other_subject(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "_SLOT_SECONDS", 0.01)
    back = asyncio.Event()

    async def hang(event: Event) -> None:
        if event.subject != "cases/here":
            await back.wait()
        await line.handle(event)

    reader = Consumer("test", line.consumer.wire, line.consumer.database, [line.stream], {TYPE: hang})
    for number in range(_MANY):
        await line.emit(f"cases/slow{number}", 1)
    await line.emit("cases/here", 1)
    async with running(line.relay().run, reader.run):
        await until(lambda: line.has_effects(1))
        assert await line.effects() == {"cases/here": [1]}
        back.set()
        await until(lambda: line.has_effects(1 + _MANY))


async def test_a_fault_in_one_lane_is_not_the_others(line: Line) -> None:
    class Broken(Consumer):
        async def _park(self, event: Event, reason: str, attempts: int) -> None:
            raise RuntimeError("unforeseen")

    async def fail(event: Event) -> None:
        if event.subject == "cases/broken":
            raise RuntimeError("unforeseen")
        await line.handle(event)

    reader = Broken("test", line.consumer.wire, line.consumer.database, [line.stream], {TYPE: fail})
    await line.emit("cases/broken", 1)
    async with running(line.relay().run, reader.run):
        for number in range(1, 4):
            await line.emit("cases/here", number)
            await until(lambda number=number: line.has_effects(number))  # type: ignore[misc]


async def test_a_stream_that_is_lost_under_the_reader_is_read_on(line: Line) -> None:
    async with running(line.relay().run, line.reader().run):
        await line.emit("cases/1", 1)
        await until(lambda: line.has_effects(1))
        await line.producer.redis.delete(line.stream)
        await line.emit("cases/1", 2)
        await until(lambda: line.has_effects(2))
    assert await line.effects() == {"cases/1": [1, 2]}


async def test_what_a_restored_stream_holds_as_delivered_is_taken_up(line: Line, looking_often: None) -> None:
    """The copy is made while an event is at work: in the copy it counts as delivered, and nobody works on it."""
    begun, back = asyncio.Event(), asyncio.Event()

    async def hang(event: Event) -> None:
        begun.set()
        await back.wait()
        raise asyncio.CancelledError

    first = Consumer("test", line.consumer.wire, line.consumer.database, [line.stream], {TYPE: hang})
    await line.emit("cases/1", 1)
    async with running(line.relay().run, first.run):
        await asyncio.wait_for(begun.wait(), PATIENCE)
        copy = await line.producer.redis.dump(line.stream)
        assert copy is not None
    await line.producer.redis.delete(line.stream)
    async with running(line.relay().run, line.reader().run):
        await line.emit("cases/2", 1)
        await until(lambda: line.has_effects(1))
        await line.producer.redis.restore(line.stream, 0, copy, replace=True)
        await until(lambda: line.has_effects(2))
        await line.emit("cases/3", 1)
        await until(lambda: line.has_effects(3))
        await until(line.settled)


async def test_a_stream_that_goes_back_behind_its_reader_is_read_from_its_start(
    line: Line, looking_often: None
) -> None:
    """Entries with ids below the group's place would never be delivered."""
    async with running(line.relay().run, line.reader().run):
        await line.emit("cases/1", 1)
        await until(lambda: line.has_effects(1))
        await line.producer.redis.xgroup_setid(line.stream, "test", "99999999999999-0")
        await line.emit("cases/1", 2)
        await until(lambda: line.has_effects(2))
    assert await line.effects() == {"cases/1": [1, 2]}
