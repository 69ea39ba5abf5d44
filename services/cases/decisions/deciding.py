"""What a decision consists of: what it needs, what it says, who is told, and the order by which its licence is issued."""

from datetime import datetime

from libs.db.uow import Transaction
from libs.rpc.messages import timestamp
from services.cases.core.applications import party_of
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.license_checks import license_fields
from services.cases.core.messages import OUTCOMES
from services.cases.core.next_steps import yields
from services.cases.core.states import CaseAction
from services.cases.core.workflow import CaseChange, Workflow, move
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb


def decision(request: rpc.DecideCaseRequest | rpc.RedecideCaseRequest, decided_by: str, now: datetime) -> pb.Decision:
    """Returns what a request decides."""
    return pb.Decision(
        outcome=request.outcome, reason=request.reason, decided_by=decided_by, decide_time=timestamp(now)
    )


def decided_event(record: CaseRecord, item: ItemVersion) -> events.CaseDecided:
    """Returns what everybody who may get the case is told of its decision."""
    decided = record.content.decision
    return events.CaseDecided(
        outcome=decided.outcome,
        decided_by=decided.decided_by,
        decide_time=decided.decide_time,
        license_types=[item.license_type] if yields(record, item) else [],
    )


def license_order(record: CaseRecord, item: ItemVersion) -> events.CaseLicenseOrdered:
    """Returns what the license service needs to issue on a decision that yields a licence; it alone is told."""
    return events.CaseLicenseOrdered(
        license_type=item.license_type,
        holders=[party_of(record.content.applicant)],
        license_fields=license_fields(item, record.content),
        voided_license=record.content.decision.voided_license,
    )


async def closed(
    workflow: Workflow,
    tx: Transaction,
    record: CaseRecord,
    item: ItemVersion,
    actor: str,
    department: str,
    note: str,
) -> pb.Case:
    """Closes a locked case; raises CASE_LICENSE_PENDING while its licence is to come."""
    facts = record.facts(license_pending=yields(record, item) and not record.license)
    before = move(record, facts, CaseAction.CLOSE)
    record.close_time = tx.now
    change = CaseChange(CaseAction.CLOSE, actor, department, note, open_task="DELIVER")
    licenses = [record.license] if record.license else []
    event = events.CaseClosed(outcome=OUTCOMES.number(record.outcome), licenses=licenses)
    return await workflow.finish(tx, record, item, before, change, event)
