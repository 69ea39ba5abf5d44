"""The departments' work queues."""

from datetime import date
from typing import Any

from libs.clock import Clock
from libs.db import paging
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag, etag_of
from libs.db.uow import Transaction
from libs.errors import reasons, state_conflict
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.convert import LIGHT, TASK_KIND, TASK_STATE, date_message, id_of
from services.cases.domain.states import Action, require_separate_duties
from services.cases.store.cases import NO_DEADLINE
from services.cases.store.tasks import TaskStore
from services.cases.usecases.access import require_official, require_staff
from services.cases.usecases.deadlines import ClockFacts, reading_of
from services.cases.usecases.desk import Desk, facts_of
from tongban.cases.v1 import task_service_pb2 as pb

_MOST = 500
_FIRST = (date(1, 1, 1), "00000000-0000-0000-0000-000000000000")
_SEPARATED = {"REVIEW": Action.START_REVIEW, "DECIDE": Action.DECIDE, "REDECIDE": Action.REDECIDE}


class Tasks:
    """Use cases of TaskService."""

    def __init__(self, desk: Desk, store: TaskStore, clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._clock = clock

    async def list(self, request: pb.ListTasksRequest) -> pb.ListTasksResponse:
        """Lists tasks, the most urgent first; staff see their department's."""
        actor = current_call().actor
        size = paging.page_size(request.page_size, _MOST)
        require_official(actor)
        department = actor.office or request.department
        if request.department and request.department != department:
            return pb.ListTasksResponse()
        given: dict[str, Any] = {
            "department": department,
            "kind": TASK_KIND.name(request.kind),
            "state": TASK_STATE.name(request.state),
            "case_id": id_of(request.case_name),
            "assignee": request.assignee,
            "waiting": not request.state,
        }
        filters = {name: value for name, value in given.items() if value}
        found = await self._store.page(filters, _after(request), size + 1)
        more = len(found) > size
        token = paging.next_token(request, found[size - 1].due_date.isoformat(), found[size - 1].id) if more else ""
        return pb.ListTasksResponse(tasks=[await self._message(row) for row in found[:size]], next_page_token=token)

    async def claim(self, command: Command, request: pb.ClaimTaskRequest) -> pb.Task:
        """Takes a task."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Task:
            identifier = id_of(request.name)
            row = await self._store.task(tx.connection, identifier)
            require_staff(actor, row.department, request.name)
            check_etag(request.name, row.version, request.etag)
            if row.state == "CLAIMED" and row.assignee != actor.subject:
                raise reasons.task_taken("somebody else took the task", task=request.name)
            if row.state != "OPEN":
                raise state_conflict(request.name, row.state, "OPEN")
            record = await self._desk.store.read(row.case_id)
            actor.require_impartial(record.applicant, record.agent)
            if row.kind in _SEPARATED:
                require_separate_duties(facts_of(record), _SEPARATED[row.kind], actor.human)
            await self._store.claim(tx.connection, identifier, actor.subject, tx.now)
            return await self._message(await self._store.shown(tx.connection, identifier))

        return await self._desk.uow.run(command, work)

    async def _message(self, row: Row) -> pb.Task:
        item = await self._desk.items.version(row.item)
        facts = ClockFacts(
            row.clock_start, row.accept_time is not None, row.standstills, row.extension_days, row.clock_end
        )
        reading = reading_of(facts, item.limits, await self._desk.calendars.current(), self._clock.now())
        # A task that was made when no period ran has no deadline.
        due = reading.promised_deadline if reading and row.due_date != NO_DEADLINE else None
        return pb.Task(
            name=f"tasks/{row.id}",
            kind=TASK_KIND.number(row.kind),
            state=TASK_STATE.number(row.state),
            case_name=f"cases/{row.case_id}",
            case_number=row.number or "",
            item_display_name=item.content.display_name,
            department=row.department,
            assignee=row.assignee,
            due_date=date_message(due),
            light=LIGHT.number(str(reading.light) if reading else ""),
            create_time=timestamp(row.create_time),
            update_time=timestamp(row.update_time),
            claim_time=timestamp(row.claim_time),
            end_time=timestamp(row.end_time),
            etag=etag_of(row.version),
        )


def _after(request: pb.ListTasksRequest) -> tuple[date, str]:
    found = paging.position(request, request.page_token)
    if found is None:
        return _FIRST
    try:
        return date.fromisoformat(str(found[0])), str(found[1])
    except ValueError as error:
        raise reasons.page_token_invalid("the page token can't be read") from error
