"""Accepts by law what a department left without a word for five working days (行政许可法 32).

It sleeps by the machine's clock and judges by the business clock, which may be a replayed one.
"""

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.uow import derived_request_id
from libs.errors import TongbanError
from libs.observability.logs import logger
from services.cases.store.cases import CaseStore
from services.cases.usecases.acceptance import SELF, Acceptance
from tongban.cases.v1 import resources_pb2 as pb

_log = logger(__name__)
_PAUSE_SECONDS = 30.0


class Sweeper:
    """Looks for overdue acceptances, on one replica at a time."""

    def __init__(self, database: Database, store: CaseStore, acceptance: Acceptance, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._acceptance = acceptance
        self._clock = clock

    async def run(self) -> None:
        """Looks for ever."""
        await lead(self._database, "cases:sweeper", self._turn)

    async def _turn(self, _lock: AsyncConnection) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def sweep(self) -> int:
        """Accepts what is overdue; returns how many cases that were."""
        accepted = 0
        for case_id in await self._store.overdue(local_day(self._clock.now())):
            command = Command(
                caller=SELF, method="cases:deemAccepted", request_id=derived_request_id("deem", case_id),
                digest=case_id.encode(), response_type=pb.Case, actor=SELF,
            )  # fmt: skip
            try:
                await self._acceptance.deem_accepted(command, case_id)
                accepted += 1
            except TongbanError as error:
                _log.warning("not deemed accepted", case=case_id, reason=error.reason)
        return accepted
