"""The receiving side of a case (受理): ask for correction, accept, accept with tolerance, decline."""

from libs.civil.calendar import local_day
from libs.db.command import Command, command_of
from libs.db.uow import AskFirst, Transaction
from libs.rpc.call import Call
from libs.rpc.messages import date_message, date_of, timestamp, working_days
from services.cases.acceptance.accepting import accepted, is_overdue
from services.cases.core import deadlines
from services.cases.core.cases import CaseRecord
from services.cases.core.clock import SpecialProcedure
from services.cases.core.items import ItemVersion
from services.cases.core.material_checks import key_of, unchecked
from services.cases.core.materials import Obligation, check_codes, missing_at_acceptance, tolerate
from services.cases.core.messages import codes_of
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction, CaseState
from services.cases.core.workflow import AskedBefore, CaseChange, changed_by, move
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb

Acceptances = rpc.AcceptCaseRequest | rpc.AcceptCaseWithToleranceRequest


class AcceptanceApi:
    """Takes cases up, or not."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workflow = parts.workflow

    async def request_correction(self, request: rpc.RequestCorrectionRequest, call: Call) -> pb.Case:
        """Asks for correction, once; the acceptance clock stands still."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            check_codes(item.rules, [point.material_code for point in request.points if point.material_code])
            calendar = await self._parts.calendars.current()
            facts = record.facts(told_too_late=is_overdue(tx, record, item, calendar))
            before = move(record, facts, CaseAction.REQUEST_CORRECTION, actor.human)
            await self._parts.deadlines.stop(tx, record, item, SpecialProcedure.CORRECTION, "")
            correction = _correction(request, actor.subject, tx)
            record.content.corrections.append(correction)
            record.changed = True
            due = date_message(deadlines.correction_due(correction, calendar))
            change = CaseChange(
                CaseAction.REQUEST_CORRECTION,
                actor.subject,
                actor.department,
                "补正告知",
                progress=exchange.TransferProgress(correction_points=request.points, correction_due_date=due),
            )
            codes = [point.material_code for point in request.points]
            event = events.CaseCorrectionRequested(material_codes=filter(None, codes), form="" in codes, due_date=due)
            return await self._workflow.finish(tx, record, item, before, change, event)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def accept_case(self, request: rpc.AcceptCaseRequest, call: Call) -> pb.Case:
        """Accepts a case; licences and files handed over by reference are checked before."""
        return await self._accept(request, call, ())

    async def accept_case_with_tolerance(self, request: rpc.AcceptCaseWithToleranceRequest, call: Call) -> pb.Case:
        """Accepts a case although tolerable materials are missing."""
        obligations = tuple(
            Obligation(each.material_code, date_of(each.due_date, "obligations.due_date"))
            for each in request.obligations
        )
        return await self._accept(request, call, obligations)

    async def _accept(self, request: Acceptances, call: Call, obligations: tuple[Obligation, ...]) -> pb.Case:
        actor, command, asked = call.actor, command_of(request, call=call), AskedBefore()
        action = CaseAction.ACCEPT_WITH_TOLERANCE if obligations else CaseAction.ACCEPT

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor, asked.changes)
            if record.state == CaseState.SUBMITTED:
                self._ask_materials(command, record, item, asked)
                if obligations:
                    tolerate(item.rules, codes_of(record.content.materials), obligations, local_day(tx.now))
            before = _moved(record, item, action, obligations, actor.human)
            self._parts.license_checks.ask(record, item, asked.licenses)
            if isinstance(request, rpc.AcceptCaseWithToleranceRequest):
                _promise(record, request, obligations)
            record.accepted_human = actor.human
            change = changed_by(actor, action, request.note, open_task="REVIEW")
            return await accepted(self._workflow, tx, record, item, before, change)

        return await self._parts.uow.run(command, work)

    def _ask_materials(self, command: Command, record: CaseRecord, item: ItemVersion, asked: AskedBefore) -> None:
        """Has unchecked materials checked, each set of them once a call: what was refused then stays refused."""
        waiting = unchecked(record)
        if not waiting or key_of(waiting) in asked.materials:
            return

        async def settle() -> None:
            await self._parts.material_checks.run(command, record, item, waiting)
            asked.changes += 1
            asked.materials.add(key_of(unchecked(await self._parts.cases.get(record.name))))

        raise AskFirst(settle)

    async def decline_case(self, request: rpc.DeclineCaseRequest, call: Call) -> pb.Case:
        """Declines a case."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            calendar = await self._parts.calendars.current()
            facts = record.facts(told_too_late=is_overdue(tx, record, item, calendar))
            before = move(record, facts, CaseAction.DECLINE, actor.human)
            record.end_time, record.accepted_by, record.accepted_human = tx.now, actor.subject, actor.human
            record.content.end_reason, record.changed = request.reason, True
            change = changed_by(actor, CaseAction.DECLINE, request.reason)
            return await self._workflow.finish(tx, record, item, before, change, events.CaseDeclined())

        return await self._parts.uow.run(command_of(request, call=call), work)


def _correction(request: rpc.RequestCorrectionRequest, asked_by: str, tx: Transaction) -> pb.Correction:
    return pb.Correction(
        points=request.points,
        answer_limit=working_days(request.answer_limit.amount or deadlines.ANSWER_DAYS),
        request_time=timestamp(tx.now),
        requested_by=asked_by,
    )


def _moved(
    record: CaseRecord, item: ItemVersion, action: CaseAction, obligations: tuple[Obligation, ...], human: str
) -> CaseState:
    """Moves a case to ACCEPTED, if its materials are there and verified; returns the state before."""
    tolerated = [each.code for each in obligations]
    facts = record.facts(
        missing_materials=missing_at_acceptance(item.rules, codes_of(record.content.materials), tolerated),
        unverified_materials=tuple(each.reference.code for each in unchecked(record)),
    )
    return move(record, facts, action, human)


def _promise(
    record: CaseRecord, request: rpc.AcceptCaseWithToleranceRequest, obligations: tuple[Obligation, ...]
) -> None:
    record.content.commitment = request.commitment
    record.content.obligations.extend(
        pb.ToleranceObligation(material_code=each.code, due_date=date_message(each.due)) for each in obligations
    )
    record.changed = True
