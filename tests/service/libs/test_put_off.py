"""Changes that wait for the evidence: one round trip less, and nothing is read, refused or committed without them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from libs.db.change import Addition, Change
from libs.db.connection import DatabaseConnection
from libs.db.protocol import begun
from libs.db.schema import audit_records, idempotency, outbox
from libs.db.uow import Transaction
from libs.errors import AlreadyExists, FailedPrecondition, Unavailable
from libs.process import Process
from tests.support.events import Done
from tests.support.process import command, count
from tests.support.service import Ground
from tests.support.words import READ, Word, asked_of, process_with_words, words_of
from tongban.common.v1 import common_pb2

DONE = common_pb2.Money(fen=1)
ADD = Addition(Word)
SAY = Change(Word, "said AS (UPDATE words SET word = :word WHERE id = :id)")


@pytest_asyncio.fixture
async def process(ground: Ground) -> AsyncIterator[Process]:
    """A table without rows, and nothing done yet."""
    async with process_with_words(ground) as made:
        yield made


async def _evidence(process: Process) -> tuple[int, ...]:
    return tuple([await count(process, table) for table in (idempotency, outbox, audit_records)])


async def _run(process: Process, *more: Any, validate_only: bool = False) -> None:
    async def work(tx: Transaction) -> common_pb2.Money:
        tx.emit("cases/1", Done(fen=1))
        for each in more:
            await each(tx.connection)
        return DONE

    await process.uow.run(replace(command(DONE, common_pb2.Money), validate_only=validate_only), work)


async def _add(connection: DatabaseConnection) -> None:
    await ADD.add(connection, Word("a", "first"))


async def _say(connection: DatabaseConnection) -> None:
    await SAY.put_off(connection, id="a", word="then")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whatever servers are asked, in the order in which they are."""
    return asked_of(monkeypatch)


async def test_a_change_and_its_evidence_are_one_statement_and_nothing_beside(
    process: Process, asked: list[str]
) -> None:
    asked.clear()
    await _run(process, _add)
    (once,) = asked
    assert "INSERT INTO words" in once
    assert "INSERT INTO idempotency" in once
    assert await words_of(process) == {"a": "first"}
    assert await _evidence(process) == (1, 1, 1)


async def test_what_asks_before_begins_first_and_commits_last(process: Process, asked: list[str]) -> None:
    asked.clear()
    await _run(process, READ.all, _add)
    began, read, wrote, ended = asked
    assert (began, ended) == ("BEGIN", "COMMIT")
    assert ("FROM words" in read, "INSERT INTO words" in wrote) == (True, True)


async def test_a_transaction_that_asks_nothing_is_none(process: Process, asked: list[str]) -> None:
    asked.clear()
    async with process.database.transaction():
        pass
    assert asked == []


async def test_nothing_follows_a_statement_that_is_a_transaction(process: Process) -> None:
    async def late(tx: Transaction) -> None:
        await tx.flush_step()
        await READ.all(tx.connection)

    with pytest.raises(Unavailable):
        await process.uow.step(command(DONE, common_pb2.Money), late)
    assert await words_of(process) == {}


async def test_a_transaction_reads_what_it_put_off(process: Process) -> None:
    seen: list[Any] = []

    async def read(connection: DatabaseConnection) -> None:
        seen.append(await READ.all(connection))

    async def read_first(connection: DatabaseConnection) -> None:
        seen.append(await READ.first(connection))

    await _run(process, _add, read, _say, read_first)
    assert seen == [[Word("a", "first")], Word("a", "then")]
    assert await _evidence(process) == (1, 1, 1)


async def test_of_two_changes_of_a_row_the_later_stands(process: Process) -> None:
    await _run(process, _add, _say)
    assert await words_of(process) == {"a": "then"}


async def test_what_is_refused_changes_nothing_and_reaches_no_later_transaction(process: Process) -> None:
    async def refuse(connection: DatabaseConnection) -> None:
        raise FailedPrecondition("STATE_CONFLICT", "no")

    with pytest.raises(FailedPrecondition):
        await _run(process, _add, refuse)
    assert await words_of(process) == {}
    await _run(process)
    assert await words_of(process) == {}
    assert await _evidence(process) == (1, 1, 1)


async def test_a_key_that_is_taken_is_told_and_nothing_is_recorded(process: Process) -> None:
    await _run(process, _add)
    with pytest.raises(AlreadyExists) as refused:
        await _run(process, _add)
    assert refused.value.metadata["resource"] == "words"
    assert await _evidence(process) == (1, 1, 1)


async def test_what_is_only_validated_is_tried_whole(process: Process) -> None:
    await _run(process, _add, validate_only=True)
    assert await words_of(process) == {}
    await _run(process, _add)
    with pytest.raises(AlreadyExists):
        await _run(process, _add, validate_only=True)
    assert await _evidence(process) == (1, 1, 1)


async def test_a_transaction_without_evidence_commits_what_it_put_off(process: Process) -> None:
    async with process.database.transaction() as connection:
        await _add(connection)
    async with process.database.own() as connection, begun(connection):
        await _say(connection)
    assert await words_of(process) == {"a": "then"}


async def test_a_step_of_several_writes_what_it_put_off(process: Process) -> None:
    async def work(tx: Transaction) -> None:
        await _add(tx.connection)

    await process.uow.step(command(DONE, common_pb2.Money), work)
    assert await words_of(process) == {"a": "first"}


async def test_a_change_that_says_what_evidence_says_is_refused(process: Process) -> None:
    told = Change(Word, "told AS (INSERT INTO words (id, word) VALUES (:traceparent, 'x'))")

    async def tell(connection: DatabaseConnection) -> None:
        await told.put_off(connection, traceparent="mine")

    with pytest.raises(ValueError, match="traceparent"):
        await _run(process, tell)
    assert await _evidence(process) == (0, 0, 0)


async def test_outside_of_a_transaction_nothing_is_put_off(process: Process) -> None:
    with pytest.raises(Unavailable):
        async with process.database.read() as connection:
            await _add(connection)
    await _run(process)
    assert await words_of(process) == {}
