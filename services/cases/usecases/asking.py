"""Asks the license service again for the licence of a decided case that none came for.

The decision's event, or the answer to it, may be lost with the stream that carried it. The license service issues one
licence a case whatever is asked, and answers again what it answered before.
"""

from libs.audit.writer import entry_of
from libs.db.command import Command
from libs.db.uow import Transaction
from services.cases.domain.outcomes import EVENTS, Outcome, yields_license
from services.cases.domain.states import Action, CaseState
from services.cases.usecases.acceptance import SELF
from services.cases.usecases.desk import Desk, tell
from services.cases.usecases.license_checks import decided_event
from tongban.cases.v1 import resources_pb2 as pb

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
            tell(tx, record, item, actor, EVENTS[Action.DECIDE], decided_event(record, item, yields=True))
            tx.record(entry_of(tx.command, tx.now, record.name))

        await self._desk.uow.step(_COMMAND, work)
