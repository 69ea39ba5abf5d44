"""What goes to the region that sent a case: progress at every step, the result when the case is closed."""

from dataclasses import dataclass
from datetime import date

from libs.db.uow import Transaction
from libs.rpc.messages import date_message, timestamp
from services.cases.core.cases import CaseRecord
from services.cases.core.messages import ACTIONS, STATES, results
from services.cases.core.outbound import OutboundQueue
from services.cases.core.states import CaseAction
from tongban.cases.v1 import exchange_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class ProgressReports:
    """Puts progress and results in line for the deliverer, in the transaction of what they tell."""

    queue: OutboundQueue
    region: str

    async def report(
        self,
        tx: Transaction,
        record: CaseRecord,
        action: str,
        note: str,
        more: pb.TransferProgress,
        promised: date | None,
    ) -> None:
        """Tells of a step; ``more`` holds what only some steps tell, ``promised`` the last day by promise as it is now."""
        progress = pb.TransferProgress(
            state=STATES.number(record.state),
            action=ACTIONS.number(action),
            note=note[:1000],
            promised_date=date_message(promised),
            event_time=timestamp(tx.now),
        )
        progress.MergeFrom(more)
        assert record.transfer is not None
        await self.queue.add(tx, record.transfer, progress)
        if action == CaseAction.CLOSE:
            await self.queue.add(tx, record.transfer, self._result(record))

    def _result(self, record: CaseRecord) -> pb.TransferResult:
        decision = record.content.decision
        return pb.TransferResult(
            outcome=decision.outcome,
            reason=decision.reason,
            decide_time=decision.decide_time,
            results=results(record, f"//{self.region}/"),
        )
