"""Whose case it is: the parties see and move their own, staff those of their department, others say why they read."""

from google.protobuf.message import Message

from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.errors import PermissionDenied, invalid_field, not_found
from libs.rpc.call import current_call
from libs.security.principal import Principal, Standing
from services.cases.store.cases import CaseRecord
from tongban.common.v1 import common_pb2

SUPERVISE = "audit.records.list"
"""Who reads the log of a case may read the case: the permission for cases that are neither of one's office nor opened by oneself."""


def is_staff(principal: Principal) -> bool:
    """True for staff in their own office; false for staff who stand at a window for a person (claim ``act``)."""
    return principal.standing is Standing.OFFICE


def is_machine(principal: Principal) -> bool:
    """True for a client of this region."""
    return principal.standing is Standing.CLIENT


def require_official(principal: Principal) -> None:
    """Raises ACTOR_NOT_ALLOWED unless staff in office, or a machine of this region, ask: they may see others' things."""
    if principal.standing not in (Standing.OFFICE, Standing.CLIENT, Standing.SERVICE):
        raise PermissionDenied("ACTOR_NOT_ALLOWED", "the caller speaks for nobody here", actor_kind=principal.kind)


def require_supervision(principal: Principal) -> None:
    """Raises PERMISSION_MISSING unless the caller may see what is neither of their office nor opened by themselves."""
    if not principal.may(SUPERVISE):
        raise PermissionDenied("PERMISSION_MISSING", f"the token does not hold {SUPERVISE}", permission=SUPERVISE)


def clerk_of(principal: Principal) -> str:
    """Returns the member of staff at the keyboard, `staff/…`, or an empty string."""
    return principal.clerk


def actor_of(principal: Principal) -> str:
    """Returns who acts, as it stands in the history: the clerk, else the subject."""
    return clerk_of(principal) or principal.subject


def speaks_for(principal: Principal) -> tuple[str, ...]:
    """Returns for whom the token speaks: the person and the organisation that they act for; nobody for staff."""
    return tuple(sorted(principal.speaks_for))


def is_party(principal: Principal, record: CaseRecord) -> bool:
    """True for the applicant and the agent of a case."""
    names = speaks_for(principal)
    return bool(names) and (record.applicant in names or record.agent == principal.subject)


def of_department(principal: Principal, record: CaseRecord) -> bool:
    """True for staff of the deciding department, and for the clerk who took the case in."""
    if not principal.office:
        return False
    return principal.office == record.department or principal.subject in {record.received_by, record.created_by}


def made_by(principal: Principal, record: CaseRecord) -> bool:
    """True for the machine that opened the case."""
    return is_machine(principal) and principal.subject == record.created_by


def require_applicant_side(principal: Principal, record: CaseRecord) -> None:
    """Checks that the caller may do with a case what who opens a draft may do with it.

    Raises:
        PermissionDenied: NOT_OWNER; ACTING_ON_SELF for staff whose own affair it is: they apply like everybody else.
    """
    if not (is_party(principal, record) or of_department(principal, record) or made_by(principal, record)):
        raise not_owner(record.name)
    principal.require_impartial(record.applicant, record.agent)


def require_handler(principal: Principal, record: CaseRecord) -> None:
    """Raises unless the caller is staff of the deciding department whose affair the case is not.

    Raises:
        PermissionDenied: ACTOR_NOT_ALLOWED, NOT_OWNER, ACTING_ON_SELF.
    """
    require_staff(principal, record.department, record.name)
    principal.require_impartial(record.applicant, record.agent)


def require_staff(principal: Principal, department: str, name: str) -> None:
    """Raises unless the caller is staff, in their own office, of the deciding department."""
    if not is_staff(principal):
        raise PermissionDenied("ACTOR_NOT_ALLOWED", "only staff in office may do this", actor_kind=principal.kind)
    if principal.office != department:
        raise not_owner(name)


def not_owner(name: str) -> PermissionDenied:
    """Builds the error for a resource of somebody else's."""
    return PermissionDenied("NOT_OWNER", f"{name} is not the caller's")


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
        principal = current_call().principal
        if is_party(principal, record):
            await self.own(request, record.name, field)
        elif of_department(principal, record) or made_by(principal, record):
            await self.note(request, record.name, field)
        elif speaks_for(principal):
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
        principal = current_call().principal
        require_official(principal)
        require_supervision(principal)
        if not context.purpose:
            raise invalid_field("context.purpose", "required", "say why a case of others is read")
        if is_staff(principal) and context.department not in {"", principal.department}:
            raise invalid_field("context.department", "own", "must be the department of the token")
        await self.note(request, name, field, count)
