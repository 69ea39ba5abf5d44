"""Runs regions until told to stop: the process behind ``./run up`` and behind every system test.

Run as ``python -m deploy.local.serve --state DIR --gateway CODE:PORT [--gateway CODE:PORT]``. It ends with
status 0 after SIGINT or SIGTERM, with 1 and a line on stderr where it can't start.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.local.lost_keys import KeysLost, require_keys
from deploy.local.own_settings import OwnSettings, WrongSettings, make, read
from deploy.local.processes import region_processes
from deploy.local.regions import SERVICES, LocalRegion, PortTaken, is_free, known, settle
from deploy.local.reloading import NotReloaded, reload
from deploy.local.settings import CERTIFIED, ENVIRONMENT, SANDBOX, keys_of, write_all
from deploy.local.state import RELOAD, AlreadyRunning, StateFolder, contracts_digest, snapshot
from deploy.local.supervisor import StartFailed, Supervisor
from deploy.pki import development, region_root


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What is to run.

    Attributes:
        gateways: the port of each region's gateway, by the region's code.
        services: which services run.
        replicas: how many of each, by the region's code; one where nothing is said.
        replay: whether the business clock can be set.
        sandbox: whether regions that were never started are there to try things in.
    """

    gateways: Mapping[str, int]
    services: tuple[str, ...] = SERVICES
    replicas: Mapping[str, int] = field(default_factory=dict)
    replay: bool = False
    sandbox: bool = False


def local_regions_of(state: StateFolder, wanted: RunOrder, own: OwnSettings) -> list[LocalRegion]:
    """Settles all regions before any of them listens: none may be given a port of another."""
    local_regions: list[LocalRegion] = []
    doors = {code: each.port for code in wanted.gateways if (each := own.of(code).mtls) is not None}
    for code, port in wanted.gateways.items():
        others = [each for ports in (wanted.gateways, doors) for other, each in ports.items() if other != code]
        taken = frozenset(others).union(*(local.ports.values() for local in local_regions))
        replicas = wanted.replicas.get(code) or own.replicas_in(code)
        region = known(code)
        reserved = taken | {doors[code]} if code in doors else taken
        local = settle(state.folder, region, port, replay=wanted.replay, replicas=replicas, taken=reserved)
        public, least = own.of(code).public_url, own.connections(replicas)
        door = own.of(code).mtls
        if door is not None and (door.port in taken or not is_free(door.port)):
            raise PortTaken(f"port {door.port} is taken; choose another for the partners of {region.name}")
        mtls = door.door(code) if door is not None else None
        local_regions.append(replace(local, host=own.host, public_url=public, connections=least, mtls=mtls))
    return local_regions


def prepare(local: LocalRegion, own: OwnSettings | None = None, *, sandbox: bool = False) -> list[str]:
    """Writes what the processes of a region read: certificates, secrets, configuration; returns what to tell.

    A region that was started once stays what it is: its clients are those of its environment.

    Raises:
        KeysLost: a key is gone that others of the region were made with.
    """
    require_keys(local.folder)
    if sandbox and not local.path("credentials.json").exists():
        local.path(ENVIRONMENT).write_text(SANDBOX, encoding="ascii")
    development.ensure(local.path("pki"), local.region.id, CERTIFIED)
    notes = write_all(local, own)
    region_root.ensure(local.path("root"), local.region.id, keys_of(local))
    return notes


class _Region:
    """What runs from a state folder, and what is told of it."""

    def __init__(self, state: StateFolder, local_regions: list[LocalRegion], services: tuple[str, ...]) -> None:
        self._state, self._regions = state, local_regions
        self._contracts = contracts_digest()
        processes = [process for local in local_regions for process in region_processes(local, services)]
        self._supervisor = Supervisor(processes, lambda _: self._tell())
        self._told: dict[str, Any] = {"contracts": self._contracts, "reloads": 0}
        self._wanted = asyncio.Event()

    def _tell(self, **told: object) -> None:
        self._told |= told
        self._state.write(replace(snapshot(self._supervisor, self._regions), **self._told))

    async def run(self, notes: list[str]) -> None:
        """Runs until a signal; raises StartFailed."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(RELOAD, self._wanted.set)
        self._told["notes"] = notes
        reloading = asyncio.create_task(self._reload_forever())
        try:
            await self._supervisor.run(stop)
        except StartFailed as failure:
            self._tell(error=str(failure))
            raise
        finally:
            reloading.cancel()

    async def _reload_forever(self) -> None:
        while await self._wanted.wait():
            self._wanted.clear()
            error, notes = "", list[str]()
            try:
                notes = await reload(self._state.folder, self._regions, self._contracts)
            except (NotReloaded, WrongSettings, OSError, ValueError) as refusal:
                error = str(refusal)
            self._tell(reloads=self._told["reloads"] + 1, reload_error=error, reload_notes=notes)


async def _served(
    state: StateFolder, local_regions: list[LocalRegion], services: tuple[str, ...], notes: list[str]
) -> None:
    await _Region(state, local_regions, services).run(notes)


def serve(folder: Path, wanted: RunOrder) -> int:
    """Runs regions until a signal; returns the exit status."""
    state = StateFolder(folder)
    try:
        with state.lock():
            state.end_leftovers()
            make(state.folder)
            own = read(state.folder)
            local_regions = local_regions_of(state, wanted, own)
            notes = [note for local in local_regions for note in prepare(local, own, sandbox=wanted.sandbox)]
            asyncio.run(_served(state, local_regions, wanted.services, notes))
    except (AlreadyRunning, KeysLost, PortTaken, StartFailed, WrongSettings) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _numbered(text: str) -> tuple[str, int]:
    code, _, number = text.partition(":")
    return code, int(number)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Runs regions until told to stop.")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--gateway", type=_numbered, action="append", required=True, help="CODE:PORT")
    parser.add_argument("--replicas", type=_numbered, action="append", default=[], help="CODE:NUMBER")
    parser.add_argument("--services", default=",".join(SERVICES), help="only these services, separated by commas")
    parser.add_argument("--replay", action="store_true", help="the business clock can be set")
    parser.add_argument("--sandbox", action="store_true", help="regions that were never started are for trying things")
    arguments = parser.parse_args()
    services = tuple(filter(None, arguments.services.split(",")))
    wanted = RunOrder(dict(arguments.gateway), services, dict(arguments.replicas), arguments.replay, arguments.sandbox)
    sys.exit(serve(arguments.state, wanted))


if __name__ == "__main__":
    main()
