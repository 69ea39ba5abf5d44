"""Acceptance by law, where a department left a case without a word for five working days (行政许可法 32).

It sleeps by the machine's clock and judges by the business clock, which may be a replayed one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from libs.db.command import Command
from libs.db.uow import Transaction, derived_request_id
from libs.errors import reasons
from libs.sweeps.sweep import Backlog
from services.cases.acceptance.accepting import accepted, is_overdue
from services.cases.acceptance.store import OVERDUE
from services.cases.core.access import SELF
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction, CaseState
from services.cases.core.workflow import CaseChange, move
from tongban.cases.v1 import resources_pb2 as pb

_SURE = timedelta(minutes=10)
"""How long an acceptance must be found overdue before the law is applied, which nothing takes back; it counts from the
submission whenever that is done."""


@dataclass(frozen=True, slots=True)
class DeemedAcceptance:
    """Accepts what was left."""

    parts: Parts

    def backlog(self) -> Backlog:
        """Returns the hand-over as a sweep follows it."""
        return Backlog("case_accepted_by_law", OVERDUE, self.accept, self._today, confirm=_SURE)

    def _today(self) -> Mapping[str, Any]:
        return {"today": self.parts.workflow.today()}

    async def accept(self, case_id: str) -> None:
        """Accepts a case by law; raises CASE_NOT_DEEMED_ACCEPTED where it is not overdue."""
        command = Command(
            caller=SELF,
            method="cases:deemAccepted",
            request_id=derived_request_id("deem", case_id),
            digest=case_id.encode(),
            response_type=pb.Case,
            actor=SELF,
        )

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self.parts.workflow.locked(tx, f"cases/{case_id}")
            if record.state != CaseState.SUBMITTED:
                raise reasons.case_not_deemed_accepted(f"{record.name} is {record.state}")
            calendar = await self.parts.workflow.calendars.current()
            facts = record.facts(acceptance_overdue=is_overdue(tx, record, item, calendar))
            before = move(record, facts, CaseAction.DEEM_ACCEPTED)
            change = CaseChange(CaseAction.DEEM_ACCEPTED, SELF, note="逾期未告知,视为受理", open_task="REVIEW")
            return await accepted(self.parts.workflow, tx, record, item, before, change)

        await self.parts.uow.run(command, work)
