"""Writes the search dates of running clocks anew after a calendar was imported, and tells other regions of moved deadlines.

What people are shown is derived at each reading and right at once; this is for what is searched and sorted by. Each batch is
a transaction of its own, and each case says by which edition of the calendar its date was counted: stopped anywhere it goes
on where it was, and cases that are being changed right now are left to the next turn.
"""

import asyncio
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.audit.writer import entry_of
from libs.civil.calendar import Calendar
from libs.clock import Clock
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.uow import Transaction, derived_request_id
from libs.observability.logs import logger
from services.cases.store.calendars import CalendarStore
from services.cases.store.cases import CaseRecord
from services.cases.store.recount import behind, recounted
from services.cases.usecases import deadlines
from services.cases.usecases.acceptance import SELF
from services.cases.usecases.desk import Desk
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb

_log = logger(__name__)
_BATCH = 100
_PAUSE_SECONDS = 5.0
_MOVED = "工作日历更新,承诺办结日期随之调整"


class Recounter:
    """Follows the calendar, on one replica at a time."""

    def __init__(self, database: Database, desk: Desk, calendars: CalendarStore, clock: Clock) -> None:
        self._database = database
        self._desk = desk
        self._calendars = calendars
        self._clock = clock

    async def run(self) -> None:
        """Follows it for ever."""
        await lead(self._database, "cases:recount", self._turn)

    async def _turn(self, _lock: AsyncConnection) -> None:
        while True:
            await self.recount()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def recount(self) -> int:
        """Writes anew what an older edition of the calendar counted; returns how many cases that were."""
        calendar, done = await self._calendars.current(), 0
        while found := await self._batch(calendar):
            done += found
        if done:
            self._desk.news.wake()
            _log.info("deadlines counted anew", cases=done, edition=calendar.edition)
        return done

    async def _batch(self, calendar: Calendar) -> int:
        edition = str(calendar.edition)
        command = Command(
            caller=SELF, method="cases:recount", request_id=derived_request_id("recount", edition),
            digest=edition.encode(), response_type=pb.Case, actor=SELF,
        )  # fmt: skip

        async def work(tx: Transaction) -> int:
            records = await behind(tx.connection, self._desk.store, calendar.edition, _BATCH)
            for record in records:
                await self._count(tx, record, calendar)
            return len(records)

        return await self._desk.uow.step(command, work)

    async def _count(self, tx: Transaction, record: CaseRecord, calendar: Calendar) -> None:
        before, item = record.due_date, await self._desk.items.version(record.item)
        reading = deadlines.note(record, item, calendar, tx.now)
        if reading is None:  # no calendar reaches that far: nothing to search by, and nothing to try again
            record.calendar_edition = calendar.edition
        await recounted(tx.connection, record)
        if record.due_date == before:
            return
        await self._desk.store.move_tasks(tx.connection, record, tx.now)
        tx.record(entry_of(tx.command, tx.now, record.name))
        if record.transfer and record.accept_time:
            await self._tell(tx, record, record.due_date)

    async def _tell(self, tx: Transaction, record: CaseRecord, promised: date | None) -> None:
        """Tells the region that sent the case of its new last day."""
        await self._desk.news.progress(tx, record, "RESCHEDULE", _MOVED, exchange.TransferProgress(), promised)
