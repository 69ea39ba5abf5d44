"""What case handling looks for by itself: overdue acceptances, licences and answers of other regions that do not come.

It sleeps by the machine's clock and judges by the business clock, which may be a replayed one.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.uow import Transaction, UnitOfWork, derived_request_id
from libs.sweeps.comparison import Comparison
from libs.sweeps.sweep import Backlog
from services.cases.clients import Licenses
from services.cases.domain.transfers import TransferState
from services.cases.store.cases import OVERDUE, TOLD, UNLICENSED
from services.cases.store.transfers import UNANSWERED, UNHEARD, Exchange, TransferStore
from services.cases.usecases.acceptance import SELF, Acceptance
from services.cases.usecases.asking import Asking
from services.cases.usecases.news import News
from tongban.cases.v1 import exchange_service_pb2 as exchange_pb
from tongban.cases.v1 import resources_pb2 as pb

PAUSE_SECONDS = 30.0
_SEND_AGAIN = Command(SELF, "cases:sendAgain", "", b"", exchange_pb.Transfer, actor=SELF)
_PATIENCE = timedelta(minutes=2)
"""How long a licence may take after the decision before it is asked for again; it takes less than a second."""
_SURE = timedelta(minutes=10)
"""How long an acceptance must be found overdue before the law is applied, which nothing takes back; it counts from the
submission whenever that is done."""
_SILENCE = timedelta(days=1)
"""How long a case in another region may be under way without a word before that region is asked to tell again."""


def overdue(acceptance: Acceptance, clock: Clock) -> Backlog:
    """Accepts by law what a department left without a word for five working days (行政许可法 32)."""

    async def accept(case_id: str) -> None:
        command = Command(
            caller=SELF,
            method="cases:deemAccepted",
            request_id=derived_request_id("deem", case_id),
            digest=case_id.encode(),
            response_type=pb.Case,
            actor=SELF,
        )
        await acceptance.deem_accepted(command, case_id)

    def today() -> Mapping[str, Any]:
        return {"today": local_day(clock.now())}

    return Backlog("case_accepted_by_law", OVERDUE, accept, today, confirm=_SURE)


def unlicensed(asking: Asking) -> Backlog:
    """Asks again for licences that did not come."""
    return Backlog("case_decided_licensed", UNLICENSED, asking.ask, patience=_PATIENCE, longest=timedelta(days=1))


def compared(database: Database, licences: Licenses) -> Comparison:
    """Compares the licences that were told of with those that the licence service knows: its database may go back."""
    return Comparison(database, "license_told_known", TOLD, licences.missing, PAUSE_SECONDS)


def unanswered(uow: UnitOfWork, store: TransferStore, news: News) -> tuple[Backlog, Backlog]:
    """Sends applications again that were receipted and not answered, or of whose case nothing was heard for a day.

    The other region tells again what it has told before; one that has lost the application opens the case.
    """

    async def send_again(key: str) -> None:
        transfer = key.partition("/")[0]

        async def work(tx: Transaction) -> None:
            row = await store.lock(tx.connection, transfer)
            if row.state in (TransferState.RECEIVED, TransferState.ACCEPTED):
                exchange = Exchange(row.peer_region, row.exchange_id, row.direction)
                await store.again(tx.connection, exchange, "application")
                tx.record(f"transfers/{transfer}")

        await uow.step(_SEND_AGAIN, work)
        news.woken.set()

    return (
        Backlog("transfer_receipted_answered", UNANSWERED, send_again, patience=_PATIENCE, longest=timedelta(days=1)),
        Backlog("transfer_accepted_heard_of", UNHEARD, send_again, patience=_SILENCE, pause=_SILENCE, longest=_SILENCE),
    )
