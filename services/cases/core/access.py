"""Whose case it is: the parties see and move their own, staff those of their department, others say why they read."""

from typing import Protocol

from libs.access.actor import Actor, Standing
from libs.access.owners import speaks_for_nobody
from libs.errors import PermissionDenied, not_found, reasons
from libs.ids import names
from libs.lists.listing import Scope
from services.cases.core.cases import CaseRecord

SELF = "services/cases"
"""Who acts where the service does by itself."""
SUPERVISE = "audit.auditRecords.list"
"""Who reads the log of a case may read the case: the permission for cases that are neither of one's office nor opened by oneself."""


class CaseInOffice(Protocol):
    """A case, so far as those who handle it or opened it are told by it."""

    @property
    def department(self) -> str:
        """The department that decides."""

    @property
    def created_by(self) -> str:
        """Who opened it."""

    @property
    def received_by(self) -> str:
        """The clerk who took it in."""


def is_staff(actor: Actor) -> bool:
    """True for staff in their own office; false for staff who stand at a window for a person (claim ``act``)."""
    return actor.standing is Standing.OFFICE


def own_or_office(actor: Actor, own: list[Scope]) -> list[Scope]:
    """Returns what a list shows: of people ``own``, of staff in office their department's.

    Raises PermissionDenied ACTOR_NOT_ALLOWED for everybody else.
    """
    if actor.speaks_for:
        return own
    if not actor.office:
        raise speaks_for_nobody(actor)
    return [Scope({"department": actor.office})]


def as_agent(actor: Actor) -> frozenset[str]:
    """Returns by which names the caller may be a case's agent; none where they act for somebody, whose cases alone they have to do with then."""
    return frozenset() if actor.organization else actor.known_as(actor.person)


def of_parties(actor: Actor) -> list[Scope]:
    """Returns whose rows people see of what belongs to the parties of a case.

    Of those in which they are the agent, which the page may hold, is asked beside whether they may still act.
    """
    own = [Scope({"applicant": each}) for each in sorted(actor.speaks_for)]
    return own + [Scope({"agent": each}) for each in sorted(as_agent(actor))]


def is_machine(actor: Actor) -> bool:
    """True for a client of this region."""
    return actor.standing is Standing.CLIENT


def require_supervision(actor: Actor) -> None:
    """Raises PERMISSION_MISSING unless the caller may see what is neither of their office nor opened by themselves."""
    if not actor.may(SUPERVISE):
        raise reasons.permission_missing(f"the token does not hold {SUPERVISE}", permission=SUPERVISE)


def actor_of(actor: Actor) -> str:
    """Returns who acts, as it stands in the history: the clerk, else the subject."""
    return actor.clerk or actor.subject


def is_party(actor: Actor, record: CaseRecord) -> bool:
    """True for the applicant and the agent of a case."""
    return belongs_to(actor, record.applicant, record.agent)


def belongs_to(actor: Actor, applicant: str, agent: str) -> bool:
    """True for who speaks for the applicant, or is the agent, by themselves: whether they may still act is asked beside (`NamedAgents`)."""
    return applicant in actor.speaks_for or agent in as_agent(actor)


def hide_from_strangers(actor: Actor, record: CaseRecord) -> None:
    """Raises NotFound RESOURCE_NOT_FOUND where people ask for a case that they are no party to: for them it does not exist."""
    if actor.standing is Standing.PERSON and not is_party(actor, record):
        raise not_found(record.name)


def of_department(actor: Actor, record: CaseInOffice) -> bool:
    """True for staff of the deciding department, and for the clerk who took the case in."""
    if not actor.office:
        return False
    return actor.office == record.department or actor.subject in {record.received_by, record.created_by}


def made_by(actor: Actor, record: CaseInOffice) -> bool:
    """True for the machine that opened the case."""
    return is_machine(actor) and actor.subject == record.created_by


def require_applicant_side(actor: Actor, record: CaseRecord) -> None:
    """Checks that the caller may do with a case what who opens a draft may do with it.

    Raises:
        NotFound: RESOURCE_NOT_FOUND for people who are no party to it: for them it does not exist.
        PermissionDenied: NOT_OWNER; ACTING_ON_SELF for staff whose own affair it is: they apply like everybody else.
    """
    hide_from_strangers(actor, record)
    if not (is_party(actor, record) or of_department(actor, record) or made_by(actor, record)):
        raise not_owner(record.name)
    actor.require_impartial(record.applicant, record.agent)


def require_handler(actor: Actor, record: CaseRecord) -> None:
    """Raises unless the caller is staff of the deciding department whose affair the case is not.

    Raises:
        PermissionDenied: ACTOR_NOT_ALLOWED, NOT_OWNER, ACTING_ON_SELF.
    """
    require_staff(actor, record.department, record.name)
    actor.require_impartial(record.applicant, record.agent)


def require_staff(actor: Actor, department: str, name: str) -> None:
    """Raises unless the caller is staff, in their own office, of the deciding department."""
    if not is_staff(actor):
        raise reasons.actor_not_allowed("only staff in office may do this", actor_kind=actor.kind)
    if actor.office != department:
        raise not_owner(name)


def not_owner(name: str) -> PermissionDenied:
    """Builds the error for a resource of somebody else's."""
    return reasons.not_owner(f"{name} is not the caller's")


def spoken_for_abroad(actor: Actor, home: str) -> frozenset[str]:
    """Returns for whom the token speaks, as other regions name them."""
    return frozenset(absolute(name, home) for name in actor.speaks_for)


def agent_abroad(actor: Actor, home: str) -> frozenset[str]:
    """Returns by which names the caller may be an agent, as other regions name them."""
    return frozenset(absolute(name, home) for name in as_agent(actor))


def absolute(name: str, home: str) -> str:
    """Returns a resource's name with its region in front; ``home`` is that of a name that has none."""
    return str(names.parse(name, "name").absolute(home))


def at_home(name: str, home: str) -> str:
    """Returns a resource's name as this region writes it: its own without the region in front."""
    return str(names.parse(name, "subject").relative_to(home)) if name else ""


def require_impartial_abroad(actor: Actor, home: str, *parties: str) -> None:
    """Raises ACTING_ON_SELF where what is to be done for parties with their region in front is the caller's own affair."""
    actor.require_impartial(*(at_home(name, home) for name in parties))
