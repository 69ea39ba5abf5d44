"""The supervisor starts in order, restarts what dies, tells what failed, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from deploy.local.processes import ProcessPlan
from deploy.local.state import AlreadyRunning, StateFolder, snapshot
from deploy.local.supervisor import ProcessPhase, StartFailed, Supervisor

_SLEEPER = "import time, pathlib, sys; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"


@dataclass(frozen=True)
class FileAppears:
    """Ready when the process has made its file."""

    path: Path

    async def ready(self) -> bool:
        return self.path.exists()


def _sleeper(folder: Path, name: str, *needs: str) -> ProcessPlan:
    mark = folder / f"{name}.up"
    return ProcessPlan(name, (sys.executable, "-c", _SLEEPER, str(mark)), folder, needs, FileAppears(mark))


def _task(folder: Path, name: str, code: str, *needs: str) -> ProcessPlan:
    return ProcessPlan(name, (sys.executable, "-c", code), folder, needs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    region = tmp_path / "341500"
    region.joinpath("logs").mkdir(parents=True)
    return region


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the supervisor tells its state by a callback that tests don't need
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _running(supervisor: Supervisor) -> AsyncIterator[None]:
    stop = asyncio.Event()
    run = asyncio.create_task(supervisor.run(stop))
    try:
        await _until(lambda: supervisor.all_ready or run.done())
        yield
    finally:
        stop.set()
        await run


async def test_order_follows_needs_and_stop_reverses_it(folder: Path) -> None:
    changes: list[tuple[str, ProcessPhase]] = []

    def changed(supervisor: Supervisor) -> None:
        for unit in supervisor.units.values():
            change = (unit.process.name, unit.phase)
            if change not in changes:
                changes.append(change)

    processes = [_sleeper(folder, "service", "init"), _task(folder, "init", "pass", "store"), _sleeper(folder, "store")]
    supervisor = Supervisor(processes, changed)
    async with _running(supervisor):
        pids = [unit.pid for unit in supervisor.units.values() if unit.pid]
        assert len(pids) == 2
    assert changes.index(("store", ProcessPhase.READY)) < changes.index(("init", ProcessPhase.STARTING))
    assert changes.index(("init", ProcessPhase.DONE)) < changes.index(("service", ProcessPhase.STARTING))
    assert changes.index(("service", ProcessPhase.STOPPED)) < changes.index(("store", ProcessPhase.STOPPED))
    assert not any(map(psutil.pid_exists, pids))


async def test_a_killed_process_comes_back(folder: Path) -> None:
    supervisor = Supervisor([_sleeper(folder, "service")], lambda _: None)
    unit = supervisor.units["341500/service"]
    async with _running(supervisor):
        first = unit.pid
        assert first
        os.kill(first, signal.SIGKILL)
        await _until(lambda: unit.phase is ProcessPhase.READY and unit.pid not in (None, first))
        assert unit.restarts == 1


@dataclass
class Gate:
    """Ready when the test says so; counts how often it was asked."""

    is_open: bool = True
    asked: int = 0

    async def ready(self) -> bool:
        self.asked += 1
        return self.is_open


async def test_what_was_killed_waits_for_what_it_stands_on(folder: Path) -> None:
    """Started while its store is away it would die again and again, and be given up in the end."""
    gate = Gate()
    store = replace(_sleeper(folder, "store"), probe=gate)
    supervisor = Supervisor(
        [store, _task(folder, "init", "pass", "store"), _sleeper(folder, "service", "init")], lambda _: None
    )
    unit = supervisor.units["341500/service"]
    async with _running(supervisor):
        gate.is_open = False
        for each in supervisor.units.values():
            if each.pid:
                os.kill(each.pid, signal.SIGKILL)
        gate.asked = 0
        await _until(lambda: gate.asked > 15)
        assert (unit.phase, unit.pid) == (ProcessPhase.RESTARTING, None)
        gate.is_open = True
        await _until(lambda: unit.phase is ProcessPhase.READY)


async def test_a_frozen_process_is_stopped_too(folder: Path) -> None:
    supervisor = Supervisor([_sleeper(folder, "service")], lambda _: None)
    async with _running(supervisor):
        pid = supervisor.units["341500/service"].pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
    assert not psutil.pid_exists(pid)


async def test_a_failed_start_is_told_with_the_end_of_its_log_and_stops_the_others(folder: Path) -> None:
    broken = _task(folder, "broken", "raise SystemExit('no such table: cases')", "store")
    supervisor = Supervisor([_sleeper(folder, "store"), broken], lambda _: None)
    with pytest.raises(StartFailed, match=r"341500/broken ended with an error(.|\n)*no such table: cases"):
        await supervisor.run(asyncio.Event())
    assert supervisor.units["341500/store"].phase is ProcessPhase.STOPPED


async def test_the_snapshot_tells_what_runs(folder: Path) -> None:
    state = StateFolder(folder.parent)
    supervisor = Supervisor([_sleeper(folder, "service")], lambda now: state.write(snapshot(now, [])))
    async with _running(supervisor):
        told = state.read()
        assert told
        assert told.ready
        assert told.process("341500", "service").pid == supervisor.units["341500/service"].pid
        assert told.settled == (1, 1)


def test_one_state_folder_has_one_supervisor(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    assert state.holder() is None
    with state.lock():
        assert state.holder() == os.getpid()
        with pytest.raises(AlreadyRunning, match="runs already"):
            state.lock()
    assert state.holder() is None
