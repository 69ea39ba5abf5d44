"""Starts processes in the order of their needs, keeps them running, and stops all of them in reverse order.

Nothing is left behind, however it ends: each child runs in a process group of its own, the kernel signals it if the
supervisor dies, and the next start ends what a group may have left.
"""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import TopologicalSorter
from pathlib import Path

from deploy.local import programs
from deploy.local.processes import ProcessPlan

_ROOT = Path(__file__).resolve().parents[2]
_PROBE_EVERY = 0.1
_READY_WITHIN = 90.0
_RESTART_AFTER = 0.5
_RESTARTS_AT_MOST, _RESTARTS_WITHIN = 10, 60.0
_GRACE = 10.0
_LOG_AT_MOST = 50_000_000
_TAIL = 15


class ProcessPhase(StrEnum):
    """Where in its life a process is."""

    WAITING = "WAITING"
    STARTING = "STARTING"
    READY = "READY"
    DONE = "DONE"
    RESTARTING = "RESTARTING"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


class StartFailed(Exception):
    """A process did not become ready; the message names it and shows the end of its log."""


@dataclass
class SupervisedProcess:
    """A process and what became of it."""

    process: ProcessPlan
    phase: ProcessPhase = ProcessPhase.WAITING
    child: asyncio.subprocess.Process | None = None
    started: float = 0.0
    restarts: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        return self.child.pid if self.child and self.child.returncode is None else None


def _environment() -> dict[str, str]:
    # Neither gRPC nor httpx may send loopback traffic to a proxy of the machine.
    return os.environ | {"PYTHONUNBUFFERED": "1", "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}


def _tail(log: Path) -> str:
    with suppress(OSError), log.open(encoding="utf-8", errors="replace") as lines:
        return "".join(deque(lines, _TAIL))
    return ""


def kill_group(group: int) -> None:
    """Ends a process group at once, if there is one."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


class Supervisor:
    """Runs a list of processes.

    Args:
        processes: what to run; the needs of each are names within its own region.
        changed: called after every change of a unit's phase.
    """

    def __init__(self, processes: Sequence[ProcessPlan], changed: Callable[["Supervisor"], None]) -> None:
        self.units = {process.key: SupervisedProcess(process) for process in processes}
        self.started = time.time()
        self._changed = changed
        self._runners: list[asyncio.Task[None]] = []

    @property
    def all_ready(self) -> bool:
        """Whether every process serves and every task is done."""
        return all(unit.phase in (ProcessPhase.READY, ProcessPhase.DONE) for unit in self.units.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Starts everything and returns after ``stop`` is set and everything ended; raises StartFailed."""
        self._runners = [asyncio.create_task(self._live(unit)) for unit in self.units.values()]
        stopped = asyncio.create_task(stop.wait())
        try:
            await self._until(stopped)
        finally:
            stopped.cancel()
            await self._stop_all()

    async def _until(self, stopped: asyncio.Task[bool]) -> None:
        pending: set[asyncio.Task[object]] = {stopped, *self._runners}
        while not stopped.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    def _mark(self, unit: SupervisedProcess, phase: ProcessPhase) -> None:
        unit.phase = phase
        self._changed(self)

    def _needs(self, unit: SupervisedProcess) -> list[SupervisedProcess]:
        return [self.units[f"{unit.process.folder.name}/{name}"] for name in unit.process.needs]

    def _stands_on(self, unit: SupervisedProcess) -> list[SupervisedProcess]:
        """What it needs, and what that needs: all that must be up again before it is started again."""
        needs = self._needs(unit)
        return [*needs, *(further for need in needs for further in self._stands_on(need))]

    async def _live(self, unit: SupervisedProcess) -> None:
        for need in self._needs(unit):
            await need.ready.wait()
        await self._start(unit)
        deaths: deque[float] = deque(maxlen=_RESTARTS_AT_MOST)
        while unit.process.probe is not None and unit.child is not None:
            await unit.child.wait()
            unit.ready.clear()
            kill_group(unit.child.pid)
            deaths.append(time.monotonic())
            if len(deaths) == _RESTARTS_AT_MOST and deaths[-1] - deaths[0] < _RESTARTS_WITHIN:
                self._mark(unit, ProcessPhase.FAILED)
                return
            await self._restart(unit)

    async def _restart(self, unit: SupervisedProcess) -> None:
        self._mark(unit, ProcessPhase.RESTARTING)
        unit.restarts += 1
        await asyncio.sleep(_RESTART_AFTER)
        # Started while what it stands on is away it would only die again, and be given up in the end.
        for need in self._stands_on(unit):
            await need.ready.wait()
        # A failed restart is another death: the caller counts it and tries again.
        with suppress(StartFailed):
            await self._start(unit)

    async def _start(self, unit: SupervisedProcess) -> None:
        self._mark(unit, ProcessPhase.STARTING)
        unit.child = await self._spawn(unit.process)
        unit.started = time.time()
        self._changed(self)
        if unit.process.probe is None:
            if await unit.child.wait() != 0:
                self._fail(unit, "ended with an error")
            self._mark(unit, ProcessPhase.DONE)
        else:
            await self._await_ready(unit)
            self._mark(unit, ProcessPhase.READY)
        unit.ready.set()

    async def _spawn(self, process: ProcessPlan) -> asyncio.subprocess.Process:
        if process.log.exists() and process.log.stat().st_size > _LOG_AT_MOST:
            process.log.replace(process.log.with_suffix(".log.1"))
        with os.fdopen(os.open(process.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
            return await asyncio.create_subprocess_exec(
                *programs.ending_with_parent(process.command, process.death_signal),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                cwd=_ROOT,
                env=_environment(),
                start_new_session=True,
                umask=0o077,  # what they write is for their own user alone
            )

    async def _await_ready(self, unit: SupervisedProcess) -> None:
        assert unit.child is not None and unit.process.probe is not None
        end = time.monotonic() + _READY_WITHIN
        while not await unit.process.probe.ready():
            if unit.child.returncode is not None:
                self._fail(unit, f"ended with status {unit.child.returncode}")
            if time.monotonic() > end:
                kill_group(unit.child.pid)
                self._fail(unit, f"was not ready within {_READY_WITHIN:.0f} s")
            await asyncio.sleep(_PROBE_EVERY)

    def _fail(self, unit: SupervisedProcess, what: str) -> None:
        self._mark(unit, ProcessPhase.FAILED)
        log = unit.process.log
        raise StartFailed(f"{unit.process.key} {what}; the end of {log}:\n{_tail(log)}")

    async def _stop_all(self) -> None:
        for runner in self._runners:
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)
        for wave in reversed(self._waves()):
            await asyncio.gather(*(self._stop(unit) for unit in wave))

    def _waves(self) -> list[list[SupervisedProcess]]:
        graph = {key: {need.process.key for need in self._needs(unit)} for key, unit in self.units.items()}
        sorter = TopologicalSorter(graph)
        sorter.prepare()
        waves: list[list[SupervisedProcess]] = []
        while sorter.is_active():
            keys = sorter.get_ready()
            waves.append([self.units[key] for key in keys])
            sorter.done(*keys)
        return waves

    async def _stop(self, unit: SupervisedProcess) -> None:
        if unit.child is not None:
            if unit.child.returncode is None:
                if unit.process.drain is not None:
                    await unit.process.drain.finish()
                await self._ask_to_end(unit.child, unit.process.stop_signal)
            kill_group(unit.child.pid)
            await unit.child.wait()
        self._mark(unit, ProcessPhase.STOPPED)

    async def _ask_to_end(self, child: asyncio.subprocess.Process, stop_signal: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            child.send_signal(stop_signal)
            # A process that a test froze must wake up to end in order.
            child.send_signal(signal.SIGCONT)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), _GRACE)
