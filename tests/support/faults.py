"""Faults put on a region's processes: killed with -9, frozen, cut."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from tests.support.regions import Regions

_BACK_WITHIN = 60.0


def kill(regions: Regions, region: str, process: str, by: int = signal.SIGKILL) -> int:
    """Ends a process, without a chance to end in order unless ``by`` gives one; returns the number of its restart."""
    restarts = regions.cluster.snapshot.process(region, process).restarts
    os.kill(regions.pid(region, process), by)
    return restarts + 1


async def back(regions: Regions, region: str, process: str, restarts: int) -> None:
    """Waits until the supervisor has a process ready again after it was started anew ``restarts`` times."""
    async with asyncio.timeout(_BACK_WITHIN):
        while True:
            now = regions.cluster.snapshot.process(region, process)
            if now.restarts >= restarts and now.phase == "READY":
                return
            await asyncio.sleep(0.1)


async def kill_and_wait(regions: Regions, region: str, process: str) -> None:
    """Kills a process and returns when it is ready again."""
    await back(regions, region, process, kill(regions, region, process))


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


@asynccontextmanager
async def frozen(regions: Regions, region: str, process: str) -> AsyncIterator[None]:
    """Stops a process and its children (SIGSTOP) for the length of the block."""
    family = _family(regions.pid(region, process))
    for each in family:
        each.suspend()
    try:
        yield
    finally:
        for each in family:
            if each.is_running():
                each.resume()
