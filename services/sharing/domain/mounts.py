"""Mounted tables: plain identifiers, complete mappings, fitting column types."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from libs.errors import Violation, invalid_field, reasons, state_conflict
from services.sharing.domain.catalog import DataField, DataType

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
    DataType.GENERAL: _TEXT,
    DataType.DOUBLE: _FLOATING,
    DataType.INTEGER: _WHOLE,
    DataType.FLOAT: _FLOATING,
}


class MountState(IntEnum):
    """The states of a mount."""

    CREATED = 1
    ACTIVE = 2
    FAILED = 3
    SUSPENDED = 4


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table and the columns that hold its fields, as (field, column)."""

    data_source: str
    schema: str
    table: str
    columns: tuple[tuple[str, str], ...]


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


def check_source(source: TableSource, fields: tuple[DataField, ...]) -> None:
    """Holds a mount to its rules: plain identifiers, no system schema, each field one column, no column twice.

    Raises:
        InvalidArgument: FIELD_INVALID, with every rule that is broken.
    """
    violations = (*_identifier_violations(source), *_mapping_violations(source, {field.code for field in fields}))
    if violations:
        raise reasons.field_invalid(violations[0].description, violations=violations)


def _identifier_violations(source: TableSource) -> Iterator[Violation]:
    named = {"table.schema": source.schema, "table.table": source.table}
    named |= {f"table.columns[{n}].column": column for n, (_, column) in enumerate(source.columns)}
    for path, identifier in named.items():
        if not is_plain(identifier):
            yield Violation(path, "identifier.plain", "must be lower-case letters, digits and '_', at most 63")
    if source.schema.startswith("pg_") or source.schema == "information_schema":
        yield Violation("table.schema", "schema.system", "must not be a schema of PostgreSQL itself")


def _mapping_violations(source: TableSource, wanted: set[str]) -> Iterator[Violation]:
    mapped = Counter(field for field, _ in source.columns)
    taken = Counter(column for _, column in source.columns)
    for rule, codes in (
        ("mapping.missing", sorted(wanted - mapped.keys())),
        ("mapping.unknown", sorted(mapped.keys() - wanted)),
        ("mapping.field_twice", sorted(code for code, count in mapped.items() if count > 1)),
        ("mapping.column_twice", sorted(column for column, count in taken.items() if count > 1)),
    ):
        if codes:
            yield Violation("table.columns", rule, f"{rule.removeprefix('mapping.')}: {', '.join(codes)}")


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


def checked(name: str, state: MountState, faults: tuple[str, ...]) -> MountState:
    """Returns the state after a check; raises STATE_CONFLICT where the provider suspended the mount."""
    if state is MountState.SUSPENDED:
        raise state_conflict(name, state.name, "CREATED", "ACTIVE", "FAILED")
    return MountState.FAILED if faults else MountState.ACTIVE
