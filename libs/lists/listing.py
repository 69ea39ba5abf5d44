"""Pages of a list that is filtered and sorted, none slower than another, however many rows there are.

A page begins after a place in the order (and not after a count), so rows that come meanwhile move none. It goes along an index:
what the access rules and the filter hold to one value chooses which. The rest of a filter is looked at row by row, of at
most ``SCANNED`` rows a page: then the page ends early, perhaps empty, with a token to go on from there (AIP-158 allows it).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message

from libs.db.connection import DatabaseConnection
from libs.db.paging import MAX_PAGE_SIZE, Listing, Pages, page_size
from libs.db.query import Query
from libs.db.statement import Statement
from libs.errors import invalid_field
from libs.lists import order_text
from libs.lists.conditions import Filter, Part, compiled
from libs.lists.fields import FilterField
from libs.lists.paths import Order, Path, is_array, type_of

SCANNED = 2000
"""So many rows a page looks at, at most, for those that a filter wants."""
_STATEMENTS = 256
Record = TypeVar("Record")
Place = tuple[Any, ...]


def given(**values: Any) -> dict[str, Any]:
    """Returns those of the values that a caller gave: for a scope, which takes nothing empty."""
    return {name: value for name, value in values.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows that a caller may see: columns held to one value (an array: that contains it), and conditions beside.

    Several scopes are one list: what fits any of them. Conditions are of the access rules, and leave out little.
    """

    equal: Mapping[str, Any]
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one page is made of."""

    order: Order
    descending: bool
    filter: Filter
    branches: tuple["_Branch", ...]
    values: Mapping[str, Any]
    bounded: bool

    @property
    def sorting(self) -> str:
        way = " DESC" if self.descending else ""
        return ", ".join(f"{{of}}{each}{way}" for each in self.order.columns)


@dataclass(frozen=True, slots=True)
class _Branch:
    """One scope along its path: what chooses the rows by the index, and what is looked at row by row, of so many rows at most."""

    along: tuple[str, ...]
    beside: tuple[str, ...]
    bounded: bool


class FilteredList(Generic[Record]):
    """A list of ``record`` over ``table``.

    Args:
        record: what a row is read as; has the columns of all orders.
        request: the message that asks for it, whose comments name the fields and the orders.
        table: whose indexes the paths go along, and whose columns scopes hold.
        fields: by their names in the contract, what is filtered by.
        orders: by field, what is sorted by.
        default: the order where none is asked, as ``order_by`` says it.
        source: what is selected from, where that is more than the table: a statement in parentheses.

    Raises:
        NoIndex: a path has no index.
    """

    def __init__(
        self,
        record: type[Record],
        request: type[Message],
        table: sa.Table,
        fields: Mapping[str, FilterField],
        orders: Mapping[str, Order],
        default: str,
        source: str = "",
    ) -> None:
        self.request, self.table = request, table
        self.fields, self.orders, self.default = fields, orders, default
        self.source = source or table.name
        for order in orders.values():
            order.check(table)
        self._query = lru_cache(maxsize=_STATEMENTS)(partial(Query, record))
        self._statement = lru_cache(maxsize=_STATEMENTS)(Statement)

    async def page(
        self,
        connection: DatabaseConnection,
        pages: Pages,
        request: Listing,
        scopes: Sequence[Scope] = (Scope({}),),
        maximum: int = MAX_PAGE_SIZE,
        **values: Any,
    ) -> tuple[list[Record], str]:
        """Reads one page; returns its rows and the token of the next, which is empty at the end.

        Args:
            connection: what is read on.
            pages: makes and reads tokens, which hold for the request's other fields, filter and order among them.
            request: with ``filter``, ``order_by``, ``page_size``, ``page_token``.
            scopes: whose rows the caller may see.
            maximum: the most rows of a page.
            values: the parameters of the fields' expressions and the scopes' conditions.

        Raises:
            InvalidArgument: FIELD_INVALID of ``filter`` or ``order_by``, PAGE_TOKEN_INVALID.
        """
        asked = self._asked(request, scopes)
        size = page_size(request.page_size, maximum)
        place = self._place(asked, pages.position(request, request.page_token))
        parameters = {**asked.values, **values, **_numbered("k", place)}
        last = await self._last(connection, asked, parameters, place) if asked.bounded else ()
        text = self._text(asked, place, last)
        found = await self._query(text).all(connection, **parameters, **_numbered("b", last), size=size + 1)
        shown = found[:size]
        if len(found) > size:
            return shown, pages.next_token(request, *_told(getattr(shown[-1], each) for each in asked.order.columns))
        return shown, pages.next_token(request, *_told(last)) if last else ""

    def held(self, request: Listing, name: str) -> str:
        """Returns the value that the filter holds the field ``name`` to, as the caller wrote it; empty where it does not.

        Raises:
            InvalidArgument: FIELD_INVALID of ``filter``.
        """
        return compiled(request.filter, self.fields).held.get(name, "")

    def compared(self, request: Listing) -> frozenset[str]:
        """Returns the fields that the filter compares; raises FIELD_INVALID of ``filter``."""
        return compiled(request.filter, self.fields).fields

    def check(self, request: Listing, scopes: Sequence[Scope] = (Scope({}),)) -> None:
        """Raises as :meth:`page` does for a filter or an order that can't be taken, before anything is read."""
        self._asked(request, scopes)

    def _asked(self, request: Listing, scopes: Sequence[Scope]) -> _Asked:
        name, descending = order_text.parse(request.order_by.strip() or self.default, self.orders)
        order, wanted = self.orders[name], compiled(request.filter, self.fields)
        values, branches = dict(wanted.values), list[_Branch]()
        for number, scope in enumerate(scopes):
            branch, held = self._branch(number, scope, order, wanted)
            branches.append(branch)
            values |= held
        return _Asked(order, descending, wanted, tuple(branches), values, any(each.bounded for each in branches))

    def _branch(self, number: int, scope: Scope, order: Order, wanted: Filter) -> tuple[_Branch, dict[str, Any]]:
        if not all(scope.equal.values()):
            raise ValueError("an empty value would be everybody's")
        held = {each.column: each.value for each in wanted.parts if each.operator in ("=", ":")} | dict(scope.equal)
        path = order.path(held, scope.conditions)
        if path is None:
            raise invalid_field("filter", "filter.required", "this list needs more than that to begin with")
        names = {column: f"s{number}_{column}" for column in scope.equal}
        fixed = {column: self._equal(column, names[column]) for column in scope.equal}
        along = [fixed[column] for column in fixed if column in path.equal]
        along += [each.sql for each in wanted.parts if _goes_along(each, path, order)]
        if path.when:
            along.append(path.when)
        beside = [fixed[column] for column in fixed if column not in path.equal]
        beside += [each.sql for each in wanted.parts if not _goes_along(each, path, order)]
        rules = [each for each in scope.conditions if each != path.when]
        branch = _Branch(tuple(along), (*beside, *rules), bounded=bool(beside) and not path.few)
        return branch, {names[column]: value for column, value in scope.equal.items()}

    def _equal(self, column: str, parameter: str) -> str:
        value = f"CAST(:{parameter} AS {type_of(self.table, column)})"
        return f"{column} @> ARRAY[{value}]" if is_array(self.table, column) else f"{column} = {value}"

    def _place(self, asked: _Asked, told: tuple[str | int, ...] | None) -> Place:
        columns = asked.order.columns
        return tuple(_read(type_of(self.table, c), each) for c, each in zip(columns, told or (), strict=bool(told)))

    async def _last(
        self, connection: DatabaseConnection, asked: _Asked, parameters: Mapping[str, Any], place: Place
    ) -> Place:
        """Returns the place of the last row that this page looks at; empty where that is the list's end."""
        names = ", ".join(asked.order.columns)
        told = ", ".join(
            f"{each}::text AS {each}_text" if type_of(self.table, each) == "uuid" else each
            for each in asked.order.columns
        )
        branches = [
            self._select(names, self.table.name, (*b.along,), asked, place, (), SCANNED) for b in asked.branches
        ]
        text = (
            f"SELECT {told} FROM ({_union(branches)}) AS seen "  # noqa: S608 - names of our own columns
            f"ORDER BY {asked.sorting.format(of='seen.')} OFFSET {SCANNED - 1} LIMIT 1"
        )
        return tuple(await self._statement(text).first(connection, parameters) or ())

    def _text(self, asked: _Asked, place: Place, last: Place) -> str:
        every = [(*branch.along, *branch.beside) for branch in asked.branches]
        if len(every) == 1:
            return self._select("{columns:listed}", self.source, every[0], asked, place, last, ":size")
        names, key = ", ".join(asked.order.columns), asked.order.columns[-1]
        own = _union([self._select(names, self.source, each, asked, place, last, ":size") for each in every])
        return (
            f"SELECT {{columns:listed}} FROM {self.source} AS listed JOIN ({own}) AS own USING ({key}) "  # noqa: S608 - as above
            f"ORDER BY {asked.sorting.format(of='listed.')} LIMIT :size"
        )

    def _select(
        self, what: str, source: str, conditions: Sequence[str], asked: _Asked, place: Place, last: Place, size: object
    ) -> str:
        where = [f"({each})" for each in conditions]
        if place:
            where.append(self._compared(asked.order, "<" if asked.descending else ">", "k"))
        if last:
            where.append(self._compared(asked.order, ">=" if asked.descending else "<=", "b"))
        chosen = f"WHERE {' AND '.join(where)} " if where else ""
        return (
            f"SELECT {what} FROM {source} AS listed {chosen}ORDER BY {asked.sorting.format(of='listed.')} LIMIT {size}"  # noqa: S608 - as above
        )

    def _compared(self, order: Order, sign: str, parameter: str) -> str:
        values = [f"CAST(:{parameter}{n} AS {type_of(self.table, each)})" for n, each in enumerate(order.columns)]
        beyond = f"({', '.join(order.columns)}) {sign} ({', '.join(values)})"
        # PostgreSQL takes two comparisons of rows for independent, and a page's few rows for a quarter of the table: it would
        # sort, or join by hash, what it should go along. Of one column it knows that they are the two ends of a range.
        return f"{order.columns[0]} {sign[0]}= {values[0]} AND {beyond}"


def _goes_along(part: Part, path: Path, order: Order) -> bool:
    if part.column in path.equal:
        return part.operator in ("=", ":")
    return part.column == order.columns[0] and part.operator in ("=", "<", "<=", ">", ">=")


def _union(branches: Sequence[str]) -> str:
    return " UNION ".join(f"({each})" for each in branches)


def _numbered(letter: str, place: Place) -> dict[str, Any]:
    return {f"{letter}{number}": value for number, value in enumerate(place)}


def _told(place: Iterable[Any]) -> Iterable[str | int]:
    """A place as a token says it."""
    return (
        each if isinstance(each, int) else each.isoformat() if isinstance(each, date) else str(each) for each in place
    )


def _read(kind: str, told: str | int) -> Any:
    if kind == "timestamptz":
        return datetime.fromisoformat(str(told))
    return date.fromisoformat(str(told)) if kind == "date" else told
