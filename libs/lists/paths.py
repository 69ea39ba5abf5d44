"""The ways along which a list is read: each goes along an index of its table, in the order of the list.

That an index is there is seen when the module is imported: a list whose order no index has does not start.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


class NoIndex(TypeError):
    """A list would be sorted, or searched, without an index."""


@dataclass(frozen=True, slots=True)
class Path:
    """One way to the rows of a list.

    Attributes:
        equal: columns that are held to one value each (an array: that contains it).
        when: the condition of the index, where it is a partial one; it must be one that the list sets, or say of one of the
            columns that it is not empty.
        few: whether so few rows fit that they are sorted as they come: the index need not be in the list's order.
        by: where ``when``, or what another table says, holds columns to a few values: these columns, with which an index begins.
    """

    equal: tuple[str, ...] = ()
    when: str = ""
    few: bool = False
    by: tuple[str, ...] = ()

    def fits(self, held: Mapping[str, Any], conditions: Collection[str]) -> bool:
        """Says whether it can be gone where these columns are held to a value, under these conditions."""
        if not all(held.get(each) for each in self.equal):
            return False
        return not self.when or self.when in conditions or self.adds_nothing

    @property
    def adds_nothing(self) -> bool:
        """Says whether the condition of the index follows from the values."""
        return self.when in {f"{each} <> ''" for each in self.equal}


@dataclass(frozen=True, slots=True)
class Order:
    """One order of a list.

    Attributes:
        columns: what is sorted by, all in one direction; the last ones make it unique.
        paths: the ways that have this order.
    """

    columns: tuple[str, ...]
    paths: tuple[Path, ...] = (Path(),)

    def check(self, table: sa.Table) -> None:
        """Raises NoIndex where a path has no index."""
        indexes = [*_indexes(table)]
        for path in self.paths:
            if not any(_serves(index, path, self.columns) for index in indexes):
                raise NoIndex(f"{table.name}: no index for {path} in the order {self.columns}")

    def path(self, held: Mapping[str, Any], conditions: Collection[str]) -> Path | None:
        """Returns the narrowest way that can be gone; None where there is none."""
        fitting = [each for each in self.paths if each.fits(held, conditions)]
        return max(fitting, key=lambda each: (each.few, len(each.equal), bool(each.when)), default=None)


@dataclass(frozen=True, slots=True)
class _TableIndex:
    """An index as the table declares it."""

    columns: tuple[str, ...]
    when: str
    sorted: bool


def _indexes(table: sa.Table) -> list[_TableIndex]:
    unique = [each for each in table.constraints if isinstance(each, sa.UniqueConstraint | sa.PrimaryKeyConstraint)]
    found = [_TableIndex(tuple(column.name for column in each.columns), "", True) for each in unique]
    found += [_TableIndex((each.name,), "", True) for each in table.columns if each.unique]
    for index in table.indexes:
        options = index.dialect_options["postgresql"]
        names = tuple(getattr(each, "name", str(each)) for each in index.expressions)
        if options["using"] in (False, None, "btree", "gin"):
            found.append(
                _TableIndex(names, "" if options["where"] is None else str(options["where"]), options["using"] != "gin")
            )
    return found


def _serves(index: _TableIndex, path: Path, order: tuple[str, ...]) -> bool:
    if path.by:
        return path.few and index.columns[: len(path.by)] == path.by and not index.when
    if index.when != path.when:
        return False
    width = len(path.equal)
    leads = set(index.columns[:width]) == set(path.equal)
    if path.few:
        return leads and width > 0
    return leads and index.sorted and index.columns[width:] == order


def type_of(table: sa.Table, column: str) -> str:
    """Returns PostgreSQL's name of what a column holds; of an array, of what it holds each."""
    kind: Any = table.columns[column].type
    kind = kind.item_type if isinstance(kind, ARRAY) else kind
    for of, name in _TYPES:
        if isinstance(kind, of):
            return name
    raise NoIndex(f"{table.name}.{column}: no list knows values of type {kind!r}")


def is_array(table: sa.Table, column: str) -> bool:
    """Says whether a column holds an array."""
    return isinstance(table.columns[column].type, ARRAY)


_TYPES: tuple[tuple[type[Any], str], ...] = (
    (sa.Uuid, "uuid"),
    (sa.DateTime, "timestamptz"),
    (sa.Date, "date"),
    (sa.Integer, "bigint"),
    (sa.Text, "text"),
)
