"""The SQL that reads a mounted table. Identifiers come from the checked mount, values only as parameters."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from libs.errors import InvalidArgument
from services.sharing.core.catalogue import Value
from services.sharing.core.granting import RowCondition, RowOperator
from services.sharing.core.mounting import MountedTable, quoted
from services.sharing.data.values import LONGEST_BYTES, LONGEST_TEXT, bind, bound_within

_TEXTUAL = frozenset({"text", "character varying", "character"})
_ALL_ROWS = "hashtextextended(concat_ws('/', count(*) OVER (), sum(p0) OVER ()), 0)"
_ELEMENT = {"character varying": "text", "character": "bpchar"}


@dataclass(frozen=True)
class ReadableTable(MountedTable):
    """A mounted table with what stands of it in SQL."""

    @cached_property
    def _columns(self) -> dict[str, str]:
        return dict(self.source.columns)

    @cached_property
    def table(self) -> str:
        """The table as it stands in SQL."""
        return quoted(self.source.schema, self.source.table)

    @cached_property
    def order(self) -> int:
        """A number for the columns of the unique key, never 0: by another key rows come in another order."""
        return int.from_bytes(hashlib.sha256("/".join(self.key).encode()).digest()[:7]) + 1

    def column(self, field: str) -> str:
        """Returns the column of a field as it stands in SQL."""
        return quoted(self._columns[field])

    def bind(self, path: str, field: str, value: Value) -> Any:
        """Returns a value as the driver wants it for the field's column; None where no row can hold it."""
        return bind(path, value, self.column_type(field))

    def bind_bound(self, field: str, value: int, *, at_least: bool) -> Any:
        """Returns a whole bound as the driver wants it for the field's column; None where nothing is within it."""
        kind = self.column_type(field)
        within = bound_within(value, kind, at_least=at_least)
        return None if within is None else bind("row_conditions", within, kind)

    def holds_fractions(self, field: str) -> bool:
        """Tells whether the field's column holds numbers that are not whole."""
        return self.column_type(field) == "numeric"

    def column_type(self, field: str) -> str:
        """Returns the type of the field's column, as the last look at the table found it; empty where it saw none."""
        return self.types.get(self._columns[field], "")

    def element(self, field: str) -> str:
        """Returns the type of a list that the field's column is compared with."""
        found = self.types.get(self._columns[field], "text")
        return _ELEMENT.get(found, found)

    def cut(self, field: str) -> str:
        """Returns the column of a field, cut where it is longer than can be given, so that no huge cell is carried."""
        column, kind = self.column(field), self.column_type(field)
        if kind == "bytea":
            return f"substring({column} FROM 1 FOR {LONGEST_BYTES + 1})"
        return f"left({column}, {LONGEST_TEXT + 1})" if kind in _TEXTUAL else column

    def place(self) -> str:
        """Returns the expression that rows of one key value are put in order by.

        A digest of what tells the row from the others: it is the same from page to page whatever is inserted, deleted or
        changed beside it, needs no order of the columns' types, and says nothing of the row in a page token. Without a
        unique key it is made over all mapped columns, so that a row that changes between two pages is another row: what all
        rows together were is then compared from page to page (``select``).
        """
        columns = self.key or tuple(self._columns.values())
        return f"hashtextextended(ROW({', '.join(map(quoted, columns))})::text, 0)"

    def bind_all(self, path: str, field: str, values: Sequence[Value]) -> list[Any]:
        """Returns the values as the driver wants them, None for each that no row can hold (nothing equals it)."""
        return [self.bind(f"{path}[{position}]", field, value) for position, value in enumerate(values)]


def row_arguments(table: ReadableTable, conditions: Sequence[RowCondition]) -> list[Any]:
    """Returns the arguments of a grant's row conditions."""
    return [_row_argument(table, condition) for condition in conditions]


def _row_argument(table: ReadableTable, condition: RowCondition) -> Any:
    path, field, value = "row_conditions", condition.field, condition.values[0]
    if condition.operator is RowOperator.IN:
        return [_held(table, field, each) for each in condition.values]
    if condition.operator is RowOperator.PREFIX:
        return value
    if isinstance(value, Decimal):
        # A column of whole numbers takes no fraction; the bound moves to the next whole number within it.
        value = value if table.holds_fractions(field) else _inner_bound(condition.operator, value)
    if type(value) is int:
        return table.bind_bound(field, value, at_least=condition.operator is RowOperator.AT_LEAST)
    return table.bind(path, field, value)


def _held(table: ReadableTable, field: str, value: Value) -> Any:
    """Returns a value of a grant as the driver wants it; None where no row can hold it, which is no fault of the caller."""
    try:
        return table.bind("row_conditions", field, value)
    except InvalidArgument:
        return None


def _inner_bound(operator: RowOperator, value: Decimal) -> int:
    return math.ceil(value) if operator is RowOperator.AT_LEAST else math.floor(value)


def _predicates(table: ReadableTable, keys: Sequence[str], conditions: Sequence[RowCondition]) -> Iterator[str]:
    number = 0
    for field in keys:
        number += 1
        yield f"{table.column(field)} = ANY(${number}::{table.element(field)}[])"
    for condition in conditions:
        number += 1
        column = table.column(condition.field)
        match condition.operator:
            case RowOperator.IN:
                yield f"{column} = ANY(${number})"
            case RowOperator.PREFIX:
                yield f"starts_with({column}::text, ${number})"
            case RowOperator.AT_LEAST:
                yield f"{column} >= ${number}"
            case RowOperator.AT_MOST:
                yield f"{column} <= ${number}"


def select(
    table: ReadableTable,
    fields: Sequence[str],
    keys: Sequence[str],
    conditions: Sequence[RowCondition],
    after: bool = False,
    raw: bool = False,
) -> str:
    """Builds the statement that reads ``fields`` of the rows that ``keys`` select, within the grant's conditions.

    Its arguments: a list for each key, those of the conditions, how many rows at most; then, ``after`` another page, the
    place at which to go on. A row comes with its fields, and then its place: which value of each key's list it holds, and
    its digest (``ReadableTable.place``); from a table without a unique key, then a digest of all rows that are selected, on
    whatever page. With ``raw`` a field is the bytes of its text, and the database's encoding comes last.
    """
    count = len(keys) + len(conditions)
    values = [_raw(table, field) if raw else table.cut(field) for field in fields]
    places = [
        f"array_position(${number}::{table.element(field)}[], {table.column(field)}::{table.element(field)}) AS p{number}"
        for number, field in enumerate(keys, start=1)
    ]
    order = [f"p{number}" for number in range(1, len(keys) + 1)] + ["p0"]
    named = [f"{value} AS f{number}" for number, value in enumerate(values)]
    shown = [f"f{number}" for number in range(len(values))] + order
    rows = (
        f"SELECT {', '.join([*named, *places])}, {table.place()} AS p0 "  # noqa: S608 - checked identifiers
        f"FROM {table.table} WHERE {' AND '.join(_predicates(table, keys, conditions))}"
    )
    if not table.key:
        rows = f"SELECT *, {_ALL_ROWS} AS all_rows FROM ({rows}) AS selected"  # noqa: S608 - a text of our own
        shown.append("all_rows")
    if raw:
        shown.append("getdatabaseencoding()::text AS encoding")
    start = f"WHERE ({', '.join(order)}) >= ({_place_arguments(len(order), count + 2)}) " if after else ""
    return (
        f"SELECT {', '.join(shown)} FROM ({rows}) AS found "  # noqa: S608 - made of the above
        f"{start}ORDER BY {', '.join(order)} LIMIT ${count + 1}::int"
    )


def _place_arguments(length: int, first: int) -> str:
    types = ["int"] * (length - 1) + ["bigint"]
    return ", ".join(f"${first + n}::{kind}" for n, kind in enumerate(types))


def _raw(table: ReadableTable, field: str) -> str:
    """No conversion and no check of the encoding: bytes that are no text come out as they are."""
    if table.column_type(field) == "bytea":
        return table.cut(field)
    return f"convert_to(left({table.column(field)}::text, {LONGEST_TEXT + 1}), getdatabaseencoding())"


def compare(
    table: ReadableTable, fields: Sequence[str], keys: Sequence[str], conditions: Sequence[RowCondition]
) -> str:
    """Builds the statement that tells of each of ``fields`` whether a selected row holds the given value.

    Its arguments: a list for each key, those of the conditions, a value for each field. It answers with one row: whether
    any row is selected, then a truth value for each field. No value of the table leaves the database.
    """
    count = len(keys) + len(conditions)
    tests = (
        f"coalesce(bool_or({table.column(field)} = ${count + n}), false)" for n, field in enumerate(fields, start=1)
    )
    return (
        f"SELECT count(*) > 0, {', '.join(tests)} FROM {table.table} "  # noqa: S608 - checked identifiers
        f"WHERE {' AND '.join(_predicates(table, keys, conditions))}"
    )
