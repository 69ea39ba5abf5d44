"""Writes the search dates of running clocks anew after a calendar was imported, and tells of deadlines that moved.

What people are shown is derived at each reading and right at once; this is for what is searched and sorted by. Each batch is
a transaction of its own, and each case says by which edition of the calendar its date was counted: stopped anywhere it goes
on where it was, cases that are being changed right now are left to the next turn, and one that can't be counted (its row
can't be opened, a fault of ours) is set aside and stops no other.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from functools import partial

from libs.civil.calendar import Calendar
from libs.db.command import Command
from libs.db.connection import DatabaseConnection
from libs.db.leader import lead
from libs.db.uow import Transaction, derived_request_id
from libs.observability.logs import logger
from libs.rpc.messages import date_message
from libs.sweeps.batch import SetAsideRows
from services.cases.calendars.running import ids_behind, locked, recounted
from services.cases.core import deadlines
from services.cases.core.access import SELF
from services.cases.core.cases import CaseRecord
from services.cases.core.clock import ClockReading
from services.cases.core.parts import Parts
from services.cases.core.steps import NO_DEADLINE
from services.cases.core.workflow import tell
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb

_log = logger(__name__)
_BATCH = 100
_PAUSE_SECONDS = 5.0
_MOVED = "工作日历更新,承诺办结日期随之调整"


class DeadlineRecounter:
    """Follows the calendar, on one replica at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._aside = SetAsideRows("cases:recount")

    async def run(self) -> None:
        """Follows it for ever."""
        await lead(self._parts.database, "cases:recount", self._turn)

    async def _turn(self, _lock: DatabaseConnection) -> None:
        while True:
            await self.recount()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def recount(self) -> int:
        """Writes anew what an older edition of the calendar counted; returns how many cases that were."""
        calendar, done = await self._parts.calendars.current(), 0
        async for ids in self._batches(calendar):
            done += await self._aside.do(ids, partial(self._batch, calendar))
        self._aside.went_through()
        if done:
            _log.info("deadlines counted anew", cases=done, edition=calendar.edition)
        return done

    def _batches(self, calendar: Calendar) -> AsyncIterator[Sequence[str]]:
        return ids_behind(self._parts.database, calendar.edition, _BATCH)

    async def _batch(self, calendar: Calendar, ids: Sequence[str]) -> int:
        edition = str(calendar.edition)
        command = Command(
            caller=SELF,
            method="cases:recount",
            request_id=derived_request_id("recount", edition),
            digest=edition.encode(),
            response_type=pb.Case,
            actor=SELF,
        )

        async def work(tx: Transaction) -> int:
            records = await locked(tx.connection, self._parts.cases, calendar.edition, ids)
            for record in records:
                await self._count(tx, record, calendar)
            return len(records)

        return await self._parts.uow.step(command, work)

    async def _count(self, tx: Transaction, record: CaseRecord, calendar: Calendar) -> None:
        before, item = record.due_date, await self._parts.items.version(record.item)
        reading = deadlines.note(record, item, calendar, tx.now)
        if reading is None:  # no calendar reaches that far: nothing to search by, and nothing to try again
            record.calendar_edition = calendar.edition
        await recounted(tx.connection, record)
        if reading is None or record.due_date == before:
            return
        await self._parts.ledger.move_tasks(tx.connection, record.id, record.due_date or NO_DEADLINE, tx.now)
        tx.record(record.name)
        tell(tx, record, item, SELF, _rescheduled(reading, before))
        if record.transfer and record.accept_time:
            await self._tell_sender(tx, record)

    async def _tell_sender(self, tx: Transaction, record: CaseRecord) -> None:
        """Tells the region that sent the case of its new last day."""
        await self._parts.workflow.reports.report(
            tx, record, "RESCHEDULE", _MOVED, exchange.TransferProgress(), record.due_date
        )


def _rescheduled(reading: ClockReading, before: date | None) -> events.CaseRescheduled:
    return events.CaseRescheduled(
        promised_date=date_message(reading.promised_deadline),
        former_promised_date=date_message(before),
        statutory_date=date_message(reading.statutory_deadline),
    )
