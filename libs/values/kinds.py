"""Values of all kinds as Python has them, and what a value must be. Standard library only: rules decide on these.

A value is ``str``, ``int``, ``Decimal``, ``float``, ``bool``, ``date``, ``datetime`` (UTC), ``bytes``, :class:`Document`, a
``tuple`` of values (a list), a ``dict`` of values by key (a record), or None (nothing stands there). They are those of
``tongban.common.v1.Value``; docs/values.md tells what is the same value and how values are written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, Union


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the material library, by its name ``materials/…``."""

    name: str


Value: TypeAlias = Union[
    str, int, Decimal, float, bool, date, datetime, bytes, Document, "tuple[Value, ...]", "Mapping[str, Value]", None
]


class ValueKind(Enum):
    """What a value is; in the contract the members of ``Value`` and ``ValueType``."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DOUBLE = "double"
    BOOL = "bool"
    DATE = "date"
    TIME = "time"
    BYTES = "bytes"
    LIST = "list"
    RECORD = "record"
    DOCUMENT = "document"
    NULL = "null"


# bool is an int and datetime a date to isinstance; neither may pass for the other.
_KINDS: dict[type, ValueKind] = {
    str: ValueKind.TEXT,
    int: ValueKind.INTEGER,
    Decimal: ValueKind.DECIMAL,
    float: ValueKind.DOUBLE,
    bool: ValueKind.BOOL,
    date: ValueKind.DATE,
    datetime: ValueKind.TIME,
    bytes: ValueKind.BYTES,
    tuple: ValueKind.LIST,
    dict: ValueKind.RECORD,
    Document: ValueKind.DOCUMENT,
    type(None): ValueKind.NULL,
}


def kind_of(value: Value) -> ValueKind:
    """Returns of what kind a value is; raises KeyError for what is none."""
    return _KINDS[type(value)]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the texts that are taken, and what people read in its place."""

    value: str
    display_name: str


@dataclass(frozen=True, slots=True)
class ValueType:
    """What a value must be. What does not belong to its kind stays at its default.

    Attributes:
        kind: its kind; neither DOUBLE nor NULL.
        max_length: of text, in characters as they are printed; of bytes.
        pattern: what all of a text must match; empty where anything goes.
        choices: the texts that are taken; none where any is.
        scale: how many digits stand behind the point of a decimal number at most.
        minimum: the least number, as decimal text; empty where there is none.
        maximum: the greatest, likewise.
        unit: what follows a number; ``CNY`` for an amount of money in yuan.
        items: what each value of a list must be.
        min_items: how many of a list at least.
        max_items: how many at most.
        fields: the fields of a record, in the order in which they are shown.
    """

    kind: ValueKind
    max_length: int = 0
    pattern: str = ""
    choices: tuple[Choice, ...] = ()
    scale: int = 0
    minimum: str = ""
    maximum: str = ""
    unit: str = ""
    items: "ValueType | None" = None
    min_items: int = 0
    max_items: int = 0
    fields: "tuple[ValueField, ...]" = ()

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON keeps it: what is at its default is left out."""
        told: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(self, name))}
        if self.choices:
            told["choices"] = [[each.value, each.display_name] for each in self.choices]
        if self.items is not None:
            told["items"] = self.items.to_json()
        if self.fields:
            told["fields"] = [each.to_json() for each in self.fields]
        return {"kind": self.kind.value, **told}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "ValueType":
        """Reads what :meth:`to_json` gave."""
        plain = {name: told[name] for name in _PLAIN if name in told}
        return cls(
            ValueKind(told["kind"]),
            **plain,
            choices=tuple(Choice(*each) for each in told.get("choices", ())),
            items=cls.of_json(told["items"]) if "items" in told else None,
            fields=tuple(map(ValueField.of_json, told.get("fields", ()))),
        )


_PLAIN = ("max_length", "pattern", "scale", "minimum", "maximum", "unit", "min_items", "max_items")


@dataclass(frozen=True, slots=True)
class ValueField:
    """A field of a record, a form or a licence's face: its key, its label, whether it must be there, what it must be."""

    key: str
    display_name: str
    required: bool
    type: ValueType

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON keeps it."""
        told = {"key": self.key, "display_name": self.display_name, "required": self.required}
        return {**told, "type": self.type.to_json()}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "ValueField":
        """Reads what :meth:`to_json` gave."""
        return cls(told["key"], told["display_name"], told["required"], ValueType.of_json(told["type"]))
