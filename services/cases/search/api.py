"""What is read of cases: one, several, by number, lists, history, clock."""

from collections.abc import Sequence
from functools import partial

from libs.access.actor import Actor
from libs.access.context import check_kind, stated
from libs.db.command import command_of
from libs.lists.listing import Scope, given
from libs.lists.regional import Ask
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.cases.core.access import belongs_to, of_parties
from services.cases.core.cases import CaseRecord
from services.cases.core.messages import ACTIONS, STATES, keep_at_home
from services.cases.core.next_steps import allowed_actions
from services.cases.core.parts import Parts
from services.cases.core.steps import HistoryRow
from services.cases.search import store
from services.cases.search.clock import clock_message
from services.cases.search.regions import cases_of_regions
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2

_SUMMARY = "case.summary"


class SearchApi:
    """Reads cases."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._of_regions = cases_of_regions(parts)

    async def get_case(self, request: rpc.GetCaseRequest, call: Call) -> pb.Case:
        """Reads a case."""
        record = await self._parts.cases.get(request.name)
        await self._parts.reads.allow(request, call, request.use_context, record, "case")
        return await self._shown(record, call.actor)

    async def batch_get_cases(self, request: rpc.BatchGetCasesRequest, call: Call) -> rpc.BatchGetCasesResponse:
        """Reads several cases, all or none."""
        records = await self._parts.cases.several(request.names)
        await self._parts.reads.allow_each(request, call, request.use_context, records, "case")
        return rpc.BatchGetCasesResponse(cases=[await self._shown(record, call.actor) for record in records])

    async def lookup_case_by_number(self, request: rpc.LookupCaseByNumberRequest, call: Call) -> pb.Case:
        """Finds a case by its number."""
        record = await self._parts.cases.by_number(request.number)
        await self._parts.reads.allow(request, call, request.use_context, record, "case")
        return await self._shown(record, call.actor)

    async def _shown(self, record: CaseRecord, actor: Actor) -> pb.Case:
        """Builds the message of a case, with what its reader may do next."""
        parts = self._parts
        item, calendar = await parts.items.version(record.item), await parts.calendars.current()
        message = await parts.workflow.message(record, item, parts.clock.now())
        following = allowed_actions(actor, record, item, calendar, parts.clock)
        message.allowed_actions.extend(ACTIONS.number(each) for each in following)
        return message

    async def _message(self, record: CaseRecord, *, whole: bool = True) -> pb.Case:
        item = await self._parts.items.version(record.item)
        return await self._parts.workflow.message(record, item, self._parts.clock.now(), whole=whole)

    async def list_case_history(self, request: rpc.ListCaseHistoryRequest, call: Call) -> rpc.ListCaseHistoryResponse:
        """Lists the steps of a case."""
        parts = self._parts
        record = await parts.cases.get(request.parent)
        await parts.reads.allow(request, call, request.use_context, record, "history")
        page = partial(store.history, parts.database, record.id, int(parts.pages.after(request) or 0))
        shown, token = await parts.pages.cut(request, page, lambda row: (row.sequence,))
        entries = [_entry(row, parts.steps.note(record.id, row.note)) for row in shown]
        return rpc.ListCaseHistoryResponse(entries=entries, next_page_token=token)

    async def get_clock(self, request: rpc.GetClockRequest, call: Call) -> pb.Clock:
        """Reads the clock of a case."""
        parts = self._parts
        record = await parts.cases.get(request.name.removesuffix("/clock"))
        await parts.reads.allow(request, call, request.use_context, record, "clock")
        item = await parts.items.version(record.item)
        ledger = await parts.ledger.read(record.id)
        return clock_message(record, ledger, item, await parts.calendars.current(), parts.clock.now())

    async def list_cases(self, request: rpc.ListCasesRequest, call: Call) -> rpc.ListCasesResponse:
        """Lists cases: the caller's own, the department's, or with a purpose."""
        check_kind(request.use_context, "law")
        if request.regions:
            self._of_regions.check(request, call.actor)
        parts, scopes = self._parts, _scopes(request, call.actor)

        async def home(token: str, size: int) -> tuple[Sequence[pb.Case], str]:
            asked = rpc.ListCasesRequest()
            asked.CopyFrom(request)
            asked.page_token, asked.page_size = token, size
            async with parts.database.read() as connection:
                found, following = await store.LISTED.page(connection, parts.pages, asked, scopes)
            shown = await parts.agents.shown(call.actor, found)
            return [await self._listed(record, call.actor) for record in shown], following

        if request.regions:
            store.LISTED.check(request, scopes)
            return await self._listed_everywhere(request, call, home)
        cases, token = await home(request.page_token, request.page_size)
        await self._record_list(request, call, len(cases))
        return rpc.ListCasesResponse(cases=cases, next_page_token=token)

    async def _listed_everywhere(
        self, request: rpc.ListCasesRequest, call: Call, home: Ask[pb.Case]
    ) -> rpc.ListCasesResponse:
        """Lists what is the caller's here and elsewhere; that it is asked for is on record before, what came of it after."""
        audit, here = self._parts.audit, self._parts.home

        async def noted(asked: rpc.ListCasesRequest) -> common_pb2.UseContext:
            await audit.write(command_of(asked, call=call), "cases")
            return stated(call.actor, asked.use_context, here, "law").context

        answer: rpc.ListCasesResponse
        answer, transaction = await self._of_regions.page(request, call, home, noted)
        await self._leave_out_lapsed(answer, call.actor)
        command, count = command_of(request, call=call), len(answer.cases)
        await audit.write(command, "cases", fields=(_SUMMARY,), record_count=count, transaction_id=transaction)
        return answer

    async def _leave_out_lapsed(self, answer: rpc.ListCasesResponse, actor: Actor) -> None:
        """Leaves out cases elsewhere in which the caller is the agent of one of this region, and may act no more.

        Other regions judge that too, but hear of it later, and those of 0.2.0 never.
        """
        agents, shown = self._parts.agents, list(answer.cases)
        abroad = [agents.of_listed(actor, case) if case.name.startswith("//") else None for case in shown]
        stand = await agents.stand(abroad)
        del answer.cases[:]
        answer.cases.extend(
            case
            for case, stands in zip(shown, stand, strict=True)
            if stands and belongs_to(actor, case.applicant.subject, case.agent.subject)
        )

    async def _listed(self, record: CaseRecord, actor: Actor) -> pb.Case:
        message = await self._message(self._parts.cases.opened(record), whole=False)
        if actor.region:
            keep_at_home(message)
        return message

    async def _record_list(self, request: rpc.ListCasesRequest, call: Call, count: int) -> None:
        """Records what a list gives away; of other departments' cases it has to say why."""
        reads, actor, field = self._parts.reads, call.actor, _SUMMARY
        if actor.speaks_for and not actor.region:
            await reads.own(request, call, actor.subject, field, count)
        elif actor.speaks_for or (actor.office and request.department in ("", actor.office)):
            await reads.note(request, call, request.department or "cases", field, count)
        else:
            await reads.use(request, call, request.use_context, "cases", field, count)


def _scopes(request: rpc.ListCasesRequest, actor: Actor) -> list[Scope]:
    """Whose cases the caller may see: those of whom they speak for, or one department's."""
    chosen = given(department=request.department)
    if actor.speaks_for:
        return [Scope({**each.equal, **chosen}) for each in of_parties(actor)]
    return [Scope(given(department=actor.office) | chosen)]


def _entry(row: HistoryRow, note: str) -> pb.HistoryEntry:
    return pb.HistoryEntry(
        sequence=row.sequence,
        action=ACTIONS.number(row.action),
        from_state=STATES.number(row.from_state),
        to_state=STATES.number(row.to_state),
        actor=row.actor,
        department=row.department,
        note=note,
        event_time=timestamp(row.event_time),
    )
