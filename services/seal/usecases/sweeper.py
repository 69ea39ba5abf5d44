"""Voids the batches that a crash left open."""

from datetime import timedelta

from libs.db.command import Command
from libs.db.uow import Transaction, UnitOfWork
from libs.sweeps.sweep import Backlog
from services.seal.domain.sealings import ABANDONED
from services.seal.store.sealings import ABANDONED_BATCHES, SealingStore
from services.seal.usecases.uses import void
from tongban.seal.v1 import resources_pb2

_COMMAND = Command("services/seal", "task:sweep", "", b"", resources_pb2.Sealing, actor="services/seal")


def abandoned(store: SealingStore, uow: UnitOfWork, patience: timedelta) -> Backlog:
    """Ends open batches that are older than any call that could still be at work on them, by two looks half as far apart.

    It voids and does not sign: whoever waited for the signature is gone or asks again, and gets new numbers then.
    """

    async def end(batch: str) -> None:
        async def work(tx: Transaction) -> None:
            await void(tx, store, batch, ABANDONED)

        await uow.step(_COMMAND, work)

    return Backlog("seal_intent_outcome", ABANDONED_BATCHES, end, lambda: {"age": patience}, confirm=patience / 2)
