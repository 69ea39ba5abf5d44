"""Work that goes on for as long as its process: whatever one turn of it ends with, the next one begins.

Everything that runs beside the server begins here (``Process.background``, ``libs.db.leader.lead``), so that a fault nobody
thought of, in the work on one row, costs that turn and no more: neither the process nor what else runs in it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from libs.errors import TongbanError
from libs.observability import metrics
from libs.observability.logs import logger, place_of

_log = logger(__name__)


async def forever(name: str, turn: Callable[[], Awaitable[object]], rest_seconds: float) -> NoReturn:
    """Runs ``turn`` again and again, with a rest between two of them; only a cancellation ends it.

    A turn may itself go on for as long as nothing goes wrong.
    """
    while True:
        await attempt(name, turn)
        await rest(rest_seconds)


async def attempt(name: str, turn: Callable[[], Awaitable[object]]) -> None:
    """Runs ``turn`` beside others that go on whatever it ends with; a failure is counted and logged by type and place."""
    try:
        await turn()
    except TongbanError as error:
        metrics.TURNS_FAILED.labels(name, error.reason).inc()
        _log.warning("turn ended", task=name, reason=error.reason)
    except Exception as error:  # noqa: BLE001 - whatever a turn does wrong, the next one begins
        metrics.TURNS_FAILED.labels(name, "INTERNAL").inc()
        _log.error("turn failed", task=name, **place_of(error))


async def rest(seconds: float) -> None:
    """Waits between two turns."""
    await asyncio.sleep(seconds)
