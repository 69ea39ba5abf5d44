"""One effect a request_id, whoever repeats it, whenever."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.db.command import Command
from libs.db.forgetting import KEPT, Forgetting
from libs.db.schema import audit_records, idempotency, outbox
from libs.db.uow import Transaction, derived_request_id
from libs.errors import Aborted, FailedPrecondition, TongbanError
from libs.process import Process, end
from libs.rpc.call import Call
from libs.rpc.contract import Method
from tests.support import sql
from tests.support.events import Done
from tests.support.process import command, count, process_of, until
from tests.support.service import Ground
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2

SINGLE = common_pb2.Money(fen=1)
METHOD = account_service_pb2.DESCRIPTOR.services_by_name["AccountService"].methods_by_name["CreatePerson"]
NOBODY: Any = None


@dataclass
class Counter:
    """Work that has an effect in the database: an event in the outbox."""

    process: Process
    tried: int = 0
    everybody_is_here: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, once: Command, wait_for: int = 0) -> common_pb2.Money:
        """Runs the command; with ``wait_for`` all of so many transactions are open before one ends."""

        async def work(tx: Transaction) -> common_pb2.Money:
            self.tried += 1
            number = self.tried
            if self.tried >= wait_for:
                self.everybody_is_here.set()
            await self.everybody_is_here.wait()
            tx.emit("cases/1", Done(fen=number))
            return common_pb2.Money(fen=number)

        return await self.process.uow.run(once, work)

    async def rows(self) -> tuple[int, int, int]:
        """Answers, events and records that are stored."""
        tables = (idempotency, outbox, audit_records)
        answers, events, records = [await count(self.process, table) for table in tables]
        return answers, events, records


@pytest_asyncio.fixture
async def counter(ground: Ground) -> AsyncIterator[Counter]:
    """Nothing done yet."""
    async with process_of(ground) as process:
        yield Counter(process)


def _money(**changes: str) -> Command:
    return command(SINGLE, common_pb2.Money, **changes)


async def test_a_repeat_gets_the_first_answer(counter: Counter) -> None:
    once = _money()
    first = await counter.run(once)
    assert await counter.run(once) == first
    assert await counter.run(once) == first
    assert await counter.rows() == (1, 1, 1)


async def test_a_repeat_gets_the_receipt_of_the_first(counter: Counter) -> None:
    """Letter for letter: the record is that of the call which did it, and no further one is written."""
    told: list[common_pb2.Receipt | None] = []
    once = _money()
    for _ in range(3):
        call = Call(Method(METHOD), NOBODY)
        await counter.run(replace(once, call=call))
        told.append(call.receipt)
    assert told[0] is not None
    assert told[0].record.startswith(f"{counter.process.service}/auditRecords/")
    assert told == [told[0]] * 3
    assert await counter.rows() == (1, 1, 1)


async def test_the_stored_answer_can_not_be_read_without_the_key(counter: Counter) -> None:
    """An answer may hold a person's name; the row must not."""
    holder = common_pb2.IdentityDocument(type_code="111", number="11010519491231002X")

    async def work(_: Transaction) -> common_pb2.IdentityDocument:
        return holder

    once = command(SINGLE, common_pb2.IdentityDocument)
    await counter.process.uow.run(once, work)
    async with counter.process.database.read() as connection:
        stored = await sql.scalar(connection, sa.select(idempotency.c.response))
    assert stored is not None
    assert holder.number.encode() not in stored
    assert await counter.process.uow.run(once, work) == holder


async def test_eight_at_once_have_one_effect_and_one_answer(counter: Counter) -> None:
    once = _money()
    answers = await asyncio.gather(*(counter.run(once, wait_for=8) for _ in range(8)))
    assert counter.tried == 8
    assert len({answer.fen for answer in answers}) == 1
    assert await counter.rows() == (1, 1, 1)


async def test_the_same_id_with_another_body_is_refused_also_at_once(counter: Counter) -> None:
    once = _money()
    other = replace(once, digest=b"x" * 32)
    answers = await asyncio.gather(
        counter.run(once, wait_for=2), counter.run(other, wait_for=2), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, TongbanError)]
    assert [(error.reason, error.metadata) for error in refused] == [
        ("REQUEST_ID_REUSED", {"request_id": once.request_id})
    ]
    assert await counter.rows() == (1, 1, 1)


async def test_ids_are_the_callers_own_and_the_methods_own(counter: Counter) -> None:
    once = _money()
    numbers = [
        (await counter.run(each)).fen
        for each in (once, replace(once, caller="staff/2"), replace(once, method="test.DoElse"))
    ]
    assert numbers == [1, 2, 3]
    assert await counter.rows() == (3, 3, 3)


async def test_work_that_fails_leaves_nothing_and_may_be_tried_again(counter: Counter) -> None:
    once = _money()

    async def fail(tx: Transaction) -> common_pb2.Money:
        tx.emit("cases/1", Done(fen=1))
        await sql.execute(tx.connection, sa.text("INSERT INTO audit_pending (seq) VALUES (-1)"))
        raise FailedPrecondition("STATE_CONFLICT", "no")

    with pytest.raises(FailedPrecondition) as error:
        await counter.process.uow.run(once, fail)
    assert error.value.reason == "STATE_CONFLICT"
    assert await counter.rows() == (0, 0, 0)
    assert (await counter.run(once)).fen == 1


async def test_a_repeat_that_fails_on_its_own_effect_gets_the_stored_answer(counter: Counter) -> None:
    """A transition can't be made twice: its repeat fails in the domain and still gets the first answer."""
    once = _money()
    first = await counter.run(once)

    async def transition(tx: Transaction) -> common_pb2.Money:
        raise FailedPrecondition("STATE_CONFLICT", "it is accepted already")

    assert await counter.process.uow.run(once, transition) == first


async def test_an_unknown_exception_leaves_nothing(counter: Counter) -> None:
    async def fail(tx: Transaction) -> common_pb2.Money:
        tx.emit("cases/1", Done(fen=1))
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError):
        await counter.process.uow.run(_money(), fail)
    assert await counter.rows() == (0, 0, 0)


async def test_a_deadlock_asks_to_try_again(counter: Counter) -> None:
    """Two transactions that take two locks in opposite order: one is told to come back, none hangs."""
    both = asyncio.Barrier(2)

    async def work(tx: Transaction, first: int, second: int) -> common_pb2.Money:
        await sql.execute(tx.connection, sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": first})
        await both.wait()
        await sql.execute(tx.connection, sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": second})
        return SINGLE

    uow = counter.process.uow
    answers = await asyncio.gather(
        uow.run(_money(), lambda tx: work(tx, 1, 2)),
        uow.run(_money(), lambda tx: work(tx, 2, 1)),
        return_exceptions=True,
    )
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(failed) == 1
    assert isinstance(failed[0], Aborted)
    assert (failed[0].reason, failed[0].retry_after) == ("CONCURRENT_CHANGE", 0.1)


def test_derived_ids_are_the_same_for_the_same_step() -> None:
    assert derived_request_id("issue", "1") == derived_request_id("issue", "1")
    assert (
        len({derived_request_id("issue", "1"), derived_request_id("issue", "2"), derived_request_id("seal", "1")}) == 3
    )


async def _aged(process: Process, once: Command, age: timedelta) -> None:
    """The answer to a command is as old as that, by the database's clock."""
    async with process.database.transaction() as connection:
        where = idempotency.c.request_id == once.request_id
        await sql.execute(connection, sa.update(idempotency).where(where).values(create_time=sa.func.now() - age))


async def test_a_repeat_within_the_promised_year_gets_the_first_answer(counter: Counter) -> None:
    once = _money()
    first = await counter.run(once)
    await _aged(counter.process, once, timedelta(days=366))
    assert await Forgetting(counter.process.database).forget() == 0
    assert await counter.run(once) == first


async def test_what_nobody_can_repeat_any_more_is_forgotten(counter: Counter) -> None:
    """The answer goes, with whatever it said of people; events and records stay, and the id is free again."""
    old, new = _money(), _money()
    for each in (old, new):
        await counter.run(each)
    await _aged(counter.process, old, KEPT + timedelta(hours=1))
    assert await Forgetting(counter.process.database).forget() == 1
    assert await counter.rows() == (1, 2, 2)
    assert (await counter.run(old)).fen == 3


async def test_a_clock_that_is_years_ahead_forgets_two_hours_at_a_time(counter: Counter) -> None:
    commands = [_money() for _ in range(4)]
    for hour, each in enumerate(commands):
        await counter.run(each)
        await _aged(counter.process, each, timedelta(days=800) - timedelta(hours=hour, minutes=1))
    forgetting = Forgetting(counter.process.database)
    assert [await forgetting.forget() for _ in range(3)] == [2, 2, 0]


async def test_the_service_forgets_by_itself(counter: Counter) -> None:
    once = _money()
    await counter.run(once)
    await _aged(counter.process, once, KEPT + timedelta(hours=1))
    running = counter.process.beside_server()

    async def forgotten() -> bool:
        return await count(counter.process, idempotency) == 0

    try:
        await until(forgotten)
    finally:
        await end(running)
