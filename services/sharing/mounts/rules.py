"""The rules of mounts: plain identifiers, complete mappings, and the states."""

from collections import Counter
from collections.abc import Iterator

from libs.errors import Violation, reasons, require_state, state_conflict
from services.sharing.core.catalogue import DataField
from services.sharing.core.mounting import MountState, TableSource, is_plain


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


def require_unused(name: str, state: MountState) -> None:
    """Raises STATE_CONFLICT where data is read through the mount, or its provider suspended it."""
    require_state(name, state.value, MountState.CREATED.value, MountState.FAILED.value)


def checked(name: str, state: MountState, faults: tuple[str, ...]) -> MountState:
    """Returns the state after a check; raises STATE_CONFLICT where the provider suspended the mount."""
    if state is MountState.SUSPENDED:
        raise state_conflict(name, state.value, "CREATED", "ACTIVE", "FAILED")
    return MountState.FAILED if faults else MountState.ACTIVE
