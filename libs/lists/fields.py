"""What a list can be filtered by: each field has a kind, which says what its values are and how they are compared.

Columns are SQL of our own; what a caller gives becomes a parameter, cast to the column's type. A missing value fits no
comparison, and ``!=`` is the opposite of ``=``: so ``NOT`` turns every answer round, as it does not in SQL.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

_EQUAL = frozenset({"=", "!=", ":*"})
_ORDERED = _EQUAL | {"<", "<=", ">", ">="}
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"-?[0-9]{1,15}")
_REGION = "[a-z0-9][a-z0-9-]{0,30}[a-z0-9]"
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field of a list's rows.

    Attributes:
        column: the column, or an expression over columns and parameters of the list's own.
        cast: PostgreSQL's type of a value.
        read: makes the value of its text; raises ValueError, whose text tells the caller what is wanted.
        operators: those that the field knows; ``:*`` asks whether anything is there.
        present: the condition that something is there.
        nullable: whether the column may be NULL.
        beyond: where it is no comparison of the column, the condition in full, with ``{value}`` in it.
    """

    column: str
    cast: str
    read: Callable[[str], Any]
    operators: frozenset[str]
    present: str
    nullable: bool = False
    beyond: str = ""

    def compared(self, operator: str, parameter: str) -> str:
        """Returns the condition; ``parameter`` is the name of the value's."""
        value = f"CAST(:{parameter} AS {self.cast})"
        if self.beyond:
            return self.beyond.format(value=value)
        if operator == ":":
            return f"{self.column} @> ARRAY[{value}]"
        sign = "=" if operator == "!=" else operator
        plain = f"{self.column} {sign} {value}"
        held = f"({self.column} IS NOT NULL AND {plain})" if self.nullable else plain
        return f"NOT ({held})" if operator == "!=" else held


def text(column: str, *, nullable: bool = False) -> FilterField:
    """A text, such as a code or a whole resource name; absent where it is empty."""
    present = f"({column} IS NOT NULL AND {column} <> '')" if nullable else f"{column} <> ''"
    return FilterField(column, "text", _as_it_is, _EQUAL, present, nullable)


def named(column: str, collection: str, *, nullable: bool = False) -> FilterField:
    """The name of a resource, of which the column holds the id; ``*`` in the collection stands for what it lies in."""
    within = "/".join(_UUID if each == "*" else re.escape(each) for each in collection.split("/"))
    pattern = re.compile(f"{within}/(?P<id>{_UUID})")

    def read(given: str) -> str:
        found = pattern.fullmatch(given)
        if found is None:
            raise ValueError(f"a name is {collection.replace('*', '<uuid>')}/<uuid>")
        return found["id"]

    return FilterField(column, "uuid", read, _EQUAL, f"{column} IS NOT NULL", nullable)


def name(column: str, *collections: str, nullable: bool = False) -> FilterField:
    """A whole resource name, as the column holds it: of one of the collections, of this or another region."""
    local = "|".join(re.escape(each) for each in collections)
    pattern = re.compile(f"(//{_REGION}/)?({local})/{_UUID}")

    def read(given: str) -> str:
        if not pattern.fullmatch(given):
            raise ValueError(f"a name is {' or '.join(f'{each}/<uuid>' for each in collections)}")
        return given

    return replace(text(column, nullable=nullable), read=read)


def choice(column: str, enum: Any) -> FilterField:
    """A value of an enum of the contract, by the name that the contract gives it; absent where it is empty."""
    return FilterField(column, "text", _one_of(enum), _EQUAL, f"{column} <> ''")


def choices(column: str, enum: Any) -> FilterField:
    """A list of values of an enum: ``field:VALUE`` asks whether one of them is the value."""
    return replace(texts(column), read=_one_of(enum))


def names(column: str, *collections: str) -> FilterField:
    """A list of whole resource names; ``field:name`` asks whether one of them is the name."""
    return replace(texts(column), read=name(column, *collections).read)


def elsewhere(path: str, of: FilterField, condition: str) -> FilterField:
    """What another table says of a row; ``field:value`` asks whether it says so.

    Args:
        path: what a path calls it that goes along the rows of which it is said.
        of: the kind of its values.
        condition: says it of the row by a column with an index, with ``{value}`` in it.
    """
    return replace(of, column=path, operators=frozenset({":"}), present="", beyond=condition)


def only(column: str) -> FilterField:
    """A list that holds the text of a column, or nothing; ``field:value`` asks whether it holds the value."""
    return replace(text(column), operators=frozenset({":", ":*"}), beyond=f"{column} = {{value}}")


def _one_of(enum: Any) -> Callable[[str], str]:
    values = enum.DESCRIPTOR.values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    names = {each.name: each.name.removeprefix(prefix) for each in values if each.number}

    def one_of(given: str) -> str:
        if given not in names:
            raise ValueError(f"a value is one of {', '.join(names)}")
        return str(names[given])

    return one_of


def moment(column: str, *, nullable: bool = False) -> FilterField:
    """A time: RFC 3339, with its offset."""
    return FilterField(column, "timestamptz", _moment, _ORDERED, f"{column} IS NOT NULL", nullable)


def day(column: str, *, nullable: bool = False) -> FilterField:
    """A day: ``2024-05-31``."""
    return FilterField(column, "date", _day, _ORDERED, f"{column} IS NOT NULL", nullable)


def number(column: str, *, nullable: bool = False) -> FilterField:
    """A whole number."""
    return FilterField(column, "bigint", _number, _ORDERED, f"{column} IS NOT NULL", nullable)


def flag(column: str) -> FilterField:
    """``true`` or ``false``."""
    return FilterField(column, "boolean", _flag, frozenset({"=", "!="}), "TRUE")


def texts(column: str) -> FilterField:
    """A list of texts: ``field:value`` asks whether one of them is the value."""
    return FilterField(column, "text", _as_it_is, frozenset({":", ":*"}), f"{column} <> '{{}}'")


def _as_it_is(given: str) -> str:
    return given


def _moment(given: str) -> datetime:
    wanted = "a time is written as 2024-05-31T09:00:00+08:00"
    if not _MOMENT.fullmatch(given):
        raise ValueError(wanted)
    try:
        return datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(wanted) from None


def _day(given: str) -> date:
    if not _DAY.fullmatch(given):
        raise ValueError("a day is written as 2024-05-31")
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ValueError("there is no such day") from None


def _number(given: str) -> int:
    if not _NUMBER.fullmatch(given):
        raise ValueError("a number is whole, and has at most 15 digits")
    return int(given)


def _flag(given: str) -> bool:
    if given not in ("true", "false"):
        raise ValueError("a value is true or false")
    return given == "true"
