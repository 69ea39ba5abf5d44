"""What sealing does by itself: batches that a crash left open are voided."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from libs.db.command import Command
from libs.db.engine import Database
from libs.db.uow import Transaction, UnitOfWork
from libs.sweeps.sweep import Backlog, Sweep
from services.seal.core.makers import SELF
from services.seal.sealing.rules import ABANDONED
from services.seal.sealing.steps import void
from services.seal.sealing.store import ABANDONED_BATCHES
from tongban.seal.v1 import resources_pb2

_AGAIN = timedelta(seconds=5)
"""After so long one that could not be voided is tried again: somebody may wait for it to end."""
_COMMAND = Command(SELF, "task:sweep", "", b"", resources_pb2.Sealing, actor=SELF)


def abandoned(uow: UnitOfWork, patience: timedelta) -> Backlog:
    """Ends open batches that are older than any call that could still be at work on them, by two looks half as far apart.

    It voids and does not sign: whoever waited for the signature is gone or asks again, and gets new numbers then.
    """

    async def end(batch: str) -> None:
        async def work(tx: Transaction) -> None:
            await void(tx, batch, ABANDONED)

        await uow.step(_COMMAND, work)

    return Backlog(
        "seal_intent_outcome",
        ABANDONED_BATCHES,
        end,
        lambda: {"age": patience},
        pause=_AGAIN,
        confirm=patience / 2,
    )


def left_behind(database: Database, uow: UnitOfWork, patience: timedelta) -> Callable[[], Awaitable[int]]:
    """Ends the batches that were open before this process began: for while nobody else is there who could be at them.

    Once the process is older than ``patience`` the sweep itself finds the same, and this looks no more: both note what they
    find under one name, and the one that finds less would take the other's notes away.
    """
    began = time.monotonic()

    async def end() -> int:
        age = timedelta(seconds=time.monotonic() - began)
        if age >= patience:
            return 0
        return await Sweep(database, "sealings:left", [abandoned(uow, age)], 1.0).sweep()

    return end
