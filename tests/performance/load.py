"""Puts load on an operation and tells its rate, and what it cost each process in CPU time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import psutil

AT_ONCE = 16
_WARM_UP = 64

Operation = Callable[[int], Awaitable[None]]
"""Does the n-th operation; the warm-up takes the first numbers."""


@dataclass(frozen=True)
class Measured:
    """One operation.

    Attributes:
        name: what.
        count: how many were timed.
        seconds: in how long.
        cpu_ms: CPU milliseconds an operation, by process.
        servers: the processes that count as its servers.
        units: how many units of work one operation holds (digests of a batch).
    """

    name: str
    count: int
    seconds: float
    cpu_ms: Mapping[str, float]
    servers: tuple[str, ...]
    units: int = 1

    @property
    def rate(self) -> float:
        """Operations a second, as the client saw them."""
        return self.count / self.seconds

    @property
    def server_ms(self) -> float:
        """CPU milliseconds an operation of its servers."""
        return sum(self.cpu_ms[server] for server in self.servers)

    @property
    def per_core(self) -> float:
        """Operations a second that one core of server could do."""
        return 1000 / self.server_ms if self.server_ms else 0.0

    @property
    def database_ms(self) -> float:
        """CPU milliseconds an operation of PostgreSQL."""
        return self.cpu_ms["postgres"]


class Meter:
    """Reads the CPU clocks of processes; PostgreSQL with all its children."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)

    def read(self) -> dict[str, float]:
        """CPU seconds by process."""
        return {name: self._seconds(pid) for name, pid in self.pids.items()}

    def _seconds(self, pid: int) -> float:
        root = psutil.Process(pid)
        total = 0.0
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
            if process is root:
                total += times.children_user + times.children_system
        return total


async def _through(operation: Operation, first: int, count: int, at_once: int) -> None:
    numbers = iter(range(first, first + count))

    async def worker() -> None:
        for number in numbers:
            await operation(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, count)):
            group.create_task(worker())


async def measure(
    name: str,
    operation: Operation,
    count: int,
    meter: Meter,
    servers: tuple[str, ...],
    *,
    units: int = 1,
    warm_up: int = _WARM_UP,
    at_once: int = AT_ONCE,
) -> Measured:
    """Warms up, then does ``count`` operations, ``at_once`` at a time."""
    await _through(operation, 0, warm_up, at_once)
    before, began = meter.read(), time.perf_counter()
    await _through(operation, warm_up, count, at_once)
    seconds, after = time.perf_counter() - began, meter.read()
    spent = {process: (after[process] - before[process]) * 1000 / count for process in after}
    return Measured(name, count, seconds, spent, servers, units)
