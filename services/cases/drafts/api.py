"""Drafts of cases: changed, and thrown away, by who may open them."""

from datetime import datetime

from google.protobuf.empty_pb2 import Empty

from libs.access.actor import Actor
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.query import Delete
from libs.db.uow import AskFirst, Transaction
from libs.errors import reasons
from libs.rpc import masks
from libs.rpc.call import Call
from libs.rpc.patches import Patch, patch_of, standing_in
from services.cases.core.access import actor_of, require_applicant_side
from services.cases.core.agents import AgentSide
from services.cases.core.applications import check_form, check_materials, check_parties, parties_of, put_in
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction
from services.cases.core.workflow import CaseChange, move
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2

_DELETE = Delete(CaseRecord)
Parties = tuple[party_pb2.Applicant, party_pb2.Agent | None]


class DraftApi:
    """Keeps drafts of cases."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def update_case(self, request: rpc.UpdateCaseRequest, call: Call) -> pb.Case:
        """Changes a draft."""
        patch, actor, workflow = patch_of(request, pb.Case), call.actor, self._parts.workflow
        agreed: set[str] = set()
        side = self._parts.agents.side(actor)

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._taken(tx, patch.name, request.etag, side)
            before = move(record, record.facts(), CaseAction.UPDATE)
            wanted = patch.over(await workflow.message(record, item, tx.now))
            parties = parties_of(wanted, self._parts.home)
            with standing_in(patch.field):
                _require_same_parties(record, parties)
                check_parties(*parties, workflow.today())
                _check_rest(record.content, wanted, item, actor)
            if patch.changes("applicant") or patch.changes("agent"):
                self._ask_parties(parties, patch.field, agreed)
            _write(record.content, wanted, parties, patch, tx.now)
            record.changed = True
            change = CaseChange(CaseAction.UPDATE, actor_of(actor), actor.department, end_tasks="")
            return await workflow.finish(tx, record, item, before, change, events.CaseUpdated())

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def delete_case(self, request: rpc.DeleteCaseRequest, call: Call) -> Empty:
        """Throws a draft away; the history that stays keeps its id from coming back."""
        actor, side = call.actor, self._parts.agents.side(call.actor)

        async def work(tx: Transaction) -> Empty:
            record, item = await self._taken(tx, request.name, request.etag, side)
            before = move(record, record.facts(), CaseAction.DELETE)
            change = CaseChange(CaseAction.DELETE, actor_of(actor), actor.department, end_tasks="")
            await self._parts.workflow.finish(tx, record, item, before, change, events.CaseDeleted())
            await _DELETE.gone(tx.connection, record.id)
            tx.about = record.name
            return Empty()

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _taken(self, tx: Transaction, name: str, etag: str, side: AgentSide) -> tuple[CaseRecord, ItemVersion]:
        record, item = await self._parts.workflow.locked(tx, name)
        require_applicant_side(side.actor, record)
        await side.require(record)
        check_etag(name, record.version, etag)
        return record, item

    def _ask_parties(self, parties: Parties, field: str, agreed: set[str]) -> None:
        """Has the parties compared with their accounts, once a call."""
        if agreed:
            return

        async def settle() -> None:
            with standing_in(field):
                await self._parts.identity.check_parties(*parties)
            agreed.add(field)

        raise AskFirst(settle)


def _require_same_parties(record: CaseRecord, parties: Parties) -> None:
    """Raises FIELD_INVALID where another applicant, agent or mandate is named: those decide whose case it is."""
    (applicant, agent), known = parties, record.content
    faults = [
        masks.fault(path, "immutable")
        for path, said, stands in (
            ("applicant.kind", applicant.kind, known.applicant.kind),
            ("applicant.subject", applicant.subject, record.applicant),
            ("agent.subject", agent.subject if agent else "", record.agent),
            ("agent.mandate", agent.mandate if agent else "", record.mandate),
        )
        if said != stands
    ]
    if faults:
        raise reasons.field_invalid("who the parties are stays as it was made", violations=tuple(faults))


def _check_rest(known: pb.Case, wanted: pb.Case, item: ItemVersion, actor: Actor) -> None:
    """Checks materials and form as a Create does; paper that a window saw already is not asked about again."""
    stands = [each.reference for each in known.materials]
    references = [each.reference for each in wanted.materials]
    check_materials(item, references, paper_allowed=True)
    new = [each for each in references if each not in stands]
    check_materials(item, new, paper_allowed=bool(actor.clerk))
    check_form(item, wanted.form_values)


def _write(content: pb.Case, wanted: pb.Case, parties: Parties, patch: Patch[pb.Case], now: datetime) -> None:
    applicant, agent = parties
    if patch.changes("title"):
        content.title = wanted.title
    if patch.changes("applicant"):
        content.applicant.CopyFrom(applicant)
    if patch.changes("agent") and agent is not None:
        content.agent.CopyFrom(agent)
    if patch.changes("form_values"):
        content.form_values.clear()
        put_in(content, (), dict(wanted.form_values), now)
    if patch.changes("materials"):
        _put_materials(content, [each.reference for each in wanted.materials], now)


def _put_materials(content: pb.Case, references: list[pb.MaterialReference], now: datetime) -> None:
    """Puts other materials in place of a draft's; what stands among them already keeps when it arrived, and its check."""
    kept = [each for each in content.materials if each.reference in references]
    del content.materials[:]
    content.materials.extend(kept)
    known = [each.reference for each in kept]
    put_in(content, [each for each in references if each not in known], {}, now)
