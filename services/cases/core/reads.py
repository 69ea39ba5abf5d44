"""Reads of cases: who may, and what of it is recorded."""

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.access.context import check_kind
from libs.access.owners import require_official
from libs.access.purposes import item_of
from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.db.command import Command, command_of
from libs.db.engine import Database
from libs.db.evidence import Evidence, recorded
from libs.errors import invalid_field, not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from services.cases.core.access import is_party, is_staff, made_by, of_department, require_supervision
from services.cases.core.agents import NamedAgents
from services.cases.core.cases import CaseRecord
from tongban.common.v1 import common_pb2

_RECORDED = recorded()


class CaseReads:
    """Decides who may read a case, and records every read that is not a party's own."""

    def __init__(
        self, agents: NamedAgents, audit: AuditWriter, database: Database, evidence: Callable[[Command], Evidence]
    ) -> None:
        self._agents = agents
        self._audit = audit
        self._database = database
        self._evidence = evidence

    async def allow(
        self, request: Message, call: Call, context: common_pb2.UseContext, record: CaseRecord, field: str
    ) -> None:
        """Lets the caller read ``field`` of a case, or raises.

        Raises:
            NotFound: the caller is a person and no party, or its agent who may act no more: they may not know of it.
            PermissionDenied: PERMISSION_MISSING: an office or a machine that has nothing to do with it.
            InvalidArgument: FIELD_INVALID: a purpose is missing, or the context names what is not so (:func:`check_stated`).
            Unavailable: AUDIT_UNAVAILABLE; DEPENDENCY_UNAVAILABLE where an agent asks, and identity does not answer.
        """
        own = _judge(call.actor, context, record)
        await self._agents.require(call.actor, record)
        await record_read(self._audit, request, record.name, (field,), own=own, of=_parties(record), call=call)

    async def allow_each(
        self, request: Message, call: Call, context: common_pb2.UseContext, records: Sequence[CaseRecord], field: str
    ) -> None:
        """Lets the caller read ``field`` of several cases, or of none; raises as :meth:`allow`.

        Each is on record by itself, as one that was read alone: who looks for the readers of a case finds them by its name.
        """
        own = [_judge(call.actor, context, record) for record in records]
        await self._agents.require(call.actor, *records)
        if all(own) and not call.actor.delegate:
            call.own()
            return
        evidence, transaction = self._evidence(command_of(request, call=call)), context.transaction_id or uuid7()
        for record in records:
            # The call answers with the last one's receipt; the others are found by the transaction that they share.
            evidence.record(
                record.name, fields=(field,), record_count=1, transaction_id=transaction, subjects=_parties(record)
            )
        await evidence.write(self._database, _RECORDED)

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
        _check_use(call.actor, context)
        await self.note(request, call, name, field, count)


def _parties(record: CaseRecord) -> tuple[str, str]:
    return record.applicant, record.agent


def _judge(actor: Actor, context: common_pb2.UseContext, record: CaseRecord) -> bool:
    """Tells whether a case is the caller's own to read, or raises as :meth:`CaseReads.allow`."""
    if not actor.region:
        check_stated(context, record)
    if is_party(actor, record):
        return True
    if not (of_department(actor, record) or made_by(actor, record)):
        if actor.speaks_for:
            raise not_found(record.name)
        _check_use(actor, context)
    return False


def _check_use(actor: Actor, context: common_pb2.UseContext) -> None:
    require_official(actor)
    require_supervision(actor)
    if not context.purpose_code:
        raise invalid_field("use_context.purpose_code", "required", "say why a case of others is read")
    if is_staff(actor) and context.department not in {"", actor.department}:
        raise invalid_field("use_context.department", "own", "must be the department of the token")


def check_stated(context: common_pb2.UseContext, record: CaseRecord) -> None:
    """Raises FIELD_INVALID where a context names a basis that can't be checked here, or another item than that of the case."""
    check_kind(context, "law")
    if item_of(context) not in ("", f"serviceItems/{record.item}"):
        raise invalid_field("use_context.service_item", "context.case", "must be the item of the case")
