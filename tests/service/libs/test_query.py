"""Records through the real PostgreSQL: what is written comes back, and what does not fit changes nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.engine import Database, read_dsn
from libs.db.evidence import Evidence, record_values, recorded, recorded_each
from libs.db.query import Insert, Page, Query, Update, joined, of
from libs.db.schema import audit_pending, audit_records, outbox
from libs.errors import AlreadyExists
from libs.process import Process
from tests.support import sql
from tests.support.events import Done
from tests.support.process import command, count, process_of
from tests.support.service import Ground
from tongban.common.v1 import common_pb2

ID = "00000000-0000-7000-8000-00000000000"
CREATE = """
CREATE TABLE things (id uuid PRIMARY KEY, state text NOT NULL, day date, tags text[] NOT NULL, friends uuid[] NOT NULL,
  more jsonb NOT NULL, content bytea NOT NULL, made timestamptz NOT NULL, version integer NOT NULL DEFAULT 1)
"""
CREATE_NAMES = """
CREATE TABLE names (id text PRIMARY KEY, states text[] NOT NULL, thing uuid NOT NULL, version integer NOT NULL DEFAULT 1)
"""
TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("day", sa.Date),
    sa.Column("tags", ARRAY(sa.Text), nullable=False),
    sa.Column("friends", ARRAY(sa.Uuid(as_uuid=False)), nullable=False),
    sa.Column("more", JSONB, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("made", sa.DateTime(timezone=True), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
)


class State(Enum):
    NEW = "NEW"
    OLD = "OLD"


@of(TABLE)
@dataclass(frozen=True, slots=True)
class Thing:
    id: str
    state: State
    day: date | None
    tags: list[str]
    friends: list[str]
    more: Any
    content: bytes
    made: datetime
    version: int


NAMES = sa.Table(
    "names",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("states", ARRAY(sa.Text), nullable=False),
    sa.Column("thing", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
)


@of(NAMES)
@dataclass(frozen=True, slots=True)
class Name:
    id: str
    states: tuple[State, ...]
    thing: str
    version: int = 1


@of(joined(id=NAMES.c.id, states=NAMES.c.states, day=TABLE.c.day, tags=TABLE.c.tags))
@dataclass(frozen=True, slots=True)
class NamedThing:
    id: str
    states: frozenset[State]
    day: date | None
    tags: tuple[str, ...]


NAMED = Query(
    NamedThing,
    "SELECT {columns} FROM (SELECT n.*, t.day, t.tags FROM names n JOIN things t ON t.id = n.thing) AS named",
)
INSERT = Insert(Thing)
GET = Query(Thing, "SELECT {columns} FROM things WHERE id = CAST(:id AS uuid)")
CHANGE = Update(Thing, "state = 'NEW'")
PAGE = Page(
    Thing,
    "{columns} FROM things",
    "id DESC",
    {"state": "state = :state", "tag": "tags @> CAST(:tag AS text[])", "before": "id < CAST(:before AS uuid)"},
)


def thing(number: int, **changes: Any) -> Thing:
    made = Thing(
        f"{ID}{number}", State.NEW, None, ["甲"], [f"{ID}9"], {"a": [1]}, b"\0", datetime(2024, 5, 1, tzinfo=UTC), 1
    )
    return replace(made, **changes)


async def insert(process: Process, made: Thing) -> Thing:
    async with process.database.read() as connection:
        return await INSERT.one(connection, **{name: getattr(made, name) for name in Thing.__slots__})


@pytest_asyncio.fixture
async def process(ground: Ground) -> AsyncIterator[Process]:
    async with process_of(ground) as made:
        owner = Database(read_dsn(made.config.database.owner_dsn_file))
        async with owner.read() as connection:
            await sql.execute(connection, sa.text(CREATE))
            await sql.execute(connection, sa.text(CREATE_NAMES))
            await sql.execute(connection, sa.text("GRANT ALL ON things, names TO PUBLIC"))
        await owner.close()
        yield made


async def test_what_is_written_comes_back(process: Process) -> None:
    made = thing(1, day=date(2024, 2, 29), more=[{"x": None}])
    assert await insert(process, made) == made
    async with process.database.read() as connection:
        assert await GET.first(connection, id=made.id) == made
        assert await GET.first(connection, id=f"{ID}2") is None


async def test_a_key_that_is_taken_is_told(process: Process) -> None:
    await insert(process, thing(1))
    with pytest.raises(AlreadyExists):
        await insert(process, thing(1, tags=[]))


async def test_a_change_counts_the_version_and_holds_its_condition(process: Process) -> None:
    made = await insert(process, thing(1))
    async with process.database.read() as connection:
        changed = await CHANGE.one(connection, made.id, state=State.OLD, more={"b": "乙"})
        assert changed == replace(made, state=State.OLD, more={"b": "乙"}, version=2)
        assert await CHANGE.first(connection, made.id, state=State.OLD) is None


async def test_lists_of_enums_and_columns_of_joined_tables_come_back(process: Process) -> None:
    made = await insert(process, thing(1, day=date(2024, 2, 29)))
    name = Name("甲方", (State.OLD, State.NEW), made.id)
    async with process.database.read() as connection:
        assert await Insert(Name).add(connection, name) == name
        assert await NAMED.all(connection) == [
            NamedThing("甲方", frozenset({State.NEW, State.OLD}), date(2024, 2, 29), ("甲",))
        ]


async def test_a_row_is_changed_by_a_key_that_is_no_uuid(process: Process) -> None:
    made = await insert(process, thing(1))
    async with process.database.read() as connection:
        await Insert(Name).add(connection, Name("甲方", (), made.id))
        changed = await Update(Name).one(connection, "甲方", states=(State.NEW,))
    assert changed == Name("甲方", (State.NEW,), made.id, 2)


async def test_a_page_holds_the_filters_that_are_given(process: Process) -> None:
    for number, tag in enumerate("甲乙甲"):
        await insert(process, thing(number, tags=[tag], state=State.OLD if number else State.NEW))

    async def ids(size: int = 10, **filters: Any) -> list[str]:
        async with process.database.read() as connection:
            return [row.id[-1] for row in await PAGE.rows(connection, size, **filters)]

    assert await ids() == ["2", "1", "0"]
    assert await ids(2) == ["2", "1"]
    assert await ids(tag=["甲"], state="", before=None) == ["2", "0"]
    assert await ids(tag=["甲"], state=State.OLD) == ["2"]
    assert await ids(before=f"{ID}2") == ["1", "0"]


MAKE = recorded(
    """made AS (
  INSERT INTO things (id, state, tags, friends, more, content, made)
  VALUES (CAST(:id AS uuid), 'NEW', '{}', '{}', '{}', '', now()) ON CONFLICT DO NOTHING RETURNING id
)""",
    when="EXISTS (SELECT FROM made)",
    answer="SELECT count(*) FROM made",
)


async def test_evidence_is_written_with_what_it_is_of_or_not_at_all(process: Process) -> None:
    """The second time nothing is made, so nothing may be told of it."""
    for made in (1, 0):
        evidence = Evidence(process.log, process.wire, command(common_pb2.Date()), process.clock.now())
        receipt = evidence.record("things/1", record_count=1)
        evidence.emit("things/1", Done(fen=1))
        async with process.database.read() as connection:
            row = await MAKE.first(connection, {**evidence.values(), "id": f"{ID}1"})
        assert row is not None
        assert row[0] == made
        assert receipt.record.startswith(f"{process.service}/auditRecords/")
        assert [await count(process, table) for table in (audit_records, audit_pending, outbox)] == [1, 1, 1]


MAKE_EACH = recorded_each(
    """made AS (
  INSERT INTO things (id, state, tags, friends, more, content, made)
  SELECT id, 'NEW', '{}', '{}', '{}', '', now() FROM unnest(CAST(:ids AS uuid[])) AS i (id)
  ON CONFLICT DO NOTHING RETURNING id
)""",
    when="r.key IN (SELECT CAST(id AS text) FROM made)",
    answer="SELECT CAST(id AS text) FROM made ORDER BY id",
)


async def test_of_several_commands_only_what_was_done_is_recorded(process: Process) -> None:
    """One thing is there already: the records of that command stay out, those of the others are written in their order."""
    await insert(process, thing(2))
    ids = [f"{ID}{number}" for number in (1, 2, 3)]
    keys = [each for each in ids for _ in range(2)]
    now = process.clock.now()
    entries = [process.log.entry(command(common_pb2.Date()), now, f"things/{key}/{n}") for n, key in enumerate(keys)]
    async with process.database.read() as connection:
        made = await MAKE_EACH.all(connection, {"ids": ids, **record_values(entries, keys)})
        written = (
            await sql.execute(connection, sa.select(audit_records.c.object).order_by(audit_records.c.seq))
        ).scalars()
        assert [row[0] for row in made] == [ids[0], ids[2]]
        assert list(written) == [entries[place].object for place in (0, 1, 4, 5)]
    assert await count(process, audit_pending) == 4
