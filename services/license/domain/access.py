"""Who may use a licence, and how (用证规则): every use has one basis, and few of them give the original."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from libs.errors import PermissionDenied, reasons
from services.license.domain.presentation import Presentation, check_read
from services.license.domain.reader import HandledCase, Purpose, Reader


class Basis(Enum):
    """Why a reader is allowed a licence; the names are those of UseBasis in the contract."""

    ISSUER = "ISSUER"
    HOLDER = "HOLDER"
    PRESENTATION = "PRESENTATION"
    RECEIVING_REGION = "RECEIVING_REGION"
    LAW = "LAW"


@dataclass(frozen=True, slots=True)
class LicenseFacts:
    """What decides about the use of a licence.

    ``region_code`` is the region that issued it, ``type_code`` the code of its type (21 characters).
    """

    name: str
    region_code: str
    holders: frozenset[str]
    issuer_department: str
    case_name: str
    receiving_region: str
    type_code: str


def rests_on_law(reader: Reader, facts: LicenseFacts, presentation: Presentation | None) -> bool:
    """Tells whether a use can rest on nothing but the law, so that the case that it names must be known."""
    own = reader.subjects & facts.holders or (reader.department and reader.department == facts.issuer_department)
    return presentation is None and not own and reader.region_code == facts.region_code


def basis_for(
    reader: Reader,
    facts: LicenseFacts,
    purpose: Purpose,
    presentation: Presentation | None,
    now: datetime,
    case: HandledCase | None = None,
) -> Basis:
    """Returns why the reader may use the licence.

    A presentation that is named must hold, even where another basis would do: it was named so that the use counts
    under it.

    Raises:
        PermissionDenied: LICENSE_USE_NOT_ALLOWED with the rule ``region``, ``legal_basis``, ``case``, ``item`` or
            ``department``; PRESENTATION_BOUND_ELSEWHERE.
        FailedPrecondition: PRESENTATION_EXPIRED.
    """
    if presentation is not None:
        check_read(presentation, facts.name, reader, purpose.case_name, now)
        return Basis.PRESENTATION
    if reader.subjects & facts.holders:
        return Basis.HOLDER
    if reader.region_code != facts.region_code:
        return _receiving_region(reader, facts, purpose)
    if reader.department and reader.department == facts.issuer_department:
        return Basis.ISSUER
    return _by_law(reader, facts, purpose, case)


def check_original(license_name: str, basis: Basis, item_code: str, original_item_codes: frozenset[str]) -> None:
    """Raises ORIGINAL_NOT_ALLOWED unless the reader may have the original.

    Originals go to the issuer, and to verifiers under a presentation for an item on the type's list (standards 2.5).
    """
    listed = basis is Basis.PRESENTATION and item_code in original_item_codes
    if basis is not Basis.ISSUER and not listed:
        raise reasons.original_not_allowed(
            f"{license_name}: an annotated copy only",
            resource=license_name,
            basis=basis.value,
        )


def _receiving_region(reader: Reader, facts: LicenseFacts, purpose: Purpose) -> Basis:
    if reader.region_code != facts.receiving_region:
        raise _not_allowed(facts, "region")
    if not facts.case_name or purpose.case_name != facts.case_name:
        raise _not_allowed(facts, "case")
    return Basis.RECEIVING_REGION


def _by_law(reader: Reader, facts: LicenseFacts, purpose: Purpose, case: HandledCase | None) -> Basis:
    """What the law gives it gives to the department that works on a case of the holder's, for what the item needs."""
    if not reader.department:
        raise _not_allowed(facts, "department")
    if case is None or case.department != reader.department or case.parties.isdisjoint(facts.holders):
        raise _not_allowed(facts, "case")
    if facts.type_code not in case.type_codes:
        raise _not_allowed(facts, "item")
    if not case.legal_basis or purpose.legal_basis.strip() != case.legal_basis.strip():
        raise _not_allowed(facts, "legal_basis")
    return Basis.LAW


def _not_allowed(facts: LicenseFacts, rule: str) -> PermissionDenied:
    return reasons.license_use_not_allowed(
        f"{facts.name}: no basis, {rule} is missing or another",
        resource=facts.name,
        rule=rule,
    )
