"""What a licence type may be made of, and when it comes into the catalogue."""

from collections.abc import Sequence

from libs.errors import invalid_field, require_state
from services.license.core.catalogue import FaceField, TypeState


def check_face_fields(fields: Sequence[FaceField]) -> None:
    """Raises FIELD_INVALID where a face key stands twice in a type."""
    seen: set[str] = set()
    for position, field in enumerate(fields):
        if field.key in seen:
            raise invalid_field(
                f"license_type.face_fields[{position}].key", "face_fields.unique", "must stand once only"
            )
        seen.add(field.key)


def published(name: str, state: TypeState) -> TypeState:
    """Returns the state after publishing the type ``name``; raises STATE_CONFLICT unless it is a draft."""
    require_draft(name, state)
    return TypeState.PUBLISHED


def require_draft(name: str, state: TypeState) -> None:
    """Raises STATE_CONFLICT unless the type is a draft: on what was published licences rest."""
    require_state(name, state.value, TypeState.DRAFT.value)
