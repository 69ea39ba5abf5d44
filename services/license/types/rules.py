"""What a licence type may be made of, and when it comes into the catalogue."""

from collections.abc import Iterator, Sequence

from libs.errors import Violation, reasons, require_state
from libs.values.checks import declared_faults
from libs.values.kinds import ValueField, ValueKind, ValueType
from services.license.core.catalogue import TypeState

LONGEST_FACE_TEXT = 2_000
"""Characters of a text on a face: what a page can hold."""
_NOT_SHOWN = frozenset({ValueKind.BYTES, ValueKind.DOCUMENT})
_FACE = "license_type.face_fields"


def check_face_fields(fields: Sequence[ValueField]) -> None:
    """Raises FIELD_INVALID where a face key stands twice in a type, or what is declared makes no sense on a page."""
    broken = [*declared_faults(fields, _FACE)]
    for position, field in enumerate(fields):
        broken += _unprintable(field.type, f"{_FACE}[{position}].type")
    if broken:
        raise reasons.field_invalid("the face can't be declared so", violations=tuple(broken))


def _unprintable(declared: ValueType, path: str) -> Iterator[Violation]:
    if declared.kind in _NOT_SHOWN:
        yield Violation(path, "face_fields.shown", "a page can't show it")
    elif declared.kind is ValueKind.TEXT and declared.max_length > LONGEST_FACE_TEXT:
        yield Violation(f"{path}.text_type.max_length", "face_fields.max_length", f"at most {LONGEST_FACE_TEXT}")
    if declared.items is not None:
        yield from _unprintable(declared.items, f"{path}.list_type.items")
    for position, field in enumerate(declared.fields):
        yield from _unprintable(field.type, f"{path}.record_type.fields[{position}].type")


def published(name: str, state: TypeState) -> TypeState:
    """Returns the state after publishing the type ``name``; raises STATE_CONFLICT unless it is a draft."""
    require_draft(name, state)
    return TypeState.PUBLISHED


def require_draft(name: str, state: TypeState) -> None:
    """Raises STATE_CONFLICT unless the type is a draft: on what was published licences rest."""
    require_state(name, state.value, TypeState.DRAFT.value)
