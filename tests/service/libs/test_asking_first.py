"""Work that must have something asked first: rolled back, asked outside of its transaction, begun again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from libs.db.schema import audit_records, idempotency, outbox
from libs.db.uow import AskFirst, Transaction
from libs.errors import FailedPrecondition, TongbanError, Unavailable
from libs.process import Process
from tests.support.events import Done
from tests.support.process import command, count, process_of
from tests.support.service import Ground
from tongban.common.v1 import common_pb2

DONE = common_pb2.Money(fen=1)


@pytest_asyncio.fixture
async def process(ground: Ground) -> AsyncIterator[Process]:
    """Nothing done yet."""
    async with process_of(ground) as made:
        yield made


async def _stored(process: Process) -> tuple[int, ...]:
    return tuple([await count(process, table) for table in (idempotency, outbox, audit_records)])


def _asking(asked: list[str], settle: Any = None) -> Any:
    """Work that emits an event, and before it is done wants to know something once."""

    async def answer() -> None:
        asked.append("asked")

    async def work(tx: Transaction) -> common_pb2.Money:
        tx.emit("cases/1", Done(fen=DONE.fen))
        tx.committed.append(lambda: asked.append("committed"))
        if "asked" not in asked:
            raise AskFirst(settle or answer)
        return DONE

    return work


async def test_what_was_done_before_the_question_is_done_once(process: Process) -> None:
    asked: list[str] = []
    assert await process.uow.run(command(DONE, common_pb2.Money), _asking(asked)) == DONE
    assert await _stored(process) == (1, 1, 1)
    assert asked == ["asked", "committed"]


async def test_nothing_is_locked_and_nothing_stands_while_it_is_asked(process: Process) -> None:
    seen = []

    async def settle() -> None:
        seen.append(await _stored(process))
        raise Unavailable("DEPENDENCY_UNAVAILABLE", "the neighbour is away", dependency="license")

    with pytest.raises(Unavailable):
        await process.uow.run(command(DONE, common_pb2.Money), _asking([], settle))
    assert seen == [(0, 0, 0)]
    assert await _stored(process) == (0, 0, 0)


async def test_a_work_that_never_has_enough_ends(process: Process) -> None:
    async def nothing() -> None:
        """Settles nothing."""

    with pytest.raises(RuntimeError):
        await process.uow.run(command(DONE, common_pb2.Money), _asking([], nothing))
    assert await _stored(process) == (0, 0, 0)


@pytest.mark.parametrize(
    "error", [FailedPrecondition("STATE_CONFLICT", "since"), Unavailable("DEPENDENCY_UNAVAILABLE", "away")]
)
async def test_a_repeat_is_answered_whatever_would_be_found_out_now(process: Process, error: TongbanError) -> None:
    """Asked for by the work, or before it begins: the first call was answered, and that is what a repeat is told."""
    once = command(DONE, common_pb2.Money)
    assert await process.uow.run(once, _asking([])) == DONE

    async def refuse() -> Any:
        raise error

    assert await process.uow.run(once, _asking([], refuse)) == DONE
    assert await process.uow.prepared(once, refuse) == DONE
    other = replace(once, digest=b"another body", meaning=b"")
    for again in (process.uow.run(other, _asking([], refuse)), process.uow.prepared(other, refuse)):
        with pytest.raises(FailedPrecondition) as refused:
            await again
        assert refused.value.reason == "REQUEST_ID_REUSED"
    assert await _stored(process) == (1, 1, 1)


async def test_what_is_found_out_before_the_work_is_refused_where_nothing_was_answered(process: Process) -> None:
    async def refuse() -> Any:
        raise FailedPrecondition("STATE_CONFLICT", "no")

    with pytest.raises(FailedPrecondition) as refused:
        await process.uow.prepared(command(DONE, common_pb2.Money), refuse)
    assert refused.value.reason == "STATE_CONFLICT"
    assert await _stored(process) == (0, 0, 0)


async def test_nobody_is_woken_for_what_was_refused(process: Process) -> None:
    woken: list[str] = []

    async def work(tx: Transaction) -> common_pb2.Money:
        tx.committed.append(lambda: woken.append("woken"))
        raise FailedPrecondition("STATE_CONFLICT", "no")

    with pytest.raises(FailedPrecondition):
        await process.uow.run(command(DONE, common_pb2.Money), work)
    assert woken == []


async def test_a_step_wakes_whom_it_has_work_for(process: Process) -> None:
    woken: list[str] = []

    async def work(tx: Transaction) -> None:
        tx.committed.append(lambda: woken.append("woken"))

    await process.uow.step(command(DONE, common_pb2.Money), work)
    assert woken == ["woken"]
