"""Starts regions in the background and waits for them: for ``up --detach``, the demo, the system tests and the benches."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import own_settings, programs
from deploy.local.regions import REGIONS, SERVICES, KnownRegion
from deploy.local.reloading import NotReloaded
from deploy.local.state import RELOAD, Snapshot, StateFolder, wait_until_free

_ROOT = Path(__file__).resolve().parents[2]
_START_WITHIN = 180.0
_STOP_WITHIN, _RELOAD_WITHIN = 60.0, 60.0

Progress = Callable[[int, int], None]


class NotStarted(Exception):
    """The regions did not come up; the message is the supervisor's own."""


def _silent(_settled: int, _all: int) -> None:
    pass


class Cluster:
    """One or two regions in the background.

    As a context manager it starts them and stops them again; if this process dies, so do they.

    Args:
        state: the state folder.
        ports: the gateways' ports on loopback, one a region.
        services: which services run; all of them unless a test wants fewer.
        replicas: how many of each service a region has, by its code; one where nothing is said.
        replay: whether the business clock can be set, by `libs.clock.replay.set_replay` on `regions.replay_file`.
        regions: which, in the order of the ports.
        sandbox: whether those that were never started are there to try things in.
    """

    def __init__(
        self,
        state: Path,
        ports: tuple[int, ...] = (8080, 8081),
        services: tuple[str, ...] = SERVICES,
        *,
        replicas: Mapping[str, int] | None = None,
        replay: bool = False,
        regions: tuple[KnownRegion, ...] = REGIONS,
        sandbox: bool = False,
    ) -> None:
        self.state = StateFolder(state)
        self._ports, self._regions = ports, regions
        self._services = services
        numbers = (f"--replicas={code}:{count}" for code, count in (replicas or {}).items())
        self._options = (*numbers, *(("--replay",) if replay else ()), *(("--sandbox",) if sandbox else ()))
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def snapshot(self) -> Snapshot:
        """What runs now; raises NotStarted where nothing was ever started."""
        found = self.state.read()
        if found is None:
            raise NotStarted(f"nothing was started from {self.state.folder}")
        return found

    def start(self, progress: Progress = _silent, *, detached: bool = False) -> None:
        """Starts everything and returns when all is ready; raises NotStarted.

        Args:
            progress: called with the number of processes that are ready and the number of all.
            detached: the regions outlive this process.
        """
        self.state.folder.mkdir(parents=True, exist_ok=True)
        errors = self.state.folder / "supervisor.log"
        with errors.open("w", encoding="utf-8") as log:
            self._server = subprocess.Popen(
                self._command(detached),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=_ROOT,
                text=True,
                start_new_session=True,
            )
        try:
            self._await_ready(progress, errors)
        except BaseException:
            self.stop()
            raise

    def _command(self, detached: bool) -> tuple[str, ...]:
        gateways = (f"--gateway={region.id}:{port}" for region, port in zip(self._regions, self._ports, strict=False))
        services = f"--services={','.join(self._services)}"
        command = programs.python(
            "deploy.local.serve", f"--state={self.state.folder}", services, *gateways, *self._options
        )
        return command if detached else programs.ending_with_parent(command, signal.SIGTERM)

    def _await_ready(self, progress: Progress, errors: Path) -> None:
        assert self._server is not None
        end = time.monotonic() + _START_WITHIN
        while self._server.poll() is None:
            now = self.state.read()
            if now is not None and now.pid == self._server.pid:
                progress(*now.settled)
                if now.ready:
                    return
            if time.monotonic() > end:
                raise NotStarted(f"the regions were not ready within {_START_WITHIN:.0f} s")
            time.sleep(0.1)
        raise NotStarted(errors.read_text(encoding="utf-8").strip())

    def wait(self) -> None:
        """Returns when the regions end by themselves or by ``down``; raises NotStarted if that was a failure."""
        if self._server is not None and self._server.wait() != 0:
            raise NotStarted(self.state.folder.joinpath("supervisor.log").read_text(encoding="utf-8").strip())

    def stop(self) -> None:
        """Stops everything that this object started, in order, and waits for it."""
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None


def stop_running(state: StateFolder) -> bool:
    """Stops whoever runs from this state folder; tells whether all ended in time, raises NotStarted if nobody runs."""
    holder = state.holder()
    if holder is None:
        raise NotStarted(f"nothing runs from {state.folder}")
    with suppress(ProcessLookupError):
        os.kill(holder, signal.SIGTERM)
    return wait_until_free(state, _STOP_WITHIN)


def reload_running(state: StateFolder) -> list[str]:
    """Has whoever runs from this state folder read the settings anew; returns what to tell of it.

    Raises:
        NotStarted: nobody runs, or not by a version that can.
        NotReloaded: nothing changed; the message says why.
        WrongSettings: likewise.
    """
    own_settings.read(state.folder)
    before, holder = state.read(), state.holder()
    if holder is None or before is None or before.pid != holder:
        raise NotStarted(f"nothing runs from {state.folder}")
    if before.reloads is None:
        raise NotStarted("what runs was started by a version that can't: `./run down`, then `./run up`")
    with suppress(ProcessLookupError):  # it ends at this moment, and does not answer
        os.kill(holder, RELOAD)
    end = time.monotonic() + _RELOAD_WITHIN
    while (now := state.read()) is None or now.reloads == before.reloads:
        if state.holder() != holder or time.monotonic() > end:
            raise NotReloaded("whoever runs did not answer; see `./run status`")
        time.sleep(0.1)
    if now.reload_error:
        raise NotReloaded(now.reload_error)
    return now.reload_notes
