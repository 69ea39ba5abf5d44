"""The way to the tables: statements written as SQL, their rows read as records.

A record is a frozen dataclass whose fields are columns of a table; ``@of(table)`` compares names and types with the table
when the module is imported, so that a service whose code and tables part does not start. A field may be an enum whose
values are what the column holds; of an array a ``tuple`` or a ``frozenset``, of enums too; of JSON a dataclass or a tuple of them (by its ``to_json`` and ``of_json``, where it has them). So
rules can decide on records themselves: the dataclass stands in the pure file, ``of(table)(Record)`` in the store. Statements run
on the driver itself: for a fixed statement SQLAlchemy costs eight times as much (measured: 0.11 ms against 0.014 ms a lookup).

Parameters are named as in ``:name``; where PostgreSQL can't tell a parameter's type it is cast (``CAST(:ids AS uuid[])``).
``{columns}`` stands for the record's columns, ``{columns:l}`` for them of the table that the statement calls ``l``.
"""

import dataclasses
import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.connection import DatabaseConnection
from libs.db.statement import Statement

Record = TypeVar("Record")
Convert = Callable[[Any], Any]
_COLUMNS = re.compile(r"\{columns(?::(\w+))?\}")
_TYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], type], ...] = (
    (sa.Uuid, str),
    (sa.LargeBinary, bytes),
    (sa.Boolean, bool),
    (sa.DateTime, datetime),
    (sa.Date, date),
    (sa.Interval, timedelta),
    (sa.String, str),
    (sa.Integer, int),
    (sa.Float, float),
    (sa.Numeric, float),
)


class RecordError(TypeError):
    """A record and its table part: one was changed without the other."""


@dataclasses.dataclass(frozen=True, slots=True)
class _RecordColumn:
    """A column as its record knows it."""

    name: str
    selected: str
    decode: Convert | None
    encode: Convert | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Shape:
    """What a record and its table have in common."""

    table: sa.Table
    fields: tuple[_RecordColumn, ...]


_SHAPE = "__shape__"


def of(table: sa.Table) -> Callable[[type[Record]], type[Record]]:
    """Declares a dataclass to be a record of ``table``: all of its columns, or some.

    Raises:
        RecordError: a field is no column, or its type is not what the column holds; the record takes fields by name only.
    """

    def declare(record: type[Record]) -> type[Record]:
        hints = get_type_hints(record)
        fields = dataclasses.fields(record)  # type: ignore[arg-type]
        if any(field.kw_only for field in fields):
            raise RecordError(f"{record.__name__} takes fields by name, and rows come by place")
        names = [field.name for field in fields]
        setattr(record, _SHAPE, _Shape(table, tuple(_field(record, table, name, hints[name]) for name in names)))
        return record

    return declare


def joined(**columns: "sa.Column[Any]") -> sa.Table:
    """Declares what a statement gives that joins tables or computes something, for a record of it: no table is made.

    The statement selects from a subquery that gives each its name: ``SELECT {columns} FROM (SELECT …) AS found``.

    Args:
        columns: by name, the column of a table that it is, or that it is like; ``sa.Column(type_=…)`` for what none is like.
    """
    copies = (sa.Column(name, column.type, nullable=column.nullable) for name, column in columns.items())
    return sa.Table("joined", sa.MetaData(), *copies)


def _field(record: type, table: sa.Table, name: str, hint: Any) -> _RecordColumn:
    where = f"{record.__name__}.{name}"
    column = table.columns.get(name)
    if column is None:
        raise RecordError(f"{where} is no column of {table.name}")
    held, optional = _without_none(hint)
    if optional != bool(column.nullable):
        raise RecordError(f"{where} may be None where the column may not be NULL, or the other way round")
    # Rows are read by place. Under its own name the text would take the column's place in ORDER BY, and with it the index's.
    selected = "{}" + name + (f"::text AS {name}_text" if isinstance(column.type, sa.Uuid) else "")
    if isinstance(column.type, JSONB):
        return _json_field(name, selected, held)
    if isinstance(column.type, ARRAY):
        return _array_field(where, column.type.item_type, _RecordColumn(name, selected, None, None), held)
    if isinstance(held, type) and issubclass(held, Enum):
        return _RecordColumn(name, selected, _optional(held), _optional(_value))
    _compare(where, column.type, held)
    return _RecordColumn(name, selected, None, None)


def _array_field(where: str, items: "sa.types.TypeEngine[Any]", field: _RecordColumn, held: Any) -> _RecordColumn:
    """The record may hold the array as a list, a tuple or a frozenset; of texts also the enums that they are values of."""
    container, item = get_origin(held), get_args(held)[0]
    if isinstance(item, type) and issubclass(item, Enum):
        members = _optional(lambda values: container(map(item, values)))
        return dataclasses.replace(field, decode=members, encode=_optional(lambda values: [_value(v) for v in values]))
    _compare(where, items, item)
    cast = f"::text[] AS {field.name}_text" if isinstance(items, sa.Uuid) else ""
    decode = _optional(container) if container in (tuple, frozenset) else None
    return dataclasses.replace(field, selected=field.selected + cast, decode=decode)


def _json_field(name: str, selected: str, held: Any) -> _RecordColumn:
    """The driver gives JSON as text, and wants it as text."""
    decode: Convert = json.loads
    if dataclasses.is_dataclass(held):
        one = _of_json(held)
        decode = lambda text: one(json.loads(text))  # noqa: E731
    elif get_origin(held) is tuple and dataclasses.is_dataclass(get_args(held)[0]):
        each = _of_json(get_args(held)[0])
        decode = lambda text: tuple(each(value) for value in json.loads(text))  # noqa: E731
    return _RecordColumn(name, selected, _optional(decode), _optional(_json_text))


def _of_json(held: Any) -> Convert:
    """What reads a dataclass from JSON: its own ``of_json``, where it has more than plain fields."""
    return getattr(held, "of_json", None) or (lambda value: held(**value))


def _json_text(value: Any) -> str:
    return json.dumps(value, default=_to_json)


def _to_json(value: Any) -> Any:
    return value.to_json() if hasattr(value, "to_json") else dataclasses.asdict(value)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [each for each in get_args(hint) if each is not type(None)]
        return kinds[0], len(kinds) < len(get_args(hint))
    return hint, False


def _compare(where: str, column: "sa.types.TypeEngine[Any]", held: Any) -> None:
    for kind, python in _TYPES:
        if isinstance(column, kind):
            if held is not python:
                raise RecordError(f"{where} is {held}, the column holds {python.__name__}")
            return
    raise RecordError(f"{where}: no record knows columns of type {column!r}")


def _value(value: Any) -> Any:
    # The filter of a list comes as a name, as the contract's enum gives it.
    return value.value if isinstance(value, Enum) else value


def _optional(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _shape(record: type) -> _Shape:
    shape: _Shape = getattr(record, _SHAPE)
    return shape


def columns_of(record: type) -> tuple[str, tuple[str, ...]]:
    """Returns the name of a record's table, and of its columns."""
    shape = _shape(record)
    return shape.table.name, tuple(each.name for each in shape.fields)


@cache
def _encoders(record: type) -> Mapping[str, Convert]:
    return {each.name: each.encode for each in _shape(record).fields if each.encode is not None}


def encoded(record: type, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns values as the driver takes them: those named as columns of the record as these are written."""
    encoders = _encoders(record)
    if not encoders:
        return values
    return {name: encoders[name](value) if name in encoders else value for name, value in values.items()}


class _Reader(Generic[Record]):
    """Makes records of rows."""

    def __init__(self, record: type[Record], text: str) -> None:
        shape = _shape(record)
        self._record = record
        self._decoders = [(place, each.decode) for place, each in enumerate(shape.fields) if each.decode is not None]

        def columns(found: re.Match[str]) -> str:
            prefix = f"{found[1]}." if found[1] else ""
            return ", ".join(each.selected.format(prefix) for each in shape.fields)

        self._statement = Statement(_COLUMNS.sub(columns, text))

    def _made(self, row: Sequence[Any]) -> Record:
        if not self._decoders:
            return self._record(*row)
        values = list(row)
        for place, decode in self._decoders:
            values[place] = decode(values[place])
        return self._record(*values)

    def _arguments(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return encoded(self._record, values)


class Query(_Reader[Record]):
    """One fixed statement that gives records: a SELECT, or a change with RETURNING.

    A value whose parameter has the name of a JSONB or enum column is written as that column is.
    """

    async def first(self, connection: DatabaseConnection, **values: Any) -> Record | None:
        """Runs the statement and returns its first row, or None."""
        row = await self._statement.first(connection, self._arguments(values))
        return None if row is None else self._made(row)

    async def one(self, connection: DatabaseConnection, **values: Any) -> Record:
        """Runs a statement that gives a row for certain, such as an INSERT with RETURNING."""
        found = await self.first(connection, **values)
        if found is None:
            raise LookupError("the statement gave no row")
        return found

    async def all(self, connection: DatabaseConnection, **values: Any) -> list[Record]:
        """Runs the statement and returns its rows."""
        return [self._made(row) for row in await self._statement.all(connection, self._arguments(values))]


class Insert(Query[Record]):
    """Adds one row. Columns with a default of the server's may be left out; the row comes back as it stands."""

    def __init__(self, record: type[Record], *columns: str) -> None:
        names = columns or tuple(each.name for each in _shape(record).fields)
        text = (
            f"INSERT INTO {_shape(record).table.name} ({', '.join(names)}) VALUES ({', '.join(f':{n}' for n in names)})"  # noqa: S608 - names of our own columns
        )
        super().__init__(record, f"{text} RETURNING {{columns}}")

    async def add(self, connection: DatabaseConnection, made: Record) -> Record:
        """Adds a record that was made here, with all of its fields."""
        return await self.one(connection, **{each.name: getattr(made, each.name) for each in _shape(type(made)).fields})


class Update(Generic[Record]):
    """Changes single rows by their ``id`` and counts their ``version`` up. The caller holds the row's lock, or says ``when``.

    One statement is made for each set of columns, once.
    """

    def __init__(self, record: type[Record], when: str = "") -> None:
        self._record = record
        self._when = when
        self._query = cache(self._built)

    def _built(self, names: tuple[str, ...]) -> Query[Record]:
        shape = _shape(self._record)
        changes = ", ".join(f"{name} = :{name}" for name in names)
        key = "CAST(:row_key AS uuid)" if isinstance(shape.table.columns["id"].type, sa.Uuid) else ":row_key"
        return Query(
            self._record,
            f"UPDATE {shape.table.name} SET {changes}, version = version + 1 WHERE id = {key} "  # noqa: S608 - names of our own columns
            f"{f'AND {self._when} ' if self._when else ''}RETURNING {{columns}}",
        )

    async def first(self, connection: DatabaseConnection, key: str, **values: Any) -> Record | None:
        """Changes the row if it is there, and is as ``when`` says; returns it as it stands then, or None."""
        return await self._query(tuple(values)).first(connection, row_key=key, **values)

    async def one(self, connection: DatabaseConnection, key: str, **values: Any) -> Record:
        """Changes a row that is there for certain."""
        return await self._query(tuple(values)).one(connection, row_key=key, **values)


class Delete(Query[Record]):
    """Takes single rows away by their ``id``; the caller holds the row's lock. What was read of it stays in the log."""

    def __init__(self, record: type[Record]) -> None:
        table = _shape(record).table
        key = "CAST(:row_key AS uuid)" if isinstance(table.columns["id"].type, sa.Uuid) else ":row_key"
        super().__init__(record, f"DELETE FROM {table.name} WHERE id = {key} RETURNING {{columns}}")  # noqa: S608 - names of our own columns

    async def gone(self, connection: DatabaseConnection, key: str) -> Record:
        """Takes away a row that is there for certain; returns it as it stood."""
        return await self.one(connection, row_key=key)


class Page(Generic[Record]):
    """A list whose filters may each be given or not: one statement is made for each set of them, once.

    ``filters`` gives the condition of each filter, with a parameter of the filter's name; the statement ends with
    ``LIMIT :size``.
    """

    def __init__(self, record: type[Record], source: str, order: str, filters: Mapping[str, str]) -> None:
        self._record = record
        self._source = source
        self._order = order
        self._filters = filters
        self._query = cache(self._built)

    def _built(self, names: frozenset[str]) -> Query[Record]:
        where = " AND ".join(f"({self._filters[name]})" for name in sorted(names))
        return Query(
            self._record,
            f"SELECT {self._source} {f'WHERE {where} ' if where else ''}ORDER BY {self._order} LIMIT :size",
        )

    async def rows(self, connection: DatabaseConnection, size: int, **filters: Any) -> list[Record]:
        """Lists at most ``size`` rows. A filter that is None or empty is not given."""
        given = {name: value for name, value in filters.items() if value not in (None, "")}
        return await self._query(frozenset(given)).all(connection, size=size, **given)
