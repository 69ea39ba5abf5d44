"""Runs regions until told to stop: the process behind ``./run up`` and behind every system test.

Run as ``python -m deploy.local.serve --state DIR --gateway CODE:PORT [--gateway CODE:PORT]``. It ends with
status 0 after SIGINT or SIGTERM, with 1 and a line on stderr where it can't start.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from deploy.local.processes import region_processes
from deploy.local.regions import REGIONS, SERVICES, House, PortTaken, settle
from deploy.local.settings import CERTIFIED, keys_of, write_all
from deploy.local.state import AlreadyRunning, StateFolder, snapshot
from deploy.local.supervisor import StartFailed, Supervisor
from deploy.pki import development, region_root


def _houses(state: StateFolder, gateways: list[tuple[str, int]], *, replay: bool) -> list[House]:
    regions = {region.code: region for region in REGIONS}
    return [settle(state.folder, regions[code], port, replay=replay) for code, port in gateways]


def prepare(house: House) -> None:
    """Writes what the processes of a region read: certificates, secrets, configuration."""
    development.ensure(house.path("pki"), house.region.code, CERTIFIED)
    write_all(house)
    region_root.ensure(house.path("root"), house.region.code, keys_of(house))


async def _run(state: StateFolder, houses: list[House], services: tuple[str, ...]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    processes = [process for house in houses for process in region_processes(house, services)]
    error = ""

    def changed(supervisor: Supervisor) -> None:
        state.write(snapshot(supervisor, houses, error))

    supervisor = Supervisor(processes, changed)
    try:
        await supervisor.run(stop)
    except StartFailed as failure:
        error = str(failure)
        changed(supervisor)
        raise


def serve(
    folder: Path, gateways: list[tuple[str, int]], services: tuple[str, ...] = SERVICES, *, replay: bool = False
) -> int:
    """Runs the regions ``gateways`` (code and port) until a signal; returns the exit status."""
    state = StateFolder(folder)
    try:
        with state.lock():
            state.end_leftovers()
            houses = _houses(state, gateways, replay=replay)
            for house in houses:
                prepare(house)
            asyncio.run(_run(state, houses, services))
    except (AlreadyRunning, PortTaken, StartFailed) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _gateway(text: str) -> tuple[str, int]:
    code, _, port = text.partition(":")
    return code, int(port)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Runs regions until told to stop.")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--gateway", type=_gateway, action="append", required=True, help="CODE:PORT")
    parser.add_argument("--services", default=",".join(SERVICES), help="only these services, separated by commas")
    parser.add_argument("--replay", action="store_true", help="the business clock can be set")
    arguments = parser.parse_args()
    services = tuple(filter(None, arguments.services.split(",")))
    sys.exit(serve(arguments.state, arguments.gateway, services, replay=arguments.replay))


if __name__ == "__main__":
    main()
