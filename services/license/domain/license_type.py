"""Licence types: what may stand on a face, who may hold it, when it may be issued."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from libs.errors import Violation, invalid_field, reasons, state_conflict
from libs.names import is_blank, printed


class TypeState(Enum):
    """Where a type stands; the names are those of LicenseTypeState in the contract."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    DEPRECATED = "DEPRECATED"


class HolderCategory(Enum):
    """Who may hold a licence of a type; the names are those of HolderCategory in the contract."""

    PERSON = "PERSON"
    ORGANIZATION = "ORGANIZATION"
    ANY = "ANY"


@dataclass(frozen=True, slots=True)
class FaceField:
    """An item of information on the face (照面信息项); ``max_length`` in characters."""

    key: str
    label: str
    required: bool
    max_length: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder (持证主体): account (may be empty), printed name, and document (type code of GA/T 2000.156, number)."""

    subject: str
    display_name: str
    document_type: str
    document_number: str


@dataclass(frozen=True, slots=True)
class LicenseType:
    """What the rules need of a type."""

    name: str
    state: TypeState
    holder_category: HolderCategory
    face_fields: tuple[FaceField, ...]


def is_organization(document_type: str) -> bool:
    """Returns whether a document type code names an organisation (001 to 099) and not a natural person."""
    return document_type.startswith("0")


def check_face_fields(fields: Sequence[FaceField]) -> None:
    """Raises FIELD_INVALID where a face key stands twice in a type."""
    seen: set[str] = set()
    for position, field in enumerate(fields):
        if field.key in seen:
            raise invalid_field(f"face_fields[{position}].key", "face_fields.unique", "must stand once only")
        seen.add(field.key)


def published(name: str, state: TypeState) -> TypeState:
    """Returns the state after publishing the type ``name``; raises STATE_CONFLICT unless it is a draft."""
    if state is not TypeState.DRAFT:
        raise state_conflict(name, state.value, TypeState.DRAFT.value)
    return TypeState.PUBLISHED


def check_published(kind: LicenseType) -> None:
    """Raises LICENSE_TYPE_NOT_PUBLISHED unless licences of the type may be issued."""
    if kind.state is not TypeState.PUBLISHED:
        raise reasons.license_type_not_published(
            f"{kind.name} is {kind.state.value}",
            license_type=kind.name,
            state=kind.state.value,
        )


def check_issue(kind: LicenseType, holders: Sequence[Holder], face: Mapping[str, str]) -> None:
    """Checks that a licence of the type may be issued to these holders with this face.

    Raises:
        FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED.
        InvalidArgument: FIELD_INVALID, with every rule that is broken.
    """
    check_published(kind)
    broken = (*_holder_violations(kind.holder_category, holders), *_face_violations(kind.face_fields, face))
    if broken:
        raise reasons.field_invalid("the licence breaks rules of its type", violations=broken)


def _holder_violations(category: HolderCategory, holders: Sequence[Holder]) -> list[Violation]:
    found = []
    seen: set[tuple[str, str]] = set()
    for position, holder in enumerate(holders):
        actual = HolderCategory.ORGANIZATION if is_organization(holder.document_type) else HolderCategory.PERSON
        if category not in (HolderCategory.ANY, actual):
            path = f"holders[{position}].document.type_code"
            found.append(Violation(path, "holders.category", f"the type is held by {category.value} only"))
        document = (holder.document_type, holder.document_number.upper())
        if document in seen:
            found.append(Violation(f"holders[{position}]", "holders.unique", "a holder must stand once only"))
        seen.add(document)
    return found


def _face_violations(fields: Sequence[FaceField], face: Mapping[str, str]) -> list[Violation]:
    found = []
    for field in fields:
        value = face.get(field.key, "")
        path = f"face_fields.{field.key}"
        if field.required and is_blank(value):
            found.append(Violation(path, "face_fields.required", "the type requires it"))
        if len(printed(value)) > field.max_length:
            found.append(Violation(path, "face_fields.max_length", f"at most {field.max_length} characters"))
    known = {field.key for field in fields}
    found += [
        Violation(f"face_fields.{key}", "face_fields.known", "the type has no such field")
        for key in sorted(face)
        if key not in known
    ]
    return found
