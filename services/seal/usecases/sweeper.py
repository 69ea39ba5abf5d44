"""Voids the batches that a crash left open. One replica at a time."""

import asyncio
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.command import Command
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.uow import UnitOfWork
from libs.observability.logs import logger
from services.seal.domain.sealings import ABANDONED
from services.seal.store.sealings import SealingStore
from services.seal.usecases.uses import void
from tongban.seal.v1 import resources_pb2

_log = logger(__name__)
_COMMAND = Command("services/seal", "task:sweep", "", b"", resources_pb2.Sealing, actor="services/seal")


class Sweeper:
    """Looks for open batches that are older than any call that could still be at work on them.

    It voids and does not sign: whoever waited for the signature is gone or asks again, and gets new numbers then.
    """

    def __init__(self, database: Database, store: SealingStore, uow: UnitOfWork, patience: timedelta) -> None:
        """Takes, besides its parts, how long a batch may be open."""
        self._database = database
        self._store = store
        self._uow = uow
        self._patience = patience

    async def run(self) -> None:
        """Sweeps for ever."""
        await lead(self._database, "sealings", self._turn)

    async def _turn(self, connection: AsyncConnection) -> None:
        while True:
            await self.sweep(connection)
            await asyncio.sleep(self._patience.total_seconds() / 2)

    async def sweep(self, connection: AsyncConnection) -> int:
        """Voids what is abandoned now and returns how many batches that were."""
        async with connection.begin():
            batches = await self._store.abandoned(connection, self._patience)
            if not batches:
                return 0
            tx = self._uow.within(connection, _COMMAND)
            voided = [await void(tx, self._store, batch, ABANDONED) for batch in batches]
            await tx.flush_step()
        _log.warning("voided abandoned sealings", batches=sum(voided))
        return sum(voided)
