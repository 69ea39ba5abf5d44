"""Asks the license service again for the licence of a decided case that none came for, or that it lost.

The decision's event, or the answer to it, may be lost with the stream that carried it. The license service issues one
licence a case whatever is asked, and answers again what it answered before.
"""

from libs.db.command import Command
from libs.db.uow import Transaction
from libs.errors import state_conflict
from libs.rpc.timestamps import timestamp
from services.cases.domain.outcomes import Outcome, yields_license
from services.cases.domain.states import CaseState
from services.cases.usecases.acceptance import SELF
from services.cases.usecases.desk import Desk, tell
from services.cases.usecases.license_checks import decided_event
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb

_LOST = Command("services/cases", "cases:askForLostLicense", "", b"", pb.Case, actor=SELF)
_COMMAND = Command("services/cases", "cases:askForLicense", "", b"", pb.Case, actor=SELF)


class Asking:
    """Emits the decision once more."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(self, case_id: str) -> None:
        """Asks for the licence of a case, if it still waits for one."""

        async def work(tx: Transaction) -> None:
            record = await self._desk.store.lock(tx.connection, case_id)
            item = await self._desk.items.version(record.item)
            failed = record.content.HasField("license_failure")  # then an officer is asked, not the licence service
            waits = record.state == CaseState.DECIDED and not record.license and not failed
            if not waits or not yields_license(Outcome(record.outcome), item.content.license_type):
                return
            actor = record.content.decision.decided_by
            tell(tx, record, item, actor, decided_event(record, item, yields=True))
            tx.record(record.name)

        await self._desk.uow.step(_COMMAND, work)

    async def ask_for_lost(self, license_name: str) -> None:
        """Asks for a licence that was told of and is known there no more: for this very one, whatever the case's state.

        Raises FailedPrecondition STATE_CONFLICT where the case does not yield it (any more): then it stays missing, for an
        operator to see.
        """
        told = await self._desk.store.told(license_name)
        if told is None:
            return

        async def work(tx: Transaction) -> None:
            record = await self._desk.store.lock(tx.connection, told.case_id)
            item = await self._desk.items.version(record.item)
            outcome = Outcome(record.outcome) if record.outcome else None
            if record.license != license_name or not outcome or not yields_license(outcome, item.content.license_type):
                raise state_conflict(record.name, record.state, CaseState.CLOSED)
            event = decided_event(record, item, yields=True)
            event.told_license.CopyFrom(
                events.ToldLicense(
                    license=told.license, identifier=told.identifier, issue_time=timestamp(told.issue_time)
                )
            )
            tell(tx, record, item, record.content.decision.decided_by, event)
            tx.record(record.name)

        await self._desk.uow.step(_LOST, work)
