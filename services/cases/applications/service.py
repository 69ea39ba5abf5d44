"""Applications on their way: opened, submitted, corrected and withdrawn, whether people here do it or another region's window."""

from dataclasses import dataclass
from datetime import datetime

from libs.civil.calendar import local_day
from libs.db.uow import Transaction
from libs.errors import invalid_field, state_conflict
from services.cases.core import deadlines
from services.cases.core.applications import (
    FormValues,
    check_form,
    check_materials,
    home_region_of,
    missing_form,
    obligations_of,
    put_in,
)
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.materials import fulfill, missing_at_submission, missing_from_correction, open_codes
from services.cases.core.messages import codes_of, files_of
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction, CaseState
from services.cases.core.steps import CaseStep
from services.cases.core.workflow import CaseChange, move, tell
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2


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
    applicant: party_pb2.Applicant
    agent: party_pb2.Agent | None
    channel: str
    title: str
    materials: tuple[pb.MaterialReference, ...]
    form_values: FormValues
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
        put_in(content, self.materials, self.form_values, now)
        item = self.item.content
        return CaseRecord(
            id=self.case_id,
            item=self.item.id,
            task_code=item.task_code,
            category=item.category,
            department=item.department,
            channel=self.channel,
            applicant=self.applicant.subject,
            agent=self.agent.subject if self.agent else "",
            mandate=self.agent.mandate if self.agent else "",
            created_by=self.created_by,
            assurance=self.assurance,
            home_region=home_region_of(self.applicant.subject, home_region),
            receiving_region=self.receiving_region,
            transfer=self.transfer,
            received_by=self.received_by,
            received_human=self.received_human,
            create_time=now,
            update_time=now,
            content=content,
            changed=True,
        )


@dataclass(frozen=True, slots=True)
class RespondingParty:
    """Who answers a correction, or supplies what was tolerated.

    Attributes:
        actor: who it is, for the history.
        department: theirs, or empty.
        paper_allowed: whether a window saw the papers.
        asked: the licences that passed their check in this call.
    """

    actor: str
    department: str
    paper_allowed: bool
    asked: set[bytes]


class Applications:
    """The applicant's steps, in the transaction of who takes them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def opened(self, tx: Transaction, application: Application) -> CaseRecord:
        """Opens a draft in a transaction; raises RESOURCE_EXISTS where its id is taken."""
        record = application.record(self._parts.home, tx.now)
        step = CaseStep("CREATE", "", application.actor, application.department)
        await self._parts.steps.open(tx.connection, record, step)
        tell(tx, record, application.item, application.actor, events.CaseCreated())
        return record

    async def submitted(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, actor: str, department: str, asked: set[bytes]
    ) -> pb.Case:
        """Moves a locked or just made draft to SUBMITTED: its number, its clock, its task.

        ``asked`` lives as long as the call: the licences that passed their check in it.
        """
        day = local_day(tx.now)
        missing = missing_at_submission(item.rules, codes_of(record.content.materials))
        missing += missing_form(item, record.content.form_values)
        before = move(record, record.facts(missing_materials=missing), CaseAction.SUBMIT)
        self._parts.license_checks.ask(record, item, asked)
        deadlines.start(record, day)
        record.submit_time = tx.now
        deadline, _ = deadlines.last_days(record, item, await self._parts.calendars.current(), tx.now)
        event = events.CaseSubmitted(
            acceptance_due_date=deadline,
            receiving_department="" if record.transfer else department,
            materials=files_of(record.content, self._parts.home),
        )
        change = CaseChange(CaseAction.SUBMIT, actor, department, end_tasks="", open_task="ACCEPT", number_day=day)
        return await self._parts.workflow.finish(tx, record, item, before, change, event)

    async def corrected(
        self,
        tx: Transaction,
        record: CaseRecord,
        materials: tuple[pb.MaterialReference, ...],
        values: FormValues,
        by: RespondingParty,
    ) -> pb.Case:
        """Puts the answer to a correction, or tolerated materials, into a locked case; the state tells which."""
        item = await self._parts.items.version(record.item)
        check_materials(item, materials, paper_allowed=by.paper_allowed)
        check_form(item, values)
        codes = [material.code for material in materials]
        if record.state in {CaseState.ACCEPTED, CaseState.UNDER_REVIEW, CaseState.SUSPENDED}:
            before, suspended = self._fulfilled(tx, record, codes, values), 0
            change = CaseChange(CaseAction.FULFILL_OBLIGATION, by.actor, by.department, end_tasks="")
        else:
            before, suspended = await self._answered(tx, record, item, codes, values)
            change = CaseChange(CaseAction.SUBMIT_CORRECTION, by.actor, by.department, end_tasks="", open_task="ACCEPT")
        put_in(record.content, materials, values, tx.now)
        record.changed = True
        self._parts.license_checks.ask(record, item, by.asked)
        event = events.CaseCorrected(
            material_codes=codes,
            suspended_days=suspended,
            materials=files_of(record.content, self._parts.home),
        )
        return await self._parts.workflow.finish(tx, record, item, before, change, event)

    def _fulfilled(self, tx: Transaction, record: CaseRecord, codes: list[str], values: FormValues) -> CaseState:
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
        return move(record, record.facts(), CaseAction.FULFILL_OBLIGATION)

    async def _answered(
        self,
        tx: Transaction,
        record: CaseRecord,
        item: ItemVersion,
        codes: list[str],
        values: FormValues,
    ) -> tuple[CaseState, int]:
        asked = [point.material_code for each in record.content.corrections[-1:] for point in each.points]
        missing = missing_from_correction(asked, codes)
        if "" in asked and not values:
            missing += ("form",)
        before = move(record, record.facts(missing_materials=missing), CaseAction.SUBMIT_CORRECTION)
        suspended = await self._parts.deadlines.begin_again(tx, record, item, await self._parts.calendars.current())
        record.content.corrections[-1].answer_time.FromDatetime(tx.now)
        return before, suspended

    async def withdrawn(self, tx: Transaction, record: CaseRecord, actor: str, department: str, reason: str) -> pb.Case:
        """Withdraws a locked case; raises STATE_CONFLICT once it is decided."""
        item = await self._parts.items.version(record.item)
        before = move(record, record.facts(), CaseAction.WITHDRAW)
        await self._parts.deadlines.end(tx, record)
        record.end_time, record.content.end_reason, record.changed = tx.now, reason, True
        change = CaseChange(CaseAction.WITHDRAW, actor, department, reason, "CANCELLED")
        return await self._parts.workflow.finish(tx, record, item, before, change, events.CaseWithdrawn())
