"""Who may use a licence, and why (用证规则): every use has one basis, decided on who reads, for which case, and what was shown."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from libs.access.citations import cited
from libs.errors import PermissionDenied, reasons

KEEPER_OF_CASES = "services/cases"
"""The one service that answers for what it says of a case; it compares owner, case and digest itself."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads.

    ``subjects``: for whom the token speaks as a possible holder: the person, and the firm under a mandate.
    ``department`` and ``client``: ``departments/…`` and ``clients/…`` of the reader's own region, or empty.
    ``official``: the staff in office or the machine that reads, as the token names it; empty for people.
    """

    region_code: str
    subjects: frozenset[str] = frozenset()
    department: str = ""
    client: str = ""
    official: str = ""

    def is_issuer(self, department: str, home: str) -> bool:
        """Tells whether the reader is of the department that issued; no department is nobody's."""
        return bool(department) and self.region_code == home and self.department == department

    def own_name(self) -> str:
        """Returns the narrowest name with the region: the department's, else the client's, else the region's."""
        part = self.department or self.client
        return f"//{self.region_code}/{part}" if part else f"//{self.region_code}"

    def names(self) -> frozenset[str]:
        """Returns what the reader is called as a verifier, from the whole region to department and client."""
        region = f"//{self.region_code}"
        return frozenset({region, *(f"{region}/{part}" for part in (self.department, self.client) if part)})


@dataclass(frozen=True, slots=True)
class HandledCase:
    """A case that a department of this region works on now, as the cases service told it.

    ``department`` decides. ``parties``: applicant and agent. ``type_codes``: the licence types that answer materials of its
    item. ``legal_basis``: the item's own, as published. ``item``: its name. ``handlers``: departments that decide it or took it in, and the
    machine that submitted it. ``materials``: the files that it refers to, as this region names them.
    """

    department: str
    parties: frozenset[str]
    type_codes: frozenset[str]
    legal_basis: str
    handlers: frozenset[str] = frozenset()
    materials: frozenset[str] = frozenset()
    item: str = ""

    def is_of(self, reader: Reader) -> bool:
        """Tells whether the reader has to do with the case: people as its party, all others as who handles it.

        Staff who stand at a window for somebody see with that person's eyes.
        """
        if reader.subjects:
            return not self.parties.isdisjoint(reader.subjects)
        return not self.handlers.isdisjoint({reader.department, reader.client} - {""})

    def brings(self, material: str, owner: str) -> bool:
        """Tells whether a party put their own file into the case; what is another's is not theirs to put in."""
        return material in self.materials and owner in self.parties


@dataclass(frozen=True, slots=True)
class Purpose:
    """The part of a UseContext that decides: the case and the item, as this region writes them, and a basis of law or item."""

    case_name: str
    service_item: str = ""
    law: str = ""
    item: str = ""

    @property
    def by_law(self) -> str:
        """Which of the two bases it names that rest on the case; empty for another one, or none."""
        return "law" if self.law else "item" if self.item else ""


class PresentationState(Enum):
    """Where a presentation stands; the names are those of PresentationState in the contract."""

    ACTIVE = "ACTIVE"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Presentation:
    """A presentation (出示): licences that a holder hands to a verifier.

    Attributes:
        verifier: ``//<region>``, ``//<region>/departments/…`` or ``//<region>/clients/…``.
        purpose_code, purpose, service_item, case_name, department, operator, transaction_id: what it is for, as it was said when it was
            made; the case as this region writes it, empty until it is known.
        redeemer: who redeemed it, empty until that is known.
        code: the code, encrypted; ``code_digest`` is what it is found by.
    """

    id: str
    holder: str
    licenses: tuple[str, ...]
    verifier: str
    item_code: str
    purpose_code: str
    purpose: str
    service_item: str
    case_name: str
    department: str
    operator: str
    transaction_id: str
    consent: str
    single_use: bool
    code: bytes
    code_digest: bytes
    expire_time: datetime
    create_time: datetime
    update_time: datetime
    redeem_count: int = 0
    redeemer: str = ""
    state: PresentationState = PresentationState.ACTIVE
    redeem_time: datetime | None = None
    withdraw_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"presentations/{self.id}"

    def state_at(self, now: datetime) -> PresentationState:
        """Returns the state as of ``now``, whether or not the expiry has been marked yet."""
        ended = self.state is PresentationState.WITHDRAWN or now < self.expire_time
        return self.state if ended else PresentationState.EXPIRED

    def check_open(self, now: datetime) -> None:
        """Raises PRESENTATION_EXPIRED where its time is over, or the holder took it back."""
        state = self.state_at(now)
        if state in (PresentationState.EXPIRED, PresentationState.WITHDRAWN):
            raise reasons.presentation_expired(f"{self.name} is {state.value}", resource=self.name, state=state.value)

    def check_binding(self, reader: Reader, case_name: str) -> None:
        """Raises PRESENTATION_BOUND_ELSEWHERE where it is for another verifier or another case."""
        if (self.redeemer or self.verifier) not in reader.names():
            raise bound_elsewhere(self.name, "verifier")
        if self.case_name and case_name != self.case_name:
            raise bound_elsewhere(self.name, "case")

    def check_read(self, license_name: str, reader: Reader, case_name: str, now: datetime) -> None:
        """Checks that its redeemer may read a licence by its name, for a case.

        Raises:
            FailedPrecondition: PRESENTATION_EXPIRED.
            PermissionDenied: PRESENTATION_BOUND_ELSEWHERE.
        """
        if self.redeem_count == 0:
            raise bound_elsewhere(self.name, "not_redeemed")
        if license_name not in self.licenses:
            raise bound_elsewhere(self.name, "license")
        self.check_binding(reader, case_name)
        self.check_open(now)


def bound_elsewhere(name: str, rule: str) -> PermissionDenied:
    """Builds the error for a presentation that does not allow what is asked; ``rule`` says by what."""
    return reasons.presentation_bound_elsewhere(f"{name} does not allow this: {rule}", resource=name, rule=rule)


class UseBasis(Enum):
    """Why a reader is allowed a licence; the names are those of UseBasis in the contract."""

    ISSUER = "ISSUER"
    HOLDER = "HOLDER"
    PRESENTATION = "PRESENTATION"
    RECEIVING_REGION = "RECEIVING_REGION"
    LAW = "LAW"
    ITEM = "ITEM"
    CONSENT = "CONSENT"


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


def rests_on_case(reader: Reader, facts: LicenseFacts, purpose: Purpose) -> bool:
    """Tells whether a use without presentation or consent can rest on a case alone, so that the case that it names must be known."""
    return reader.region_code == facts.region_code and (bool(purpose.by_law) or not _own(reader, facts))


def _own(reader: Reader, facts: LicenseFacts) -> bool:
    return bool(reader.subjects & facts.holders) or bool(
        reader.department and reader.region_code == facts.region_code and reader.department == facts.issuer_department
    )


def basis_for(reader: Reader, facts: LicenseFacts, purpose: Purpose, case: HandledCase | None = None) -> UseBasis:
    """Returns why the reader may use the licence without presentation or consent.

    A basis that is named must hold, even where another one would do: it was named so that the use counts under it.

    Raises:
        PermissionDenied: LICENSE_USE_NOT_ALLOWED with the rule ``region``, ``basis``, ``case``, ``item``, ``law``,
            ``service_item`` or ``department``; of another region ``law`` and ``item`` say that they can't be checked here.
    """
    if reader.region_code != facts.region_code:
        return UseBasis.HOLDER if reader.subjects & facts.holders else _receiving_region(reader, facts, purpose)
    if purpose.by_law or not _own(reader, facts):
        return _by_law(reader, facts, purpose, case)
    return UseBasis.HOLDER if reader.subjects & facts.holders else UseBasis.ISSUER


def _receiving_region(reader: Reader, facts: LicenseFacts, purpose: Purpose) -> UseBasis:
    if reader.region_code != facts.receiving_region:
        raise use_not_allowed(facts.name, purpose.by_law or "region")
    if not facts.case_name or purpose.case_name != facts.case_name:
        raise use_not_allowed(facts.name, "case")
    return UseBasis.RECEIVING_REGION


def _by_law(reader: Reader, facts: LicenseFacts, purpose: Purpose, case: HandledCase | None) -> UseBasis:
    """What law and item give they give to the department that works on a case of the holder's, for what the item needs."""
    if not reader.department:
        raise use_not_allowed(facts.name, "department")
    if case is None or case.department != reader.department or case.parties.isdisjoint(facts.holders):
        raise use_not_allowed(facts.name, "case")
    if facts.type_code not in case.type_codes:
        raise use_not_allowed(facts.name, "item")
    if purpose.service_item not in ("", case.item):
        raise use_not_allowed(facts.name, "service_item")
    if not purpose.by_law:
        raise use_not_allowed(facts.name, "basis")
    if purpose.item not in ("", case.item):
        raise use_not_allowed(facts.name, "item")
    if purpose.law and purpose.law not in cited(case.legal_basis):
        raise use_not_allowed(facts.name, "law")
    return UseBasis.LAW if purpose.law else UseBasis.ITEM


def use_not_allowed(name: str, rule: str) -> PermissionDenied:
    """Builds the error for a use of a licence that has no basis; ``rule`` says what is missing or another."""
    return reasons.license_use_not_allowed(f"{name}: no basis, {rule} is missing or another", resource=name, rule=rule)


def check_issuer(issuer_department: str, actor_department: str) -> None:
    """Raises NOT_OWNER unless who acts belongs to the issuing department."""
    if not actor_department or issuer_department != actor_department:
        raise reasons.not_owner("the issuing department is another one")
