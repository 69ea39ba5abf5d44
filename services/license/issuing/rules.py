"""Whether a licence of a type may be issued: who may hold it, what may stand on its face."""

from collections.abc import Mapping, Sequence

from libs.errors import Code, TongbanError, Violation, reasons
from libs.ids.documents import is_organization
from libs.values.checks import field_faults
from libs.values.kinds import Value
from services.license.core.catalogue import Holder, HolderCategory, LicenseType, TypeState

# These will not go away by asking again. All others leave the draft for the sweeper.
_LASTING = frozenset({Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.FAILED_PRECONDITION})
# These say that the services are set up wrongly, which no officer can mend: an operator must.
_OF_OPERATORS = frozenset({"PEER_NOT_ALLOWED", "PERMISSION_MISSING", "ACTOR_NOT_ALLOWED", "REQUEST_ID_REUSED"})


def is_lasting(error: TongbanError) -> bool:
    """True where issuing is refused for good, by what was decided and not by how the services stand."""
    return error.code in _LASTING and error.reason not in _OF_OPERATORS


def check_published(kind: LicenseType) -> None:
    """Raises LICENSE_TYPE_NOT_PUBLISHED unless licences of the type may be issued."""
    if kind.state is not TypeState.PUBLISHED:
        state = kind.state.value
        raise reasons.license_type_not_published(f"{kind.name} is {state}", license_type=kind.name, state=state)


def check_issue(kind: LicenseType, holders: Sequence[Holder], face: Mapping[str, Value]) -> None:
    """Checks that a licence of the type may be issued to these holders with this face.

    Raises:
        FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED.
        InvalidArgument: FIELD_INVALID, with every rule that is broken.
    """
    check_published(kind)
    broken = (*_holder_violations(kind.holder_category, holders), *field_faults(kind.face_fields, face, "face_fields"))
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
