"""Lists through the real PostgreSQL: a filter finds what it says, pages are whole, and each goes along an index."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database, read_dsn
from libs.db.paging import Pages
from libs.db.query import of
from libs.errors import InvalidArgument
from libs.lists import fields, listing
from libs.lists.listing import FilteredList, Scope
from libs.lists.paths import Order, Path
from tests.support import sql
from tests.support.process import process_of
from tests.support.service import Ground
from tongban.cases.v1 import task_service_pb2 as tasks
from tongban.cases.v1.case_service_pb2 import ListCasesRequest

CREATE = """
CREATE TABLE parcels (id uuid PRIMARY KEY, owner text NOT NULL, agent text NOT NULL, state text NOT NULL, note text,
  day date, weight integer NOT NULL, tags text[] NOT NULL, made timestamptz NOT NULL);
CREATE INDEX parcels_made ON parcels (made, id);
CREATE INDEX parcels_owner ON parcels (owner, made, id);
CREATE INDEX parcels_agent ON parcels (agent, made, id) WHERE agent <> '';
CREATE INDEX parcels_tags ON parcels USING gin (tags);
GRANT ALL ON parcels TO PUBLIC;
"""
PARCELS = sa.Table(
    "parcels",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("owner", "agent", "state")),
    sa.Column("note", sa.Text),
    sa.Column("day", sa.Date),
    sa.Column("weight", sa.Integer, nullable=False),
    sa.Column("tags", ARRAY(sa.Text), nullable=False),
    sa.Column("made", sa.DateTime(timezone=True), nullable=False),
    sa.Index("parcels_made", "made", "id"),
    sa.Index("parcels_owner", "owner", "made", "id"),
    sa.Index("parcels_agent", "agent", "made", "id", postgresql_where=sa.text("agent <> ''")),
    sa.Index("parcels_tags", "tags", postgresql_using="gin"),
)


@of(PARCELS)
@dataclass(frozen=True, slots=True)
class Parcel:
    id: str
    owner: str
    agent: str
    state: str
    note: str | None
    day: date | None
    weight: int
    tags: tuple[str, ...]
    made: datetime


LISTED = FilteredList(
    Parcel,
    ListCasesRequest,
    PARCELS,
    {
        "owner": fields.text("owner"),
        "state": fields.choice("state", tasks.CaseTaskState),
        "note": fields.text("note", nullable=True),
        "day": fields.day("day", nullable=True),
        "weight": fields.number("weight"),
        "tags": fields.texts("tags"),
        "made": fields.moment("made"),
    },
    {
        "made": Order(
            ("made", "id"),
            (Path(), Path(("owner",)), Path(("agent",), "agent <> ''"), Path(("tags",), few=True)),
        )
    },
    "made desc",
)
PAGES = Pages(b"k" * 32)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def parcel(number: int, **more: Any) -> dict[str, Any]:
    made = {
        "id": f"00000000-0000-7000-8000-{number:012d}",
        "owner": "ab"[number % 2],
        "agent": "c" if number % 5 == 0 else "",
        "state": ("OPEN", "CLAIMED", "DONE")[number % 3],
        "note": (None, "", "x", "y")[number % 4],
        "day": None if number % 7 == 0 else (date(2024, 1, 1) + timedelta(days=number % 3)).isoformat(),
        "weight": number % 4,
        "tags": [("red", "green")[number % 2]] if number % 3 else [],
        # Three parcels have each time: only the id tells them apart.
        "made": (BEGIN + timedelta(hours=number // 3)).isoformat(),
    }
    return made | more


async def add(connection: DatabaseConnection, *rows: dict[str, Any]) -> None:
    await connection.driver.execute(
        "INSERT INTO parcels SELECT * FROM jsonb_populate_recordset(CAST(NULL AS parcels), CAST($1 AS jsonb))",
        json.dumps(rows),
    )


@pytest_asyncio.fixture
async def connection(ground: Ground) -> AsyncIterator[DatabaseConnection]:
    async with process_of(ground) as process:
        owner = Database(read_dsn(process.config.database.owner_dsn_file))
        async with owner.read() as made:
            for statement in CREATE.split(";"):
                await sql.execute(made, sa.text(statement)) if statement.strip() else None
        await owner.close()
        async with process.database.read() as lent:
            yield lent


async def ids(connection: DatabaseConnection, *scopes: Scope, **asked: Any) -> list[list[int]]:
    """All pages, as the numbers of their parcels."""
    request, pages = ListCasesRequest(**asked), list[list[int]]()
    while True:
        shown, token = await LISTED.page(connection, PAGES, request, scopes or (Scope({}),))
        pages.append([int(each.id[-12:]) for each in shown])
        if not token:
            return pages
        request.page_token = token


def flat(pages: list[list[int]]) -> list[int]:
    return [number for page in pages for number in page]


ROWS = [parcel(number) for number in range(60)]
MODELS: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
    ("", lambda row: True),
    ("owner = a", lambda row: row["owner"] == "a"),
    ("owner != a", lambda row: row["owner"] != "a"),
    ("owner = a AND state = CASE_TASK_STATE_OPEN", lambda row: row["owner"] == "a" and row["state"] == "OPEN"),
    ("owner = a OR state = CASE_TASK_STATE_OPEN", lambda row: row["owner"] == "a" or row["state"] == "OPEN"),
    ("NOT (owner = a AND weight < 2)", lambda row: not (row["owner"] == "a" and row["weight"] < 2)),
    # What is missing fits no comparison, and NOT turns the answer round.
    ("note = x", lambda row: row["note"] == "x"),
    ("note != x", lambda row: row["note"] != "x"),
    ("NOT note = x", lambda row: row["note"] != "x"),
    ("note:*", lambda row: bool(row["note"])),
    ("-note:*", lambda row: not row["note"]),
    ("day > 2024-01-01", lambda row: bool(row["day"]) and row["day"] > "2024-01-01"),
    ("NOT day > 2024-01-01", lambda row: not (row["day"] and row["day"] > "2024-01-01")),
    ("day:*", lambda row: bool(row["day"])),
    ("weight >= 1 AND weight <= 2", lambda row: 1 <= row["weight"] <= 2),
    ("tags:red", lambda row: "red" in row["tags"]),
    ("NOT tags:red", lambda row: "red" not in row["tags"]),
    ("tags:* AND (weight = 1 OR weight = 3)", lambda row: bool(row["tags"]) and row["weight"] in (1, 3)),
    (
        "made >= 2024-01-01T10:00:00+08:00 AND made < 2024-01-01T08:00:00Z",
        lambda row: "2024-01-01T02:00" <= row["made"] < "2024-01-01T08:00",
    ),
    ("made = 2024-01-01T03:00:00Z", lambda row: row["made"].startswith("2024-01-01T03:00")),
]


@pytest.mark.parametrize(("text", "model"), MODELS)
async def test_a_filter_finds_what_it_says_in_either_order(
    connection: DatabaseConnection, text: str, model: Callable[[dict[str, Any]], bool]
) -> None:
    await add(connection, *ROWS)
    wanted = [number for number, row in enumerate(ROWS) if model(row)]
    for size in (1, 7, 100):
        rising = await ids(connection, filter=text, order_by="made", page_size=size)
        assert flat(rising) == wanted
        falling = await ids(connection, filter=text, page_size=size)
        assert flat(falling) == wanted[::-1]


@pytest.mark.parametrize("text", ["", "state = CASE_TASK_STATE_OPEN", "state = CASE_TASK_STATE_OPEN AND weight > 0"])
async def test_scopes_are_one_list_without_doubles(connection: DatabaseConnection, text: str) -> None:
    await add(connection, *ROWS)
    scopes = (Scope({"owner": "a"}), Scope({"agent": "c"}))
    seen = [number for number, row in enumerate(ROWS) if row["owner"] == "a" or row["agent"] == "c"]
    wanted = [
        n for n in seen if not text or (ROWS[n]["state"] == "OPEN" and ("weight" not in text or ROWS[n]["weight"]))
    ]
    for size in (2, 100):
        assert flat(await ids(connection, *scopes, filter=text, page_size=size)) == wanted[::-1]


async def test_no_row_comes_twice_or_is_passed_over_while_others_come(connection: DatabaseConnection) -> None:
    await add(connection, *ROWS)
    request, seen = ListCasesRequest(filter="weight > 0", page_size=5), list[int]()
    for number in range(60, 200):
        shown, request.page_token = await LISTED.page(connection, PAGES, request)
        seen += [int(each.id[-12:]) for each in shown]
        # In front of all, and in the middle.
        await add(connection, parcel(number), parcel(number + 1000, made=BEGIN.isoformat()))
        if not request.page_token:
            break
    old = [number for number in seen if number < 60]
    assert old == [number for number in range(59, -1, -1) if number % 4]
    assert len(seen) == len(set(seen))


async def test_a_page_looks_at_so_many_rows_and_goes_on_from_there(
    connection: DatabaseConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SCANNED", 10)
    await add(connection, *ROWS, parcel(100, made=(BEGIN - timedelta(days=1)).isoformat(), note="rare"))
    assert await ids(connection, filter="note = rare") == [[], [], [], [], [], [], [100]]
    assert await ids(connection, Scope({"owner": "a"}), filter="note = rare") == [[], [], [], [100]]
    # What an index answers by itself is not looked at row by row.
    assert await ids(connection, filter="tags:green AND note = rare") == [[]]
    scopes = (Scope({"owner": "a"}), Scope({"agent": "c"}))
    assert flat(await ids(connection, *scopes, filter="note = y")) == [55, 35, 15]


async def test_an_empty_value_is_nobodys_and_not_everybodys(connection: DatabaseConnection) -> None:
    with pytest.raises(ValueError, match="everybody"):
        await LISTED.page(connection, PAGES, ListCasesRequest(), [Scope({"owner": ""})])
    await add(connection, *ROWS)
    assert await ids(connection, filter='owner = ""') == [[]]


async def test_a_token_holds_for_one_filter_and_one_order(connection: DatabaseConnection) -> None:
    await add(connection, *ROWS)
    _, token = await LISTED.page(connection, PAGES, ListCasesRequest(filter="weight > 0", page_size=5))
    for chosen, order in (("weight > 1", ""), ("weight > 0", "made")):
        other = ListCasesRequest(page_token=token, filter=chosen, order_by=order)
        with pytest.raises(InvalidArgument) as error:
            await LISTED.page(connection, PAGES, other)
        assert error.value.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    "value",
    ["'; DROP TABLE parcels; --", "$1", ":f0", "{columns}", "a\\' OR TRUE --", "%s", "\U0001f600", "' OR '1'='1"],
)
async def test_a_value_stays_a_value(connection: DatabaseConnection, value: str) -> None:
    await add(connection, *ROWS, parcel(100, note=value))
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert await ids(connection, filter=f'note = "{quoted}"') == [[100]]
    assert len(flat(await ids(connection, filter=f'note != "{quoted}"', page_size=100))) == 60
