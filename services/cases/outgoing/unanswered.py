"""Sends applications again that were receipted and not answered, or of whose case nothing was heard for a day.

The other region tells again what it has told before; one that has lost the application opens the case.
"""

from dataclasses import dataclass
from datetime import timedelta

from libs.db.command import Command
from libs.db.uow import Transaction
from libs.sweeps.sweep import Backlog
from services.cases.core.access import SELF
from services.cases.core.exchange import Payload, TransferState
from services.cases.core.parts import Parts
from services.cases.outgoing.store import UNANSWERED, UNHEARD
from tongban.cases.v1 import exchange_service_pb2 as pb

_COMMAND = Command(SELF, "cases:sendAgain", "", b"", pb.CaseTransfer, actor=SELF)
_A_DAY = timedelta(days=1)
_PATIENCE = timedelta(minutes=2)
"""How long a receipted application may wait for its answer."""
_SILENCE = timedelta(days=1)
"""How long a case in another region may be under way without a word before that region is asked to tell again."""


@dataclass(frozen=True, slots=True)
class UnansweredTransfers:
    """Follows what was sent."""

    parts: Parts

    def backlogs(self) -> tuple[Backlog, Backlog]:
        """Returns the hand-overs as a sweep follows them."""
        again = self.send_again
        return (
            Backlog("transfer_receipted_answered", UNANSWERED, again, patience=_PATIENCE, longest=_A_DAY),
            Backlog("transfer_accepted_heard_of", UNHEARD, again, patience=_SILENCE, pause=_SILENCE, longest=_SILENCE),
        )

    async def send_again(self, key: str) -> None:
        """Puts an application in line once more; ``key`` is the transfer's id, and what was heard last."""
        name, parts = f"caseTransfers/{key.partition('/')[0]}", self.parts

        async def work(tx: Transaction) -> None:
            row = await parts.transfers.lock(tx.connection, name)
            if row.state in (TransferState.RECEIVED, TransferState.ACCEPTED):
                await parts.queue.again(tx.connection, row.key, Payload.APPLICATION)
                tx.record(name)

        await parts.uow.step(_COMMAND, work)
        parts.queue.woken.set()
