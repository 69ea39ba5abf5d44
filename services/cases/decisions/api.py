"""Decision and end of a case (决定, 办结): decide, decide anew, close, end without a decision."""

from libs.db.command import Command, command_of
from libs.db.uow import AskFirst, Transaction, Work
from libs.rpc.call import Call
from services.cases.core.access import require_handler
from services.cases.core.applications import check_form, put_in
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.material_checks import unchecked
from services.cases.core.messages import OUTCOMES
from services.cases.core.next_steps import not_arrived, yields
from services.cases.core.outcomes import DecisionOutcome, check_reason
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction, CaseState
from services.cases.core.workflow import AskedBefore, changed_by, move, tell
from services.cases.decisions import parties
from services.cases.decisions.deciding import closed, decided_event, decision, license_order
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb


class DecisionApi:
    """Steps of deciding staff."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workflow = parts.workflow

    async def decide_case(self, request: rpc.DecideCaseRequest, call: Call) -> pb.Case:
        """Decides; where that yields a licence, it is ordered by an event of its own."""
        actor, command, asked = call.actor, command_of(request, call=call), AskedBefore()
        outcome = DecisionOutcome(OUTCOMES.name(request.outcome))
        check_reason(outcome, request.reason)
        compared = parties.PartyComparison(self._parts, outcome, request.restated_parties)

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor, asked.changes)
            if record.state == CaseState.UNDER_REVIEW:
                compared.ask_first(record)
                self._ask_materials(command, record, item, asked)
            facts = record.facts(open_obligations=not_arrived(record))
            before = move(record, facts, CaseAction.DECIDE, actor.human)
            record.decide_time = tx.now
            decided = decision(request, actor.subject, tx.now)
            decided.audit_records.extend(request.audit_records)
            decided.former_parties.extend(parties.restate(record.content, request.restated_parties))
            return await self._decided(tx, record, item, before, decided, CaseAction.DECIDE, asked, call)

        return await self._parts.uow.run(command, work)

    async def redecide_case(self, request: rpc.RedecideCaseRequest, call: Call) -> pb.Case:
        """Decides a case anew whose licence can't be issued: with what is printed put right, or with another outcome."""
        return await self._parts.uow.prepared(command_of(request, call=call), lambda: self._redeciding(request, call))

    async def _redeciding(self, request: rpc.RedecideCaseRequest, call: Call) -> Work[pb.Case]:
        """Compares the parties that are stated anew, and returns what decides."""
        actor, asked = call.actor, AskedBefore()
        seen = await self._parts.cases.get(request.name)
        require_handler(actor, seen)
        if seen.license_failed:  # else it was decided anew already, perhaps by this very request
            outcome = DecisionOutcome(OUTCOMES.name(request.outcome))
            await parties.compare(self._parts, seen, outcome, request.restated_parties)

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            facts = record.facts(license_failed=record.license_failed)
            before = move(record, facts, CaseAction.REDECIDE, actor.human)
            check_form(item, request.form_values)
            put_in(record.content, (), request.form_values, tx.now)
            decided = decision(request, actor.subject, tx.now)
            _carry_over(decided, record.content)
            decided.former_parties.extend(parties.restate(record.content, request.restated_parties))
            record.content.ClearField("license_failures")
            return await self._decided(tx, record, item, before, decided, CaseAction.REDECIDE, asked, call)

        return work

    async def _decided(
        self,
        tx: Transaction,
        record: CaseRecord,
        item: ItemVersion,
        before: CaseState,
        decided: pb.Decision,
        action: CaseAction,
        asked: AskedBefore,
        call: Call,
    ) -> pb.Case:
        """Writes a decision down, if the licence that it yields could be issued."""
        record.outcome, record.changed = OUTCOMES.name(decided.outcome), True
        record.content.decision.CopyFrom(decided)
        yielding = yields(record, item)
        if yielding:
            self._parts.license_checks.ask(record, item, asked.licenses)
        change = changed_by(call.actor, action, decided.reason, open_task="" if yielding else "CLOSE")
        answer = await self._workflow.finish(tx, record, item, before, change, decided_event(record, item))
        if yielding:
            tell(tx, record, item, call.actor.subject, license_order(record, item))
        return answer

    def _ask_materials(self, command: Command, record: CaseRecord, item: ItemVersion, asked: AskedBefore) -> None:
        """Has tolerated materials that came after the acceptance checked, once a call."""
        promised = frozenset(each.material_code for each in record.content.obligations)
        waiting = unchecked(record, promised) if promised else []
        if not waiting or record.id.encode() in asked.materials:
            return

        async def settle() -> None:
            asked.materials.add(record.id.encode())
            await self._parts.material_checks.run(command, record, item, waiting)
            asked.changes += 1

        raise AskFirst(settle)

    async def close_case(self, request: rpc.CloseCaseRequest, call: Call) -> pb.Case:
        """Closes a decided case that waits for no licence."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            return await closed(self._workflow, tx, record, item, actor.subject, actor.department, request.note)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def terminate_case(self, request: rpc.TerminateCaseRequest, call: Call) -> pb.Case:
        """Ends a case without a decision."""
        actor = call.actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._workflow.taken_up(tx, request, actor)
            before = move(record, record.facts(), CaseAction.TERMINATE, actor.human)
            await self._parts.deadlines.end(tx, record)
            record.end_time, record.content.end_reason, record.changed = tx.now, request.reason, True
            change = changed_by(actor, CaseAction.TERMINATE, request.reason, end_tasks="CANCELLED")
            return await self._workflow.finish(tx, record, item, before, change, events.CaseTerminated())

        return await self._parts.uow.run(command_of(request, call=call), work)


def _carry_over(decided: pb.Decision, content: pb.Case) -> None:
    """Takes into a new decision what the one before says for good: its evidence, what was voided, who was called otherwise."""
    decided.audit_records.extend(content.decision.audit_records)
    voided = next((each.license for each in content.license_failures), "")
    decided.voided_license = voided or content.decision.voided_license
    decided.former_parties.extend(content.decision.former_parties)
