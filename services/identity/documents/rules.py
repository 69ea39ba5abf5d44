"""Which documents an account may have, and on which of them it stands."""

from datetime import date

from libs.errors import invalid_field
from libs.ids.documents import is_organization

MOST = 10
"""So many documents an account has at most, that on which it stands among them (as in the contract)."""


def check_shown(*, in_person: bool, by_staff: bool) -> None:
    """Raises InvalidArgument FIELD_INVALID where staff do not say where they saw the document, or a person says so of themselves."""
    if by_staff and not in_person:
        raise invalid_field("in_person", "required", "say where person and document were seen")
    if in_person and not by_staff:
        raise invalid_field("in_person", "document.in_person", "only staff see people in person")


def check_document(type_code: str, expires: date | None, today: date) -> None:
    """Raises InvalidArgument FIELD_INVALID where a document is none of a natural person's, or holds no more."""
    if is_organization(type_code):
        raise invalid_field("document.document.type_code", "document.kind", "is no document of a natural person")
    if expires is not None and expires < today:
        raise invalid_field("document.expire_date", "document.expired", "is over")


def check_room(further: int) -> None:
    """Raises InvalidArgument FIELD_INVALID where no document fits beside ``further`` ones and that on which the account stands."""
    if further + 1 >= MOST:
        raise invalid_field("document", "documents.most", f"an account has at most {MOST} documents")
