"""Reading cases: one, by number, lists, history, clock."""

from datetime import UTC, datetime

from google.protobuf.message import Message

from libs.clock import Clock
from libs.db import paging
from libs.errors import reasons
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.convert import ACTION, STATE, id_of
from services.cases.store.cases import CaseRecord
from services.cases.usecases.access import Reading, is_staff, speaks_for
from services.cases.usecases.deadlines import clock_message
from services.cases.usecases.desk import Desk
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb

_MOST = 500
FIRST = (datetime(9999, 12, 31, tzinfo=UTC), "ffffffff-ffff-ffff-ffff-ffffffffffff")
"""Before the newest of a list that is sorted by time and id, newest first."""


def after_of(request: Message, token: str) -> tuple[datetime, str]:
    """Returns the time and id after which a page begins; raises PAGE_TOKEN_INVALID."""
    found = paging.position(request, token)
    if found is None:
        return FIRST
    try:
        moment, identifier = found
        return datetime.fromisoformat(str(moment)), str(identifier)
    except ValueError as error:
        raise reasons.page_token_invalid("the page token can't be read") from error


class Cases:
    """Use cases that read."""

    def __init__(self, desk: Desk, reading: Reading, clock: Clock) -> None:
        self._desk = desk
        self._reading = reading
        self._clock = clock

    async def get(self, request: rpc.GetCaseRequest) -> pb.Case:
        """Reads a case."""
        record = await self._desk.store.read(id_of(request.name))
        await self._reading.allow(request, request.context, record, "case")
        return await self._message(record)

    async def lookup(self, request: rpc.LookupCaseByNumberRequest) -> pb.Case:
        """Finds a case by its number."""
        record = await self._desk.store.read_by_number(request.number)
        await self._reading.allow(request, request.context, record, "case")
        return await self._message(record)

    async def _message(self, record: CaseRecord, *, whole: bool = True) -> pb.Case:
        item = await self._desk.items.version(record.item)
        return await self._desk.message(record, item, self._clock.now(), whole=whole)

    async def history(self, request: rpc.ListCaseHistoryRequest) -> rpc.ListCaseHistoryResponse:
        """Lists the steps of a case."""
        record = await self._desk.store.read(id_of(request.parent))
        await self._reading.allow(request, request.context, record, "history")
        size = paging.page_size(request.page_size, _MOST)
        last = paging.position(request, request.page_token)
        found = await self._desk.store.history(record.id, int(last[0]) if last else 0, size + 1)
        entries = [
            pb.HistoryEntry(
                sequence=row.sequence,
                action=ACTION.number(row.action),
                from_state=STATE.number(row.from_state),
                to_state=STATE.number(row.to_state),
                actor=row.actor,
                department=row.department,
                note=self._desk.store.open_note(record.id, row.note),
                event_time=timestamp(row.event_time),
            )
            for row in found[:size]
        ]
        token = paging.next_token(request, entries[-1].sequence) if len(found) > size else ""
        return rpc.ListCaseHistoryResponse(entries=entries, next_page_token=token)

    async def clock(self, request: rpc.GetClockRequest) -> pb.Clock:
        """Reads the clock of a case."""
        record = await self._desk.store.read(request.name.split("/")[1])
        await self._reading.allow(request, request.context, record, "clock")
        item = await self._desk.items.version(record.item)
        calendar = await self._desk.calendars.current()
        ledger = await self._desk.store.read_ledger(record.id)
        return clock_message(record, ledger, item, calendar, self._clock.now())

    async def list(self, request: rpc.ListCasesRequest) -> rpc.ListCasesResponse:
        """Lists cases: the caller's own, the department's, or with a purpose."""
        size = paging.page_size(request.page_size, _MOST)
        after = after_of(request, request.page_token)
        filters = _filters(request)
        actor = current_call().actor
        names = speaks_for(actor)
        if names:
            found = await self._desk.store.of_parties(names, actor.subject, filters, after, size + 1)
            await self._reading.own(request, actor.subject, "case.summary", min(len(found), size))
        else:
            if is_staff(actor):
                filters.setdefault("department", actor.department)
            found = await self._desk.store.filtered(filters, after, size + 1)
            of_own = is_staff(actor) and filters["department"] == actor.department
            await self._record_list(request, min(len(found), size), of_own=of_own)
        shown = [await self._message(record, whole=False) for record in found[:size]]
        last = found[size - 1] if len(found) > size else None
        token = paging.next_token(request, last.create_time.isoformat(), last.id) if last else ""
        return rpc.ListCasesResponse(cases=shown, next_page_token=token)

    async def _record_list(self, request: rpc.ListCasesRequest, count: int, *, of_own: bool) -> None:
        """Records what a list gives away; of other departments' cases it has to say why."""
        if of_own:
            await self._reading.note(request, request.department or "cases", "case.summary", count)
        else:
            await self._reading.use(request, request.context, "cases", "case.summary", count)


def _filters(request: rpc.ListCasesRequest) -> dict[str, str]:
    given = {
        "applicant": request.applicant,
        "item": id_of(request.item),
        "task_code": request.task_code,
        "state": STATE.name(request.state),
        "department": request.department,
    }
    return {name: value for name, value in given.items() if value}
