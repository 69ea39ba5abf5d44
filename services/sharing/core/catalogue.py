"""What all features need to know of catalogue entries: the fields, their types, and how far the law lets them be shared.

The numbers of the integer enums are those of ``tongban.sharing.v1``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum

from libs.errors import invalid_field, reasons


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


class ResourceState(Enum):
    """The states of a catalogue entry, as rows name them."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DataField:
    """An information item; ``sharing_class`` None means the resource's."""

    code: str
    data_type: DataType
    key: bool = False
    sharing_class: SharingClass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
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


def require_known(resource: str, entry: CatalogueEntry, fields: Collection[str]) -> None:
    """Raises FIELD_UNKNOWN, naming them, where the resource lacks some of the fields."""
    known = entry.field_map()
    unknown = [code for code in fields if code not in known]
    if unknown:
        named = ",".join(unknown)
        raise reasons.field_unknown(f"{resource} has no field {named}", resource=resource, fields=named)


def require_shareable(resource: str, entry: CatalogueEntry, fields: Collection[str]) -> SharingClass:
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


def require_keys(resource: str, entry: CatalogueEntry, fields: Collection[str]) -> None:
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
