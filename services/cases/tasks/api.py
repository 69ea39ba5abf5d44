"""TaskService: the departments' work queues."""

from libs.access.owners import require_official
from libs.db.command import command_of
from libs.db.etag import check_etag, etag_of
from libs.db.uow import Transaction
from libs.errors import invalid_field, reasons, state_conflict
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import Names, date_message, timestamp
from services.cases.core.access import require_staff
from services.cases.core.clock import ClockReading
from services.cases.core.deadlines import ClockFacts, reading_of
from services.cases.core.messages import LIGHTS
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction, require_separate_duties
from services.cases.core.steps import NO_DEADLINE
from services.cases.tasks import store
from services.cases.tasks.store import QueuedTask, ShownTask
from tongban.cases.v1 import task_service_pb2 as pb

_KINDS, _STATES = Names(pb.TaskKind), Names(pb.CaseTaskState)
_SEPARATED = {"REVIEW": CaseAction.START_REVIEW, "DECIDE": CaseAction.DECIDE, "REDECIDE": CaseAction.REDECIDE}


class TaskApi:
    """Shows queues, and lets staff take tasks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list_case_tasks(self, request: pb.ListCaseTasksRequest, call: Call) -> pb.ListCaseTasksResponse:
        """Lists tasks, the most urgent first; staff see their department's."""
        require_official(call.actor)
        parts, department = self._parts, call.actor.office or request.department
        if not department:
            raise invalid_field("department", "required", "say whose queue is read")
        if request.department and request.department != department:
            return pb.ListCaseTasksResponse()
        scope = Scope({"department": department}, () if request.show_ended else (store.WAITING,))
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, [scope])
        return pb.ListCaseTasksResponse(case_tasks=[await self._message(row) for row in shown], next_page_token=token)

    async def claim_case_task(self, request: pb.ClaimCaseTaskRequest, call: Call) -> pb.CaseTask:
        """Takes a task."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.CaseTask:
            task = await store.lock(tx.connection, request.name)
            require_staff(actor, task.department, request.name)
            check_etag(request.name, task.version, request.etag)
            _check_open(request.name, task, actor.subject)
            record = await self._parts.cases.get(f"cases/{task.case_id}")
            actor.require_impartial(record.applicant, record.agent)
            if task.kind in _SEPARATED:
                require_separate_duties(record.facts(), _SEPARATED[task.kind], actor.human)
            await store.UPDATE.one(
                tx.connection, task.id, state="CLAIMED", assignee=actor.subject, claim_time=tx.now, update_time=tx.now
            )
            return await self._message(await store.shown(tx.connection, request.name))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _message(self, row: ShownTask) -> pb.CaseTask:
        item = await self._parts.items.version(row.item)
        facts = ClockFacts(
            row.clock_start, row.accept_time is not None, row.standstills, row.extension_days, row.clock_end
        )
        calendar = await self._parts.calendars.current()
        reading = reading_of(facts, item.limits, calendar, self._parts.clock.now())
        return _task_message(row, item.content.display_name, reading)


def _check_open(name: str, task: QueuedTask, by: str) -> None:
    if task.state == "CLAIMED" and task.assignee != by:
        raise reasons.task_taken("somebody else took the task", task=name)
    if task.state != "OPEN":
        raise state_conflict(name, task.state, "OPEN")


def _task_message(row: ShownTask, item_name: str, reading: ClockReading | None) -> pb.CaseTask:
    # A task that was made when no period ran has no deadline.
    due = reading.promised_deadline if reading and row.due_date != NO_DEADLINE else None
    return pb.CaseTask(
        name=f"caseTasks/{row.id}",
        kind=_KINDS.number(row.kind),
        state=_STATES.number(row.state),
        case=f"cases/{row.case_id}",
        case_number=row.number or "",
        item_display_name=item_name,
        department=row.department,
        assignee=row.assignee,
        due_date=date_message(due),
        light=LIGHTS.number(reading.light if reading else ""),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        claim_time=timestamp(row.claim_time),
        end_time=timestamp(row.end_time),
        etag=etag_of(row.version),
    )
