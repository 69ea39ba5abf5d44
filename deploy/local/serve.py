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

from deploy.local.lost_keys import KeysLost, require_keys
from deploy.local.own_settings import OwnSettings, WrongSettings, make, read
from deploy.local.processes import region_processes
from deploy.local.regions import SERVICES, LocalRegion, PortTaken, is_free, known, settle
from deploy.local.settings import CERTIFIED, ENVIRONMENT, SANDBOX, keys_of, write_all
from deploy.local.state import AlreadyRunning, StateFolder, contracts_digest, snapshot
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
    for code, port in wanted.gateways.items():
        others = [each for other, each in wanted.gateways.items() if other != code]
        taken = frozenset(others).union(*(local.ports.values() for local in local_regions))
        replicas = wanted.replicas.get(code) or own.replicas_in(code)
        region = known(code)
        local = settle(state.folder, region, port, replay=wanted.replay, replicas=replicas, taken=taken)
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


async def _run(
    state: StateFolder, local_regions: list[LocalRegion], services: tuple[str, ...], notes: list[str]
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    processes = [process for local in local_regions for process in region_processes(local, services)]
    error, contracts = "", contracts_digest()

    def changed(supervisor: Supervisor) -> None:
        state.write(snapshot(supervisor, local_regions, error, notes, contracts))

    supervisor = Supervisor(processes, changed)
    try:
        await supervisor.run(stop)
    except StartFailed as failure:
        error = str(failure)
        changed(supervisor)
        raise


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
            asyncio.run(_run(state, local_regions, wanted.services, notes))
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
