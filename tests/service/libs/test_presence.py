"""A process that starts knows whether it is alone with what others left."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.db.connection import DatabaseConnection
from libs.db.leader import Presence, turn
from libs.process import Process, end
from tests.support import sql
from tests.support.process import process_of, until
from tests.support.service import Ground

_LOCKS = sa.text("""
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


class House:
    """Processes of one kind, and what each did when it found itself alone."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.alone: list[str] = []

    async def nobody(self) -> bool:
        """Whether the server has seen the last of them go."""
        async with self.process.database.read() as connection:
            return not await sql.scalar(connection, _LOCKS)

    def start(self, name: str) -> "tuple[asyncio.Task[None], asyncio.Event]":
        """Starts one; the event tells that it has looked."""
        looked = asyncio.Event()

        async def alone() -> None:
            self.alone.append(name)

        class Looking(Presence):
            async def _look(self, connection: DatabaseConnection, *, seen: bool) -> None:
                await super()._look(connection, seen=seen)
                looked.set()

        return asyncio.create_task(Looking(self.process.database, "test", alone).run()), looked


@pytest_asyncio.fixture
async def house(ground: Ground) -> AsyncIterator[House]:
    async with process_of(ground) as process:
        yield House(process)


async def test_only_who_is_alone_takes_up_what_was_left(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.db.leader._TRY_AGAIN_SECONDS", 0.05)
    first, looked = house.start("first")
    await looked.wait()
    second, looked = house.start("second")
    await looked.wait()
    assert house.alone == ["first"]
    await end([first])
    third, looked = house.start("third")
    await looked.wait()
    assert house.alone == ["first"], "the second is there"
    await end([second, third])
    await until(house.nobody)
    fourth, looked = house.start("fourth")
    await looked.wait()
    await end([fourth])
    assert house.alone == ["first", "fourth"]


async def test_who_fails_to_take_up_what_was_left_is_seen_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.db.leader._TRY_AGAIN_SECONDS", 0.05)

    async def fails() -> None:
        raise RuntimeError("nobody thought of this")

    first = asyncio.create_task(Presence(house.process.database, "test", fails).run())
    while await house.nobody():  # noqa: ASYNC110 - what is waited for happens in PostgreSQL
        await asyncio.sleep(0.01)
    second, looked = house.start("second")
    await looked.wait()
    assert house.alone == []
    await end([first, second])


async def test_what_could_not_be_taken_up_or_came_late_is_taken_up_at_the_next_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.db.leader._STAND_SECONDS", 0.05)
    taken_up, looks = asyncio.Event(), []

    async def fails_once() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("nobody thought of this")
        taken_up.set()

    first = asyncio.create_task(Presence(house.process.database, "test", fails_once).run())
    await taken_up.wait()
    await end([first])


async def test_who_is_alone_later_takes_up_what_the_other_left(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.db.leader._STAND_SECONDS", 0.05)
    first, looked = house.start("first")
    await looked.wait()
    second, looked = house.start("second")
    await looked.wait()
    assert "second" not in house.alone
    await end([first])

    async def taken_up() -> bool:
        return "second" in house.alone

    await until(taken_up)
    await end([second])


async def test_a_turn_is_held_to_the_end_of_its_transaction(house: House) -> None:
    database, order = house.process.database, list[str]()
    holding, may_end = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with database.transaction() as connection:
            await turn(connection, "test")
            holding.set()
            await may_end.wait()
            order.append("first")

    async def second() -> None:
        await holding.wait()
        async with database.transaction() as connection:
            await turn(connection, "another")
            may_end.set()
            await turn(connection, "test")
            order.append("second")

    await asyncio.gather(first(), second())
    assert order == ["first", "second"]
