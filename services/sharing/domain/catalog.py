"""Catalogue entries: the three sharing classes and what they ask for."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum

from libs.errors import Violation, invalid_field, reasons, state_conflict
from services.sharing.domain.codes import parse_code


class SharingClass(IntEnum):
    """The sharing classes (共享类型). A larger number is stricter."""

    UNCONDITIONAL = 1
    CONDITIONAL = 2
    NOT_SHARED = 3


class ResourceForm(IntEnum):
    """The forms in which a resource is delivered."""

    TABLE = 1
    FILE = 2
    INTERFACE = 3


class ResourceState(IntEnum):
    """The states of a catalogue entry."""

    DRAFT = 1
    SUBMITTED = 2
    PUBLISHED = 3
    WITHDRAWN = 4


class DataType(IntEnum):
    """The data types of information items (信息项)."""

    CHARACTER = 1
    NUMERIC = 2
    CURRENCY = 3
    DATE = 4
    DATE_TIME = 5
    LOGICAL = 6
    MEMO = 7
    GENERAL = 8
    DOUBLE = 9
    INTEGER = 10
    FLOAT = 11


TEXT_TYPES = frozenset({DataType.CHARACTER, DataType.MEMO, DataType.GENERAL})
"""The data types whose values are text."""

Value = str | int | float | bool | Decimal | date | datetime
"""A value of a field; None stands for nothing only in answers."""

_VALUE_TYPES: dict[DataType, tuple[type, ...]] = {
    DataType.CHARACTER: (str,),
    DataType.NUMERIC: (Decimal, int),
    DataType.CURRENCY: (Decimal, int),
    DataType.DATE: (date,),
    DataType.DATE_TIME: (datetime,),
    DataType.LOGICAL: (bool,),
    DataType.MEMO: (str,),
    DataType.GENERAL: (str,),
    DataType.DOUBLE: (float, int),
    DataType.INTEGER: (int,),
    DataType.FLOAT: (float, int),
}

# A citation names the law in title marks (书名号), as Chinese legal writing does.
_CITATION = re.compile("《[^《》]+》")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataField:
    """An information item; ``sharing_class`` None means the resource's."""

    code: str
    data_type: DataType
    key: bool = False
    sharing_class: SharingClass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the rules need to know of a catalogue entry."""

    code: str
    form: ResourceForm
    fields: tuple[DataField, ...]
    sharing_class: SharingClass
    sharing_condition: str = ""
    restriction_basis: str = ""
    open_to_public: bool = False

    def class_of(self, field: DataField) -> SharingClass:
        """Returns the sharing class that holds for a field: the stricter of its own and the resource's."""
        return max(self.sharing_class, field.sharing_class or self.sharing_class)

    def field_map(self) -> dict[str, DataField]:
        """Returns the fields by their codes."""
        return {field.code: field for field in self.fields}


def check_entry(entry: Entry) -> None:
    """Holds an entry to the rules of the catalogue (发改高技 2017 no. 1272; 《政务数据共享条例》).

    Raises:
        InvalidArgument: FIELD_INVALID, with every rule that is broken.
    """
    parse_code(entry.code)
    violations = (*_field_violations(entry), *_class_violations(entry))
    if violations:
        raise reasons.field_invalid(violations[0].description, violations=violations)


def _field_violations(entry: Entry) -> Iterator[Violation]:
    doubled = [code for code, count in Counter(field.code for field in entry.fields).items() if count > 1]
    if doubled:
        yield Violation("entry.fields", "field.unique", f"fields stand twice: {', '.join(doubled)}")
    if entry.form is ResourceForm.TABLE and not any(field.key for field in entry.fields):
        yield Violation("entry.fields", "field.key", "a table needs a key field, by which rows are selected")
    for position, field in enumerate(entry.fields):
        if field.sharing_class is not None and field.sharing_class < entry.sharing_class:
            yield Violation(
                f"entry.fields[{position}].sharing_class", "field.class", "a field is never more open than the resource"
            )


def _class_violations(entry: Entry) -> Iterator[Violation]:
    classes = {entry.sharing_class, *(entry.class_of(field) for field in entry.fields)}
    if SharingClass.CONDITIONAL in classes and not entry.sharing_condition.strip():
        yield Violation("entry.sharing_condition", "class.condition", "conditional sharing states its condition")
    if SharingClass.NOT_SHARED in classes and not _CITATION.search(entry.restriction_basis):
        yield Violation(
            "entry.restriction_basis",
            "class.basis",
            "what is not shared cites a law, administrative regulation or State Council decision, in 《》",
        )
    if entry.open_to_public and entry.sharing_class is SharingClass.NOT_SHARED:
        yield Violation("entry.open_to_public", "class.open", "what is not shared is not open to the public")


# ---- life ----


def submitted(name: str, state: ResourceState) -> ResourceState:
    """Returns the state after an entry is handed in; raises STATE_CONFLICT unless it is a draft."""
    return _moved(name, state, ResourceState.DRAFT, ResourceState.SUBMITTED)


def published(name: str, state: ResourceState) -> ResourceState:
    """Returns the state after publication; raises STATE_CONFLICT unless the entry was handed in."""
    return _moved(name, state, ResourceState.SUBMITTED, ResourceState.PUBLISHED)


def withdrawn(name: str, state: ResourceState) -> ResourceState:
    """Returns the state after withdrawal; raises STATE_CONFLICT unless the entry is published."""
    return _moved(name, state, ResourceState.PUBLISHED, ResourceState.WITHDRAWN)


def require_published(name: str, state: ResourceState) -> None:
    """Raises STATE_CONFLICT unless the entry is published."""
    _moved(name, state, ResourceState.PUBLISHED, ResourceState.PUBLISHED)


def _moved(name: str, state: ResourceState, source: ResourceState, target: ResourceState) -> ResourceState:
    if state is not source:
        raise state_conflict(name, state.name, source.name)
    return target


# ---- what a request or a query says about fields ----


def require_known(resource: str, entry: Entry, fields: Collection[str]) -> None:
    """Raises FIELD_UNKNOWN, naming them, where the resource lacks some of the fields."""
    known = entry.field_map()
    unknown = [code for code in fields if code not in known]
    if unknown:
        named = ",".join(unknown)
        raise reasons.field_unknown(f"{resource} has no field {named}", resource=resource, fields=named)


def require_shareable(resource: str, entry: Entry, fields: Collection[str]) -> SharingClass:
    """Returns the strictest sharing class among known ``fields``: that which sets the deadline of a request.

    Raises:
        FailedPrecondition: RESOURCE_NOT_SHARED, where the law forbids sharing the resource or one of the fields.
    """
    known = entry.field_map()
    strictest = max((entry.class_of(known[code]) for code in fields), default=entry.sharing_class)
    if strictest is SharingClass.NOT_SHARED:
        raise reasons.resource_not_shared(
            f"{resource}, or a field asked for, is not shared",
            resource=resource,
            basis=entry.restriction_basis,
        )
    return strictest


def require_keys(resource: str, entry: Entry, fields: Collection[str]) -> None:
    """Raises FIELD_UNKNOWN or FIELD_NOT_KEY where rows can't be selected by one of the fields."""
    require_known(resource, entry, fields)
    known = entry.field_map()
    others = ",".join(code for code in fields if not known[code].key)
    if others:
        raise reasons.field_not_key(
            f"rows of {resource} are not selected by {others}", resource=resource, fields=others
        )


def require_type(path: str, field: DataField, value: object) -> None:
    """Raises FIELD_INVALID at ``path`` where ``value`` is not of the field's data type."""
    # bool is an int and datetime a date to isinstance; neither may pass for the other here.
    if type(value) not in _VALUE_TYPES[field.data_type]:
        raise invalid_field(path, "value.type", f"{field.code} holds {field.data_type.name}")
