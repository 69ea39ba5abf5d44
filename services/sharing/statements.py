"""The SQL that reads a mounted table. Identifiers come from the checked mount, values only as parameters."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from services.sharing.domain.catalog import Value
from services.sharing.domain.grants import RowCondition, RowOperator
from services.sharing.domain.mounts import TableSource, quoted
from services.sharing.values import bind


@dataclass(frozen=True)
class Mounted:
    """A mounted table as the last check saw it; ``types`` are those of its columns."""

    source: TableSource
    types: Mapping[str, str]

    @cached_property
    def _columns(self) -> dict[str, str]:
        return dict(self.source.columns)

    @cached_property
    def table(self) -> str:
        """The table as it stands in SQL."""
        return quoted(self.source.schema, self.source.table)

    def column(self, field: str) -> str:
        """Returns the column of a field as it stands in SQL."""
        return quoted(self._columns[field])

    def bind(self, path: str, field: str, value: Value) -> Any:
        """Returns a value as the driver wants it for the field's column; None where no row can hold it."""
        return bind(path, value, self.types.get(self._columns[field], ""))

    def holds_fractions(self, field: str) -> bool:
        """Tells whether the field's column holds numbers that are not whole."""
        return self.types.get(self._columns[field]) == "numeric"

    def bind_all(self, path: str, field: str, values: Sequence[Value]) -> list[Any]:
        """Returns those of the values that a row can hold, as the driver wants them."""
        bound = (self.bind(f"{path}[{position}]", field, value) for position, value in enumerate(values))
        return [value for value in bound if value is not None]


def row_arguments(table: Mounted, conditions: Sequence[RowCondition]) -> list[Any]:
    """Returns the arguments of a grant's row conditions."""
    return [_row_argument(table, condition) for condition in conditions]


def _row_argument(table: Mounted, condition: RowCondition) -> Any:
    path, field, value = "row_conditions", condition.field, condition.values[0]
    if condition.operator is RowOperator.IN:
        return table.bind_all(path, field, condition.values)
    if condition.operator is RowOperator.PREFIX:
        return value
    if isinstance(value, Decimal):
        # A column of whole numbers takes no fraction; the bound moves to the next whole number within it.
        value = value if table.holds_fractions(field) else _inner_bound(condition.operator, value)
    return table.bind(path, field, value)


def _inner_bound(operator: RowOperator, value: Decimal) -> int:
    return math.ceil(value) if operator is RowOperator.AT_LEAST else math.floor(value)


def _predicates(table: Mounted, keys: Sequence[str], conditions: Sequence[RowCondition]) -> Iterator[str]:
    number = 0
    for field in keys:
        number += 1
        yield f"{table.column(field)} = ANY(${number})"
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


def select(table: Mounted, fields: Sequence[str], keys: Sequence[str], conditions: Sequence[RowCondition]) -> str:
    """Builds the statement that reads ``fields`` of the rows that ``keys`` select, within the grant's conditions.

    Its arguments: a list for each key, those of the conditions, how many rows at most, how many to leave out. The order
    is that of keys and fields, so that rows that come in another order look the same.
    """
    count = len(keys) + len(conditions)
    order = dict.fromkeys((*keys, *fields))
    return (
        f"SELECT {', '.join(map(table.column, fields))} FROM {table.table} "  # noqa: S608 - checked identifiers
        f"WHERE {' AND '.join(_predicates(table, keys, conditions))} "
        f"ORDER BY {', '.join(map(table.column, order))} LIMIT ${count + 1}::int OFFSET ${count + 2}::int"
    )


def compare(table: Mounted, fields: Sequence[str], keys: Sequence[str], conditions: Sequence[RowCondition]) -> str:
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
