"""Whose case it is: the parties see and move their own, staff those of their department, others say why they read."""

from google.protobuf.message import Message

from libs.access.actor import Actor, Standing
from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.errors import PermissionDenied, invalid_field, not_found, reasons
from libs.rpc.call import current_call
from services.cases.store.cases import CaseRecord
from tongban.common.v1 import common_pb2

SUPERVISE = "audit.records.list"
"""Who reads the log of a case may read the case: the permission for cases that are neither of one's office nor opened by oneself."""


def is_staff(actor: Actor) -> bool:
    """True for staff in their own office; false for staff who stand at a window for a person (claim ``act``)."""
    return actor.standing is Standing.OFFICE


def is_machine(actor: Actor) -> bool:
    """True for a client of this region."""
    return actor.standing is Standing.CLIENT


def require_official(actor: Actor) -> None:
    """Raises ACTOR_NOT_ALLOWED unless staff in office, or a machine of this region, ask: they may see others' things."""
    if actor.standing not in (Standing.OFFICE, Standing.CLIENT, Standing.SERVICE):
        raise reasons.actor_not_allowed("the caller speaks for nobody here", actor_kind=actor.kind)


def require_supervision(actor: Actor) -> None:
    """Raises PERMISSION_MISSING unless the caller may see what is neither of their office nor opened by themselves."""
    if not actor.may(SUPERVISE):
        raise reasons.permission_missing(f"the token does not hold {SUPERVISE}", permission=SUPERVISE)


def clerk_of(actor: Actor) -> str:
    """Returns the member of staff at the keyboard, `staff/…`, or an empty string."""
    return actor.clerk


def actor_of(actor: Actor) -> str:
    """Returns who acts, as it stands in the history: the clerk, else the subject."""
    return clerk_of(actor) or actor.subject


def speaks_for(actor: Actor) -> tuple[str, ...]:
    """Returns for whom the token speaks: the person and the organisation that they act for; nobody for staff."""
    return tuple(sorted(actor.speaks_for))


def is_party(actor: Actor, record: CaseRecord) -> bool:
    """True for the applicant and the agent of a case."""
    names = speaks_for(actor)
    return bool(names) and (record.applicant in names or record.agent == actor.subject)


def of_department(actor: Actor, record: CaseRecord) -> bool:
    """True for staff of the deciding department, and for the clerk who took the case in."""
    if not actor.office:
        return False
    return actor.office == record.department or actor.subject in {record.received_by, record.created_by}


def made_by(actor: Actor, record: CaseRecord) -> bool:
    """True for the machine that opened the case."""
    return is_machine(actor) and actor.subject == record.created_by


def require_applicant_side(actor: Actor, record: CaseRecord) -> None:
    """Checks that the caller may do with a case what who opens a draft may do with it.

    Raises:
        PermissionDenied: NOT_OWNER; ACTING_ON_SELF for staff whose own affair it is: they apply like everybody else.
    """
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


class Reading:
    """Decides who may read a case, and records every read that is not a party's own."""

    def __init__(self, audit: AuditWriter) -> None:
        self._audit = audit

    async def allow(self, request: Message, context: common_pb2.UseContext, record: CaseRecord, field: str) -> None:
        """Lets the caller read ``field`` of a case, or raises.

        Raises:
            NotFound: the caller is a person and no party: they may not know of it.
            PermissionDenied: PERMISSION_MISSING: an office or a machine that has nothing to do with it.
            InvalidArgument: FIELD_INVALID: a purpose is missing.
            Unavailable: AUDIT_UNAVAILABLE.
        """
        actor = current_call().actor
        if is_party(actor, record):
            await self.own(request, record.name, field)
        elif of_department(actor, record) or made_by(actor, record):
            await self.note(request, record.name, field)
        elif speaks_for(actor):
            raise not_found(record.name)
        else:
            await self.use(request, context, record.name, field)

    async def own(self, request: Message, name: str, field: str, count: int = 1) -> None:
        """Lets people read what is their own unrecorded, unless staff at a window sees it with them."""
        await record_read(self._audit, request, name, (field,), count, own=True)

    async def note(self, request: Message, name: str, field: str, count: int = 1) -> None:
        """Records a read that needs no purpose beside the work on the case itself."""
        await record_read(self._audit, request, name, (field,), count)

    async def use(
        self, request: Message, context: common_pb2.UseContext, name: str, field: str, count: int = 1
    ) -> None:
        """Records a read of who has nothing to do with the case: it takes the right to supervise (督办), and has to say why.

        Raises:
            PermissionDenied: ACTOR_NOT_ALLOWED for who is neither official nor a party; PERMISSION_MISSING: the right, for a
                purpose by itself gives nobody anything.
        """
        actor = current_call().actor
        require_official(actor)
        require_supervision(actor)
        if not context.purpose:
            raise invalid_field("context.purpose", "required", "say why a case of others is read")
        if is_staff(actor) and context.department not in {"", actor.department}:
            raise invalid_field("context.department", "own", "must be the department of the token")
        await self.note(request, name, field, count)
