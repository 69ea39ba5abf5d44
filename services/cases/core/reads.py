"""Reads of cases: who may, and what of it is recorded."""

from google.protobuf.message import Message

from libs.access.context import check_kind
from libs.access.owners import require_official
from libs.access.purposes import item_of
from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.errors import invalid_field, not_found
from libs.rpc.call import Call
from services.cases.core.access import is_party, is_staff, made_by, of_department, require_supervision
from services.cases.core.cases import CaseRecord
from tongban.common.v1 import common_pb2


class CaseReads:
    """Decides who may read a case, and records every read that is not a party's own."""

    def __init__(self, audit: AuditWriter) -> None:
        self._audit = audit

    async def allow(
        self, request: Message, call: Call, context: common_pb2.UseContext, record: CaseRecord, field: str
    ) -> None:
        """Lets the caller read ``field`` of a case, or raises.

        Raises:
            NotFound: the caller is a person and no party: they may not know of it.
            PermissionDenied: PERMISSION_MISSING: an office or a machine that has nothing to do with it.
            InvalidArgument: FIELD_INVALID: a purpose is missing, or the context names what is not so (:func:`check_stated`).
            Unavailable: AUDIT_UNAVAILABLE.
        """
        actor = call.actor
        if not actor.region:
            check_stated(context, record)
        if is_party(actor, record):
            await self.own(request, call, record.name, field)
        elif of_department(actor, record) or made_by(actor, record):
            await self.note(request, call, record.name, field)
        elif actor.speaks_for:
            raise not_found(record.name)
        else:
            await self.use(request, call, context, record.name, field)

    async def own(self, request: Message, call: Call, name: str, field: str, count: int = 1) -> None:
        """Lets people read what is their own unrecorded, unless staff at a window sees it with them."""
        await record_read(self._audit, request, name, (field,), count, own=True, call=call)

    async def note(self, request: Message, call: Call, name: str, field: str, count: int = 1) -> None:
        """Records a read that needs no purpose beside the work on the case itself."""
        await record_read(self._audit, request, name, (field,), count, call=call)

    async def listed(self, request: Message, call: Call, name: str, field: str, count: int) -> None:
        """Records what a list gives away of one's own, or of one's department's."""
        await record_read(self._audit, request, name, (field,), count, own=bool(call.actor.speaks_for), call=call)

    async def use(
        self, request: Message, call: Call, context: common_pb2.UseContext, name: str, field: str, count: int = 1
    ) -> None:
        """Records a read of who has nothing to do with the case: it takes the right to supervise (督办), and has to say why.

        Raises:
            PermissionDenied: ACTOR_NOT_ALLOWED for who is neither official nor a party; PERMISSION_MISSING: the right, for a
                purpose by itself gives nobody anything.
        """
        actor = call.actor
        require_official(actor)
        require_supervision(actor)
        if not context.purpose_code:
            raise invalid_field("use_context.purpose_code", "required", "say why a case of others is read")
        if is_staff(actor) and context.department not in {"", actor.department}:
            raise invalid_field("use_context.department", "own", "must be the department of the token")
        await self.note(request, call, name, field, count)


def check_stated(context: common_pb2.UseContext, record: CaseRecord) -> None:
    """Raises FIELD_INVALID where a context names a basis that can't be checked here, or another item than that of the case."""
    check_kind(context, "law")
    if item_of(context) not in ("", f"serviceItems/{record.item}"):
        raise invalid_field("use_context.service_item", "context.case", "must be the item of the case")
