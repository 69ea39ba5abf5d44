"""Records and tables can't part: what differs is found when the module is imported."""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.query import Insert, Page, Query, RecordError, Update, joined, of

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("day", sa.Date),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("tags", ARRAY(sa.Text), nullable=False),
    sa.Column("more", JSONB, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)


class State(Enum):
    NEW = "NEW"


@of(TABLE)
@dataclass(frozen=True, slots=True)
class Thing:
    id: str
    state: State
    day: date | None
    tags: list[str]
    more: Any


def _text(query: Any) -> str:
    return " ".join(query._statement.text.split())


def test_a_statement_names_the_columns_of_its_record() -> None:
    found = Query(Thing, "SELECT {columns:t} FROM things t WHERE t.name = :name OR t.day > :name")
    assert _text(found) == (
        "SELECT t.id::text AS id_text, t.state, t.day, t.tags, t.more FROM things t WHERE t.name = $1 OR t.day > $1"
    )
    assert _text(Insert(Thing, "id", "state")) == (
        "INSERT INTO things (id, state) VALUES ($1, $2) RETURNING id::text AS id_text, state, day, tags, more"
    )


def test_a_change_counts_the_version_and_may_have_a_condition() -> None:
    change = Update(Thing, "state = 'NEW'")
    assert _text(change._query(("day",))) == (
        "UPDATE things SET day = $1, version = version + 1 WHERE id = CAST($2 AS uuid) AND state = 'NEW' "
        "RETURNING id::text AS id_text, state, day, tags, more"
    )


def test_a_page_has_the_conditions_of_the_filters_that_are_given() -> None:
    page = Page(Thing, "{columns} FROM things", "id DESC", {"name": "name = :name", "before": "id < :before"})
    assert _text(page._query(frozenset({"before", "name"}))) == (
        "SELECT id::text AS id_text, state, day, tags, more FROM things WHERE (id < $1) AND (name = $2) ORDER BY id DESC LIMIT $3"
    )
    assert "WHERE" not in _text(page._query(frozenset()))


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("colour", str, "is no column"),
        ("name", int, "the column holds str"),
        ("name", str | None, "may be None"),
        ("day", date, "may be None"),
        ("tags", list[int], "the column holds str"),
        ("version", str, "the column holds int"),
    ],
)
def test_what_differs_from_the_table_stops_the_start(name: str, kind: Any, said: str) -> None:
    record: Any = dataclass(frozen=True)(type("Wrong", (), {"__annotations__": {name: kind}}))
    with pytest.raises(RecordError, match=said):
        of(TABLE)(record)


def test_values_are_read_and_written_as_the_record_has_them() -> None:
    query = Query(Thing, "SELECT {columns} FROM things WHERE state = :state AND more = :more")
    assert query._made(("1", "NEW", None, ["a"], '{"b": 1}')) == Thing("1", State.NEW, None, ["a"], {"b": 1})
    assert query._arguments({"state": State.NEW, "more": [1]}) == {"state": "NEW", "more": "[1]"}


@dataclass(frozen=True, slots=True)
class Part:
    label: str
    size: int


@dataclass(frozen=True, slots=True)
class Whole:
    tags: frozenset[str]
    more: tuple[Part, ...]
    state: State


def test_a_pure_record_is_bound_to_its_table_elsewhere_and_holds_what_rules_want() -> None:
    of(TABLE)(Whole)
    query = Query(Whole, "SELECT {columns} FROM things WHERE state = :state AND more = :more")
    made = query._made([["a", "b", "a"], '[{"label": "x", "size": 1}]', "NEW"])
    assert made == Whole(frozenset({"a", "b"}), (Part("x", 1),), State.NEW)
    assert query._arguments({"state": State.NEW, "more": (Part("x", 1),)}) == {
        "state": "NEW",
        "more": '[{"label": "x", "size": 1}]',
    }
    assert query._arguments({"state": "NEW"}) == {"state": "NEW"}


def test_a_record_that_takes_fields_by_name_is_none() -> None:
    @dataclass(frozen=True, kw_only=True)
    class ByName:
        name: str

    with pytest.raises(RecordError, match="by place"):
        of(TABLE)(ByName)


def test_what_joins_tables_is_compared_with_the_columns_that_it_is_made_of() -> None:
    shape = joined(thing=TABLE.c.id, since=TABLE.c.day, count=sa.Column(type_=sa.Integer, nullable=False))

    @of(shape)
    @dataclass(frozen=True, slots=True)
    class Counted:
        thing: str
        since: date | None
        count: int

    query = Query(Counted, "SELECT {columns} FROM (SELECT 1) AS counted WHERE thing = CAST(:thing AS uuid)")
    assert _text(query).startswith("SELECT thing::text AS thing_text, since, count FROM")
    assert query._made(("1", None, 3)) == Counted("1", None, 3)

    @dataclass(frozen=True, slots=True)
    class Parted:
        since: date

    with pytest.raises(RecordError, match="may be None"):
        of(shape)(Parted)
