"""The applicant's side of a case: open a draft, submit it, answer a correction, withdraw."""

from dataclasses import dataclass
from datetime import datetime

from libs.access.actor import Actor
from libs.civil.calendar import local_day
from libs.db.command import Command
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, reasons, state_conflict
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from services.cases.clients import mandate_not_covering
from services.cases.convert import APPLICANT_TYPE, CHANNEL, codes_of, day_of, files_of, id_of
from services.cases.domain.items import check_offer
from services.cases.domain.materials import (
    Obligation,
    fulfill,
    missing_at_submission,
    missing_from_correction,
    open_codes,
)
from services.cases.domain.states import Action, CaseState
from services.cases.store.cases import CaseRecord, Step
from services.cases.store.items import ItemVersion
from services.cases.usecases import applications, deadlines
from services.cases.usecases.access import (
    actor_of,
    clerk_of,
    is_machine,
    not_owner,
    require_applicant_side,
    require_official,
    speaks_for,
)
from services.cases.usecases.desk import Change, Desk, Outside, facts_of, tell
from services.cases.usecases.license_checks import LicenseChecks
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb


@dataclass(frozen=True, slots=True)
class Application:
    """An application as it is opened, by a draft here or by a message of another region.

    Attributes:
        case_id: the id that the case gets.
        item: the item version.
        applicant, agent, channel, title, materials, form_values: as in the contract; names as this region writes them.
        created_by: who opened it.
        actor: who did it, for the history.
        department: the actor's, or empty.
        assurance: how well the person is known.
        receiving_region: the region whose window took it in.
        received_by: the clerk who took it in, or empty.
        received_human: the human being that the clerk is, or empty.
        transfer: the transfer that brought it, or None.
    """

    case_id: str
    item: ItemVersion
    applicant: pb.Applicant
    agent: pb.Agent | None
    channel: str
    title: str
    materials: tuple[pb.MaterialReference, ...]
    form_values: tuple[pb.FormValue, ...]
    created_by: str
    actor: str
    department: str
    assurance: int
    receiving_region: str
    received_by: str = ""
    received_human: str = ""
    transfer: str | None = None

    @property
    def parties(self) -> tuple[str, ...]:
        """Whose affair it is."""
        return (self.applicant.subject, self.agent.subject if self.agent else "")

    def record(self, home_region: str, now: datetime) -> CaseRecord:
        """Builds the row of the draft."""
        content = pb.Case(title=self.title, applicant=self.applicant, agent=self.agent)
        applications.put_in(content, self.materials, self.form_values, now)
        item = self.item.content
        return CaseRecord(
            id=self.case_id,
            number=None,
            item=self.item.id,
            task_code=item.task_code,
            category=item.category,
            department=item.department,
            state=str(CaseState.DRAFT),
            channel=self.channel,
            applicant=self.applicant.subject,
            agent=self.agent.subject if self.agent else "",
            mandate=self.agent.mandate if self.agent else "",
            created_by=self.created_by,
            assurance=self.assurance,
            home_region=applications.home_region_of(self.applicant.subject, home_region),
            receiving_region=self.receiving_region,
            transfer=self.transfer,
            sealed=b"",
            outcome="",
            license="",
            license_identifier="",
            received_by=self.received_by,
            accepted_by="",
            reviewed_by="",
            received_human=self.received_human,
            accepted_human="",
            rating="",
            delivery=None,
            clock_start=None,
            standstills=[],
            due_date=None,
            calendar_edition=0,
            extension_days=0,
            steps=1,
            submit_time=None,
            accept_time=None,
            decide_time=None,
            close_time=None,
            deliver_time=None,
            end_time=None,
            rate_time=None,
            version=1,
            create_time=now,
            update_time=now,
            content=content,
            changed=True,
        )


class Drafts:
    """Use cases of the applicant's side."""

    def __init__(self, desk: Desk, clock: deadlines.Deadlines, licences: LicenseChecks) -> None:
        self._desk = desk
        self._deadlines = clock
        self._licences = licences

    # ---- open ----

    async def create(self, command: Command, request: rpc.CreateCaseRequest) -> pb.Case:
        """Opens a draft."""
        actor = current_call().actor
        item = await self._desk.items.version(id_of(request.item))
        application = self._application(request, item, actor)
        self._check(application, actor)
        await self._desk.identity.check_parties(application.applicant, application.agent)
        await self._check_mandate(application, actor)

        async def work(tx: Transaction) -> pb.Case:
            record = await self.insert(tx, application)
            return await self._desk.message(record, item, tx.now)

        return await self._desk.run(command, work)

    def _application(self, request: rpc.CreateCaseRequest, item: ItemVersion, actor: Actor) -> Application:
        home = self._desk.region
        applicant, agent = pb.Applicant(), None
        applicant.CopyFrom(request.applicant)
        applicant.subject = applications.at_home(applicant.subject, home)
        if request.HasField("agent"):
            agent = pb.Agent()
            agent.CopyFrom(request.agent)
            agent.subject = applications.at_home(agent.subject, home)
            agent.mandate = applications.at_home(agent.mandate, home)
        return Application(
            case_id=request.case_id or uuid7(),
            item=item,
            applicant=applicant,
            agent=agent,
            channel=CHANNEL.name(request.channel),
            title=request.title,
            materials=tuple(request.materials),
            form_values=tuple(request.form_values),
            created_by=actor_of(actor),
            actor=actor_of(actor),
            department=actor.department,
            assurance=actor.assurance,
            receiving_region=home,
        )

    def _check(self, application: Application, actor: Actor) -> None:
        item = application.item
        if application.channel == "OTHER_REGION":
            raise invalid_field("channel", "channel.transfer_only", "is for cases that a transfer brings")
        check_offer(item.offer(), APPLICANT_TYPE.name(application.applicant.type), application.channel)
        applications.check_parties(application.applicant, application.agent, self._desk.today())
        applications.check_materials(item, application.materials, paper_allowed=bool(actor.clerk))
        applications.check_form(item, application.form_values)
        actor.require_impartial(*application.parties)
        if speaks_for(actor):
            _check_spoken_for(application, actor)
        else:
            require_official(actor)

    async def _check_mandate(self, application: Application, actor: Actor) -> None:
        """Asks for the mandate where one is used, or where nobody has said yet that none is needed."""
        applicant, agent = application.applicant, application.agent
        if agent is None:
            # A token acts for a firm under a mandate, or as its legal representative, who alone needs no agent.
            if actor.organization == applicant.subject and actor.mandate:
                raise mandate_not_covering(actor.mandate, applicant.subject, "the agent is not named")
            return
        is_representative = actor.organization == applicant.subject and actor.subject == agent.subject
        if not agent.mandate and (is_machine(actor) or is_representative):
            return
        await self._desk.identity.check_mandate(agent.subject, applicant.subject, agent.mandate, application.item.codes)

    async def insert(self, tx: Transaction, application: Application) -> CaseRecord:
        """Opens a draft in a transaction; raises RESOURCE_EXISTS where its id is taken."""
        record = application.record(self._desk.region, tx.now)
        step = Step("CREATE", "", application.actor, application.department)
        await self._desk.store.insert(tx.connection, record, step)
        tell(tx, record, application.item, application.actor, events.CaseCreated())
        return record

    # ---- submit ----

    async def submit(self, command: Command, request: rpc.SubmitCaseRequest) -> pb.Case:
        """Submits a draft."""
        actor = current_call().actor
        checked: set[str] = set()
        asked: set[bytes] = set()

        async def work(tx: Transaction) -> pb.Case:
            record = await self._locked(tx, request.name, request.etag, actor)
            item = await self._desk.items.version(record.item)
            if record.state == CaseState.DRAFT:
                self._check_assurance(item, actor)
                self._ask_mandate(record, item, checked)
                applications.check_materials(item, request.materials, paper_allowed=bool(actor.clerk))
                applications.check_form(item, request.form_values)
                applications.put_in(record.content, request.materials, request.form_values, tx.now)
                record.changed = bool(request.materials or request.form_values)
                record.assurance = actor.assurance
            record.received_by = clerk_of(actor)
            record.received_human = actor.human if record.received_by else ""
            return await self.submitted(tx, record, item, actor_of(actor), actor.department, asked)

        return await self._desk.run(command, work)

    def _ask_mandate(self, record: CaseRecord, item: ItemVersion, checked: set[str]) -> None:
        if not record.mandate or record.mandate in checked:
            return

        async def settle() -> None:
            await self._desk.identity.check_mandate(record.agent, record.applicant, record.mandate, item.codes)
            checked.add(record.mandate)

        raise Outside(settle)

    def _check_assurance(self, item: ItemVersion, actor: Actor) -> None:
        if not is_machine(actor) and actor.assurance < item.content.min_assurance:
            raise reasons.assurance_too_low(
                "the person must be known better for this item",
                required=str(item.content.min_assurance),
                actual=str(actor.assurance),
            )

    async def submitted(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, actor: str, department: str, asked: set[bytes]
    ) -> pb.Case:
        """Moves a locked or just made draft to SUBMITTED: its number, its clock, its task.

        ``asked`` lives as long as the call: the licences that passed their check in it.
        """
        desk, day = self._desk, local_day(tx.now)
        missing = missing_at_submission(item.rules, codes_of(record.content.materials))
        missing += applications.missing_form(item, record.content.form_values)
        before = desk.move(record, facts_of(record, missing_materials=missing), Action.SUBMIT)
        self._licences.ask(record, item, asked)
        deadlines.start(record, day)
        record.submit_time = tx.now
        deadline, _ = deadlines.last_days(record, item, await desk.calendars.current(), tx.now)
        event = events.CaseSubmitted(
            acceptance_deadline=deadline,
            receiving_department="" if record.transfer else department,
            materials=files_of(record.content.materials, desk.region),
        )
        change = Change(Action.SUBMIT, actor, department, end_tasks="", open_task="ACCEPT", number_day=day)
        return await desk.finish(tx, record, item, before, change, event)

    # ---- correct ----

    async def correct(self, command: Command, request: rpc.SubmitCorrectionRequest) -> pb.Case:
        """Answers a correction, or supplies tolerated materials."""
        actor = current_call().actor
        asked: set[bytes] = set()

        async def work(tx: Transaction) -> pb.Case:
            record = await self._locked(tx, request.name, request.etag, actor)
            return await self.corrected(
                tx,
                record,
                tuple(request.materials),
                tuple(request.form_values),
                actor_of(actor),
                actor.department,
                asked,
                paper_allowed=bool(actor.clerk),
            )

        return await self._desk.run(command, work)

    async def corrected(
        self,
        tx: Transaction,
        record: CaseRecord,
        materials: tuple[pb.MaterialReference, ...],
        values: tuple[pb.FormValue, ...],
        actor: str,
        department: str,
        asked: set[bytes],
        *,
        paper_allowed: bool,
    ) -> pb.Case:
        """Puts the answer to a correction, or tolerated materials, into a locked case; the state tells which."""
        item = await self._desk.items.version(record.item)
        applications.check_materials(item, materials, paper_allowed=paper_allowed)
        applications.check_form(item, values)
        codes = [material.code for material in materials]
        if record.state in {CaseState.ACCEPTED, CaseState.UNDER_REVIEW, CaseState.SUSPENDED}:
            before, suspended = self._fulfilled(tx, record, codes, values), 0
            change = Change(Action.FULFILL_OBLIGATION, actor, department, end_tasks="")
        else:
            before, suspended = await self._answered(tx, record, item, codes, values)
            change = Change(Action.SUBMIT_CORRECTION, actor, department, end_tasks="", open_task="ACCEPT")
        applications.put_in(record.content, materials, values, tx.now)
        record.changed = True
        self._licences.ask(record, item, asked)
        event = events.CaseCorrected(
            material_codes=codes,
            suspended_days=suspended,
            materials=files_of(record.content.materials, self._desk.region),
        )
        return await self._desk.finish(tx, record, item, before, change, event)

    def _fulfilled(
        self, tx: Transaction, record: CaseRecord, codes: list[str], values: tuple[pb.FormValue, ...]
    ) -> str:
        obligations = obligations_of(record)
        still_open = open_codes(obligations)
        if not still_open:
            raise state_conflict(record.name, record.state, str(CaseState.CORRECTION_REQUESTED))
        if values or not codes:
            raise invalid_field("materials", "obligation.materials", "must hold tolerated materials, and nothing else")
        fulfill(obligations, codes)
        for obligation in record.content.obligations:
            if obligation.material_code in codes:
                obligation.fulfill_time.FromDatetime(tx.now)
        return self._desk.move(record, facts_of(record), Action.FULFILL_OBLIGATION)

    async def _answered(
        self,
        tx: Transaction,
        record: CaseRecord,
        item: ItemVersion,
        codes: list[str],
        values: tuple[pb.FormValue, ...],
    ) -> tuple[str, int]:
        asked = [point.material_code for point in record.content.correction.points]
        missing = missing_from_correction(asked, codes)
        if "" in asked and not values:
            missing += ("form",)
        before = self._desk.move(record, facts_of(record, missing_materials=missing), Action.SUBMIT_CORRECTION)
        suspended = await self._deadlines.begin_again(tx, record, item, await self._desk.calendars.current())
        record.content.correction.answer_time.FromDatetime(tx.now)
        return before, suspended

    # ---- withdraw ----

    async def withdraw(self, command: Command, request: rpc.WithdrawCaseRequest) -> pb.Case:
        """Withdraws a case before its decision."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record = await self._locked(tx, request.name, request.etag, actor)
            return await self.withdrawn(tx, record, actor_of(actor), actor.department, request.reason)

        return await self._desk.run(command, work)

    async def withdrawn(self, tx: Transaction, record: CaseRecord, actor: str, department: str, reason: str) -> pb.Case:
        """Withdraws a locked case; raises STATE_CONFLICT once it is decided."""
        item = await self._desk.items.version(record.item)
        before = self._desk.move(record, facts_of(record), Action.WITHDRAW)
        await self._deadlines.end(tx, record)
        record.end_time, record.content.end_reason, record.changed = tx.now, reason, True
        change = Change(Action.WITHDRAW, actor, department, reason, "CANCELLED")
        return await self._desk.finish(tx, record, item, before, change, events.CaseWithdrawn(reason=reason))

    async def _locked(self, tx: Transaction, name: str, etag: str, actor: Actor) -> CaseRecord:
        record = await self._desk.store.lock(tx.connection, id_of(name))
        require_applicant_side(actor, record)
        check_etag(name, record.version, etag)
        return record


def _check_spoken_for(application: Application, actor: Actor) -> None:
    """A person's token must speak for the applicant, or for the agent, who then needs a mandate."""
    applicant, agent = application.applicant, application.agent
    is_agent = agent is not None and agent.subject == actor.subject
    if not is_agent and applicant.subject not in speaks_for(actor):
        raise not_owner(applicant.subject)
    if agent is not None and actor.mandate and agent.mandate != actor.mandate:
        raise mandate_not_covering(agent.mandate, application.item.content.task_code, "the token names another mandate")


def obligations_of(record: CaseRecord) -> tuple[Obligation, ...]:
    """Returns what was promised at an acceptance with tolerance."""
    return tuple(
        Obligation(each.material_code, day_of(each.due_date, "due_date"), each.HasField("fulfill_time"))
        for each in record.content.obligations
    )
