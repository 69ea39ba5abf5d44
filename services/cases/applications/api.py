"""The applicant's side of a case: open a draft, submit it, answer a correction, withdraw."""

from libs.access.actor import Actor
from libs.access.owners import require_official
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import AskFirst, Transaction, Work
from libs.errors import invalid_field
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.rpc.patches import standing_in
from services.cases.applications.service import Application, Applications, RespondingParty
from services.cases.core.access import actor_of, is_machine, not_owner, require_applicant_side
from services.cases.core.agents import AgentSide
from services.cases.core.applications import (
    check_form,
    check_materials,
    check_parties,
    check_sign_in,
    parties_of,
    put_in,
)
from services.cases.core.cases import CaseRecord
from services.cases.core.items import CHANNELS, PARTY_KINDS, ItemVersion
from services.cases.core.offers import check_offer
from services.cases.core.parts import Parts
from services.cases.core.states import CaseState
from services.cases.integrations.identity import mandate_not_covering
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb


class ApplicationApi:
    """Takes applications."""

    def __init__(self, parts: Parts, applications: Applications) -> None:
        self._parts = parts
        self._applications = applications

    async def create_case(self, request: rpc.CreateCaseRequest, call: Call) -> pb.Case:
        """Opens a draft."""
        command = command_of(request, call=call)
        return await self._parts.uow.prepared(command, lambda: self._opening(request, call.actor))

    async def _opening(self, request: rpc.CreateCaseRequest, actor: Actor) -> Work[pb.Case]:
        """Asks for all that a draft stands on, and returns what opens it."""
        if request.case.item.startswith("//"):
            raise invalid_field("case.item", "item.region", "must be an item of this region")
        item = await self._parts.items.version(request.case.item)
        application = _application(request, item, actor, self._parts.home)
        with standing_in("case"):
            self._check(application, actor)
            await self._parts.identity.check_parties(application.applicant, application.agent)
        await self._check_mandate(application, actor)

        async def work(tx: Transaction) -> pb.Case:
            record = await self._applications.opened(tx, application)
            return await self._parts.workflow.message(record, item, tx.now)

        return work

    def _check(self, application: Application, actor: Actor) -> None:
        item = application.item
        if application.channel == "OTHER_REGION":
            raise invalid_field("channel", "channel.transfer_only", "is for cases that a transfer brings")
        check_offer(item.offer(), PARTY_KINDS.name(application.applicant.kind), application.channel)
        check_parties(application.applicant, application.agent, self._parts.workflow.today())
        check_materials(item, application.materials, paper_allowed=bool(actor.clerk))
        check_form(item, application.form_values)
        actor.require_impartial(*application.parties)
        if actor.speaks_for:
            _check_spoken_for(application, actor)
        else:
            require_official(actor)

    async def _check_mandate(self, application: Application, actor: Actor) -> None:
        """Asks for the mandate where one is used, or where nobody has said yet that none is needed."""
        applicant, agent = application.applicant, application.agent
        if agent is None:
            # A token acts for a firm under a mandate, or as its legal representative, who alone needs no agent.
            if applicant.subject in actor.known_as(actor.organization) and actor.mandate:
                raise mandate_not_covering(actor.mandate, applicant.subject, "the agent is not named")
            return
        is_representative = actor.organization == applicant.subject and actor.subject == agent.subject
        if not agent.mandate and (is_machine(actor) or is_representative):
            return
        await self._parts.identity.check_mandate(
            agent.subject, applicant.subject, agent.mandate, application.item.codes
        )

    async def submit_case(self, request: rpc.SubmitCaseRequest, call: Call) -> pb.Case:
        """Submits a draft."""
        actor, side = call.actor, self._parts.agents.side(call.actor)
        checked: set[str] = set()
        asked: set[bytes] = set()

        async def work(tx: Transaction) -> pb.Case:
            record = await self._locked(tx, request.name, request.etag, side)
            item = await self._parts.items.version(record.item)
            if record.state == CaseState.DRAFT:
                if not is_machine(actor):  # those don't sign in
                    check_sign_in(item, actor, self._parts.wall.now().timestamp())
                self._ask_mandate(record, item, checked)
                check_materials(item, request.materials, paper_allowed=bool(actor.clerk))
                check_form(item, request.form_values)
                put_in(record.content, request.materials, request.form_values, tx.now)
                record.changed = bool(request.materials or request.form_values)
                record.assurance = actor.assurance
            record.received_by = actor.clerk
            record.received_human = actor.human if record.received_by else ""
            return await self._applications.submitted(tx, record, item, actor_of(actor), actor.department, asked)

        return await self._parts.uow.run(command_of(request, call=call), work)

    def _ask_mandate(self, record: CaseRecord, item: ItemVersion, checked: set[str]) -> None:
        if not record.mandate or record.mandate in checked:
            return

        async def settle() -> None:
            await self._parts.identity.check_mandate(record.agent, record.applicant, record.mandate, item.codes)
            checked.add(record.mandate)

        raise AskFirst(settle)

    async def submit_correction(self, request: rpc.SubmitCorrectionRequest, call: Call) -> pb.Case:
        """Answers a correction, or supplies tolerated materials."""
        actor, side = call.actor, self._parts.agents.side(call.actor)
        by = RespondingParty(actor_of(actor), actor.department, bool(actor.clerk), set())

        async def work(tx: Transaction) -> pb.Case:
            record = await self._locked(tx, request.name, request.etag, side)
            return await self._applications.corrected(
                tx, record, tuple(request.materials), dict(request.form_values), by
            )

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def withdraw_case(self, request: rpc.WithdrawCaseRequest, call: Call) -> pb.Case:
        """Withdraws a case before its decision."""
        actor, side = call.actor, self._parts.agents.side(call.actor)

        async def work(tx: Transaction) -> pb.Case:
            record = await self._locked(tx, request.name, request.etag, side)
            return await self._applications.withdrawn(tx, record, actor_of(actor), actor.department, request.reason)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _locked(self, tx: Transaction, name: str, etag: str, side: AgentSide) -> CaseRecord:
        record = await self._parts.cases.lock(tx.connection, name)
        require_applicant_side(side.actor, record)
        await side.require(record)
        check_etag(name, record.version, etag)
        return record


def _application(request: rpc.CreateCaseRequest, item: ItemVersion, actor: Actor, home: str) -> Application:
    case = request.case
    applicant, agent = parties_of(case, home)
    return Application(
        case_id=request.case_id or uuid7(),
        item=item,
        applicant=applicant,
        agent=agent,
        channel=CHANNELS.name(case.channel),
        title=case.title,
        materials=tuple(each.reference for each in case.materials),
        form_values=dict(case.form_values),
        created_by=actor_of(actor),
        actor=actor_of(actor),
        department=actor.department,
        assurance=actor.assurance,
        receiving_region=home,
    )


def _check_spoken_for(application: Application, actor: Actor) -> None:
    """A person's token must speak for the applicant, or be the agent's own, who then needs a mandate."""
    applicant, agent = application.applicant, application.agent
    is_agent = agent is not None and agent.subject == actor.subject and not actor.organization
    if not is_agent and applicant.subject not in actor.speaks_for:
        raise not_owner(applicant.subject)
    if agent is not None and actor.mandate and agent.mandate != actor.mandate:
        raise mandate_not_covering(agent.mandate, application.item.content.task_code, "the token names another mandate")
