"""Review (审查): take a case under review, stop its clock for a special procedure, set it going again, extend its limits."""

from libs.db.command import command_of
from libs.db.uow import Transaction
from libs.rpc.call import Call
from services.cases.core.clock import Extension, SpecialProcedure
from services.cases.core.deadlines import last_days
from services.cases.core.messages import PROCEDURES
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction
from services.cases.core.workflow import changed_by, move
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb


class ReviewApi:
    """Steps of reviewing staff."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workflow = parts.workflow

    async def start_review(self, request: rpc.StartReviewRequest, call: Call) -> pb.Case:
        """Takes a case under review."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            before = move(record, record.facts(), CaseAction.START_REVIEW, actor.human)
            record.reviewed_by = actor.subject
            change = changed_by(actor, CaseAction.START_REVIEW, open_task="DECIDE")
            return await self._workflow.finish(tx, record, item, before, change, events.CaseReviewStarted())

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def suspend_case(self, request: rpc.SuspendCaseRequest, call: Call) -> pb.Case:
        """Stops the clock for a special procedure."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            before = move(record, record.facts(), CaseAction.SUSPEND, actor.human)
            procedure = SpecialProcedure(PROCEDURES.name(request.procedure))
            await self._parts.deadlines.stop(tx, record, item, procedure, request.reason)
            change = changed_by(actor, CaseAction.SUSPEND, request.reason, end_tasks="")
            event = events.CaseSuspended(procedure=request.procedure)
            return await self._workflow.finish(tx, record, item, before, change, event)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def resume_case(self, request: rpc.ResumeCaseRequest, call: Call) -> pb.Case:
        """Sets the clock going again."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            before = move(record, record.facts(), CaseAction.RESUME, actor.human)
            calendar = await self._parts.calendars.current()
            suspended = await self._parts.deadlines.go(tx, record, item, calendar)
            promised, statutory = last_days(record, item, calendar, tx.now)
            change = changed_by(actor, CaseAction.RESUME, request.result, end_tasks="")
            event = events.CaseResumed(suspended_days=suspended, promised_date=promised, statutory_date=statutory)
            return await self._workflow.finish(tx, record, item, before, change, event)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def extend_case(self, request: rpc.ExtendCaseRequest, call: Call) -> pb.Case:
        """Extends the limits, once."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            before = move(record, record.facts(), CaseAction.EXTEND, actor.human)
            extension = Extension(request.extension.amount, request.reason, actor.subject)
            calendar = await self._parts.calendars.current()
            await self._parts.deadlines.extend(tx, record, item, calendar, extension)
            promised, statutory = last_days(record, item, calendar, tx.now)
            change = changed_by(actor, CaseAction.EXTEND, request.reason, end_tasks="")
            event = events.CaseExtended(extension=request.extension, promised_date=promised, statutory_date=statutory)
            return await self._workflow.finish(tx, record, item, before, change, event)

        return await self._parts.uow.run(command_of(request, call=call), work)
