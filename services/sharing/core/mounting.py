"""Mounted tables: where they are, what of them was seen, and whether it fits the catalogue entry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from libs.errors import invalid_field
from services.sharing.core.catalogue import DataField, DataType

_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_TEXT = frozenset({"text", "character varying", "character", "uuid"})
_FLOATING = frozenset({"double precision", "real"})
_WHOLE = frozenset({"smallint", "integer", "bigint"})
_COLUMN_TYPES: dict[DataType, frozenset[str]] = {
    DataType.CHARACTER: _TEXT,
    DataType.NUMERIC: _WHOLE | {"numeric"},
    DataType.CURRENCY: _WHOLE | {"numeric"},
    DataType.DATE: frozenset({"date"}),
    DataType.DATE_TIME: frozenset({"timestamp with time zone"}),
    DataType.LOGICAL: frozenset({"boolean"}),
    DataType.MEMO: _TEXT,
    DataType.GENERAL: _TEXT | {"bytea"},
    DataType.DOUBLE: _FLOATING,
    DataType.INTEGER: _WHOLE,
    DataType.FLOAT: _FLOATING,
}


class MountState(Enum):
    """The states of a mount, as rows name them."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table and the columns that hold its fields, as (field, column)."""

    data_source: str
    schema: str
    table: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MountedTable:
    """A mounted table as the last check saw it.

    Attributes:
        source: where it is.
        types: those of its columns, as ``information_schema.columns`` calls them.
        key: the columns that tell a row from every other; empty where the table has no unique key.
    """

    source: TableSource
    types: Mapping[str, str]
    key: tuple[str, ...] = ()


def is_plain(identifier: str) -> bool:
    """Tells whether an identifier is lower-case ASCII letters, digits and underscores, at most 63 bytes."""
    return _PLAIN.fullmatch(identifier) is not None


def quoted(*identifiers: str) -> str:
    """Returns identifiers as they stand in SQL, ``"schema"."table"``.

    They are quoted, so that a reserved word does no harm, and checked again, so that no quote can stand within.

    Raises:
        InvalidArgument: FIELD_INVALID, where one is not plain.
    """
    for identifier in identifiers:
        if not is_plain(identifier):
            raise invalid_field("table", "identifier.plain", "an identifier is not plain")
    return ".".join(f'"{identifier}"' for identifier in identifiers)


def findings(source: TableSource, fields: tuple[DataField, ...], found: Mapping[str, str]) -> tuple[str, ...]:
    """Compares a mount with the table as it is and returns what is wrong, a line each.

    Args:
        source: the mount.
        fields: the fields of its resource.
        found: the table's columns with their types as ``information_schema.columns`` calls them; empty where there is
            no such table.
    """
    if not found:
        return (f"there is no table {source.schema}.{source.table} that this service may read",)
    types = {field.code: field.data_type for field in fields}
    return tuple(
        line for field, column in source.columns if (line := _column_finding(column, types[field], found.get(column)))
    )


def _column_finding(column: str, wanted: DataType, found: str | None) -> str:
    if found is None:
        return f"there is no column {column}"
    return "" if found in _COLUMN_TYPES[wanted] else f"column {column} is {found}, which does not hold {wanted.name}"
