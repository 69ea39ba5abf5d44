"""How a case is accepted (受理), whether by an officer or by law."""

from libs.civil.calendar import Calendar, local_day
from libs.db.uow import Transaction
from services.cases.core import deadlines
from services.cases.core.cases import CaseRecord
from services.cases.core.clock import is_deemed_accepted
from services.cases.core.items import ItemVersion
from services.cases.core.messages import ACTIONS
from services.cases.core.states import CaseState
from services.cases.core.workflow import CaseChange, Workflow
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb


def is_overdue(tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar) -> bool:
    """True where the case is accepted by law already: nothing was told within the period (行政许可法 32)."""
    if record.state != CaseState.SUBMITTED:
        return False
    return is_deemed_accepted(deadlines.clock_of(record, item), calendar, local_day(tx.now))


async def accepted(
    workflow: Workflow, tx: Transaction, record: CaseRecord, item: ItemVersion, before: CaseState, change: CaseChange
) -> pb.Case:
    """Finishes the acceptance of a case that was moved to ACCEPTED: the period of handling begins."""
    calendar, day = await workflow.calendars.current(), local_day(tx.now)
    if is_deemed_accepted(deadlines.clock_of(record, item), calendar, day):
        # Silence accepts from the day of receipt on (of the last full submission), not from the day on which somebody
        # notices, and not from the day of an acceptance that comes too late (行政许可法 32).
        assert record.clock_start is not None
        day = record.clock_start
    record.accept_time, record.accepted_by = tx.now, change.actor
    deadlines.start(record, day)
    promised, statutory = deadlines.last_days(record, item, calendar, tx.now)
    event = events.CaseAccepted(
        action=ACTIONS.number(change.action),
        promised_date=promised,
        statutory_date=statutory,
        obligations=record.content.obligations,
    )
    return await workflow.finish(tx, record, item, before, change, event)
