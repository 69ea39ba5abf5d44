"""What a running supervisor tells the world: a lock that says it lives, and a snapshot of its processes."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil

from deploy.local.own_settings import FILE
from deploy.local.regions import KNOWN, LocalRegion
from deploy.local.supervisor import SupervisedProcess, Supervisor, kill_group
from libs.rpc.images import image_path

_CLOCK_TOLERANCE = 2.0
RELOAD = signal.SIGUSR1
"""Has a supervisor read the settings anew."""


class AlreadyRunning(Exception):
    """Another supervisor works on this state folder."""


@dataclass(frozen=True, slots=True)
class ProcessSnapshot:
    """One process in a snapshot. ``started`` is seconds since the epoch, ``pid`` None while it doesn't live."""

    name: str
    region: str
    phase: str
    pid: int | None
    started: float
    restarts: int
    ports: dict[str, int]
    log: str


@dataclass(frozen=True, slots=True)
class RegionSnapshot:
    """One region in a snapshot."""

    id: str
    name: str
    gateway: str
    folder: str
    public: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that runs from one state folder.

    ``notes`` are what the start had to tell the operator, ``contracts`` a digest of the contracts that it was started from.
    ``reloads`` is how often the settings were read anew since (None where the supervisor can't), ``reload_error`` and ``reload_notes``
    what came of the last time.
    """

    pid: int
    ready: bool
    error: str
    regions: list[RegionSnapshot]
    processes: list[ProcessSnapshot]
    notes: list[str] = field(default_factory=list)
    contracts: str = ""
    reloads: int | None = None
    reload_error: str = ""
    reload_notes: list[str] = field(default_factory=list)

    def process(self, region: str, name: str) -> ProcessSnapshot:
        """Returns one process; raises KeyError."""
        for process in self.processes:
            if (process.region, process.name) == (region, name):
                return process
        raise KeyError(f"{region}/{name}")

    @property
    def settled(self) -> tuple[int, int]:
        """How many processes and tasks are ready or done, and how many there are."""
        return sum(process.phase in ("READY", "DONE") for process in self.processes), len(self.processes)


Made = TypeVar("Made", RegionSnapshot, ProcessSnapshot, Snapshot)


class StateFolder:
    """The folder ``.tongban``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._snapshot = self.folder / "supervisor.json"
        self._lock = self.folder / "supervisor.lock"

    @property
    def is_one(self) -> bool:
        """Whether regions were ever started from it."""
        return self._lock.exists()

    def purge(self, *, settings: bool = True) -> bool:
        """Deletes what regions left here, and the folder where nothing else lies in it; tells whether it is gone.

        Args:
            settings: the operator's own settings too.
        """
        own = (FILE,) if settings else ()
        names = (*(region.id for region in KNOWN), "supervisor.json", "supervisor.log", *own, "supervisor.lock")
        for path in (self.folder / name for name in names):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()
        return not self.folder.exists()

    def lock(self) -> IO[str]:
        """Takes the lock for as long as the returned file is open; raises AlreadyRunning."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._lock.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise AlreadyRunning(
                f"Tongban runs already from {self.folder}: `./run status --state {self.folder}`, or `./run down` likewise"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def holder(self) -> int | None:
        """The process id of the supervisor that holds the lock, or None if nobody does."""
        try:
            # Looking makes no file: who asks may have named any folder.
            with self._lock.open(encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    return int(file.read() or 0) or None
        except FileNotFoundError:
            pass
        return None

    def read(self) -> Snapshot | None:
        """Reads the last snapshot, of a supervisor that lives or of one that has ended; another version may have written it."""
        try:
            known = json.loads(self._snapshot.read_text(encoding="utf-8"))
            regions = [_made(RegionSnapshot, region) for region in known["regions"]]
            processes = [_made(ProcessSnapshot, process) for process in known["processes"]]
            return _made(Snapshot, known | {"regions": regions, "processes": processes})
        except (OSError, ValueError, TypeError, LookupError):
            return None

    def write(self, snapshot: Snapshot) -> None:
        """Replaces the snapshot, whole or not at all."""
        unfinished = self._snapshot.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(snapshot), ensure_ascii=False, indent=1), encoding="utf-8")
        unfinished.replace(self._snapshot)

    def end_leftovers(self) -> None:
        """Kills what a supervisor that was killed itself may have left: same process id, same time of birth."""
        last = self.read()
        for process in last.processes if last else ():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.pid and abs(psutil.Process(process.pid).create_time() - process.started) < _CLOCK_TOLERANCE:
                    kill_group(process.pid)


def _made(kind: type[Made], given: dict[str, Any]) -> Made:
    """A part of a snapshot, of what is known of it here; raises TypeError where something that it needs is missing."""
    names = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in given.items() if name in names})


def _process(unit: SupervisedProcess) -> ProcessSnapshot:
    process = unit.process
    region = process.folder.name
    phase, pid = str(unit.phase), unit.pid
    return ProcessSnapshot(
        process.name, region, phase, pid, unit.started, unit.restarts, process.ports, str(process.log)
    )


def contracts_digest() -> str:
    """Tells one state of the contracts from another."""
    return hashlib.sha256(image_path().read_bytes()).hexdigest()


def snapshot(supervisor: Supervisor, local_regions: list[LocalRegion]) -> Snapshot:
    """Describes what a supervisor runs at this moment."""
    regions = [
        RegionSnapshot(h.region.id, h.region.name, h.local_url, str(h.folder), h.base_url) for h in local_regions
    ]
    processes = [_process(unit) for unit in supervisor.units.values()]
    return Snapshot(os.getpid(), supervisor.all_ready, "", regions, processes)


def wait_until_free(state: StateFolder, seconds: float) -> bool:
    """Waits until no supervisor holds the lock; tells whether that came in time."""
    end = time.monotonic() + seconds
    while state.holder() is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
