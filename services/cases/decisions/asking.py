"""Asks the license service again for the licence of a decided case that none came for, or that it lost.

The order, or the answer to it, may be lost with the stream that carried it. The license service issues one
licence a case whatever is asked, and answers again what it answered before.
"""

from dataclasses import dataclass
from datetime import timedelta

from libs.db.command import Command
from libs.db.uow import Transaction
from libs.errors import state_conflict
from libs.rpc.messages import timestamp
from libs.sweeps.comparison import HandOverComparison
from libs.sweeps.sweep import Backlog
from services.cases.core.access import SELF
from services.cases.core.next_steps import yields
from services.cases.core.parts import Parts
from services.cases.core.states import CaseState
from services.cases.core.workflow import tell
from services.cases.decisions import store
from services.cases.decisions.deciding import license_order
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb

_LOST = Command(SELF, "cases:askForLostLicense", "", b"", pb.Case, actor=SELF)
_COMMAND = Command(SELF, "cases:askForLicense", "", b"", pb.Case, actor=SELF)
_PATIENCE = timedelta(minutes=2)
"""How long a licence may take after the decision before it is asked for again; it takes less than a second."""


@dataclass(frozen=True, slots=True)
class LicenseRequests:
    """Orders licences once more."""

    parts: Parts

    def backlog(self) -> Backlog:
        """Returns the hand-over of decisions as a sweep follows it."""
        return Backlog(
            "case_decided_licensed", store.UNLICENSED, self.ask, patience=_PATIENCE, longest=timedelta(days=1)
        )

    def comparison(self, pause_seconds: float) -> HandOverComparison:
        """Compares the licences that were told of with those that are known there: its database may go back."""
        missing = self.parts.licenses.missing
        return HandOverComparison(self.parts.database, "license_told_known", store.TOLD, missing, pause_seconds)

    async def ask(self, case_id: str) -> None:
        """Asks for the licence of a case, if it still waits for one."""

        async def work(tx: Transaction) -> None:
            record, item = await self.parts.workflow.locked(tx, f"cases/{case_id}")
            failed = record.license_failed  # then an officer is asked, not the licence service
            waits = record.state == CaseState.DECIDED and not record.license and not failed
            if not waits or not yields(record, item):
                return
            tell(tx, record, item, record.content.decision.decided_by, license_order(record, item))
            tx.record(record.name)

        await self.parts.uow.step(_COMMAND, work)

    async def ask_for_lost(self, license_name: str) -> None:
        """Asks for a licence that was told of and is known there no more: for this very one, whatever the case's state.

        Raises FailedPrecondition STATE_CONFLICT where the case does not yield it (any more): then it stays missing, for an
        operator to see.
        """
        told = await store.told(self.parts.database, license_name)
        if told is None:
            return

        async def work(tx: Transaction) -> None:
            record, item = await self.parts.workflow.locked(tx, f"cases/{told.case_id}")
            if record.license != license_name or not yields(record, item):
                raise state_conflict(record.name, record.state, CaseState.CLOSED)
            event = license_order(record, item)
            event.told_license.CopyFrom(
                events.ToldLicense(
                    license=told.license, identifier=told.identifier, issue_time=timestamp(told.issue_time)
                )
            )
            tell(tx, record, item, record.content.decision.decided_by, event)
            tx.record(record.name)

        await self.parts.uow.step(_LOST, work)
