"""A table of a test's own, for what is written to any table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from libs.db.engine import Database, read_dsn
from libs.db.query import Query, of
from libs.process import Process
from tests.support import sql
from tests.support.process import process_of
from tests.support.service import Ground

WORDS = sa.Table(
    "words",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("word", sa.Text, nullable=False),
)


@of(WORDS)
@dataclass(frozen=True, slots=True)
class Word:
    """A row."""

    id: str
    word: str


READ = Query(Word, "SELECT {columns} FROM words ORDER BY id")


@asynccontextmanager
async def process_with_words(ground: Ground) -> AsyncIterator[Process]:
    """Lends a process whose database has the table, without rows."""
    async with process_of(ground) as made:
        owner = Database(read_dsn(made.config.database.owner_dsn_file))
        async with owner.read() as connection:
            await sql.execute(connection, "CREATE TABLE words (id text PRIMARY KEY, word text NOT NULL)")
            await sql.execute(connection, "GRANT ALL ON words TO PUBLIC")
        await owner.close()
        yield made


async def words_of(process: Process) -> dict[str, str]:
    """The rows, by their ids."""
    async with process.database.read() as connection:
        return {each.id: each.word for each in await READ.all(connection)}


def asked_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list that will hold whatever servers are asked, in the order in which they are."""
    seen: list[str] = []

    def counted(name: str) -> None:
        ask = getattr(asyncpg.Connection, name)

        async def asking(self: Any, query: str, *arguments: Any, **more: Any) -> Any:
            seen.append(query)
            return await ask(self, query, *arguments, **more)

        monkeypatch.setattr(asyncpg.Connection, name, asking)

    for name in ("fetch", "fetchrow", "execute"):
        counted(name)
    return seen
