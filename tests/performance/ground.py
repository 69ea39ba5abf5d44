"""One region, set up, with the echo beside it: where the bench is run."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import psutil

from deploy.local import programs
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredFirm, Registry
from deploy.local.launch import Cluster
from deploy.local.probes import HealthProbe
from deploy.local.regions import HOST, LIUAN, SERVICES
from libs.config import TlsConfig
from libs.rpc.client import neighbour_channel
from tests.performance import echo
from tests.performance.load import Meter
from tests.support.ports import free_port
from tests.support.regions import OPENING, PLAIN, YIELDING, open_one, set_clocks

_ROOT = Path(__file__).resolve().parents[2]
_SEED = 9
PROCESSES = (*SERVICES, "envoy", "pages", "redis", "postgres")


@dataclass
class Ground:
    """A region under measurement.

    Attributes:
        state: the state folder.
        office: the region's office, by its gateway.
        firm: a firm that applies.
        meter: reads the CPU clocks.
        start_seconds: how long the start of the region took, from an empty folder.
        identity_http: the port of the token endpoint.
        channels: straight to each service and to the echo, with the gateway's certificate.
    """

    state: Path
    office: Office
    firm: RegisteredFirm
    meter: Meter
    start_seconds: float
    identity_http: int
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def metadata(self, token: str) -> tuple[tuple[str, str], ...]:
        """What a call carries."""
        return (("authorization", f"Bearer {token}"),) if token else ()

    def stub(self, stub: Any, service: str) -> Any:
        """A stub straight at a service."""
        return stub(self.channels[service])

    def memory(self) -> dict[str, int]:
        """Resident bytes of each process; shared pages of PostgreSQL's children counted once where the system tells."""
        return {name: _resident(pid) for name, pid in self.meter.pids.items()}


def _resident(pid: int) -> int:
    root = psutil.Process(pid)
    family = (root, *root.children(recursive=True))
    if len(family) == 1:
        return int(root.memory_info().rss)
    return sum(map(_share, family))


def _share(process: psutil.Process) -> int:
    """What a process takes, its part of shared pages counted; of one of PostgreSQL's that has ended meanwhile nothing."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def _tls(pki: Path) -> TlsConfig:
    return TlsConfig(ca=pki / "ca.pem", cert=pki / "gateway.pem", key=pki / "gateway.key")


@contextlib.asynccontextmanager
async def _echo(folder: Path) -> AsyncIterator[tuple[int, int]]:
    port = free_port()
    command = programs.python(
        "tests.performance.echo_server", "--config", str(folder / "config" / "cases.toml"), "--port", str(port)
    )
    server = subprocess.Popen(programs.ending_with_parent(command, signal.SIGKILL), cwd=_ROOT)  # noqa: ASYNC220 - once, at the start
    try:
        probe = HealthProbe(f"{HOST}:{port}", folder / "pki", "supervisor")
        async with asyncio.timeout(30):
            while not await probe.ready():  # noqa: ASYNC110 - another process gets ready
                await asyncio.sleep(0.1)
        yield server.pid, port
    finally:
        server.terminate()
        server.wait(10)


@contextlib.asynccontextmanager
async def opened(state: Path) -> AsyncIterator[Ground]:
    """Starts a region from an empty state folder, sets it up, starts the echo; stops everything at the end."""
    region, folder = LIUAN, state / LIUAN.code
    cluster = Cluster(state, (free_port(),), replay=True)
    began = time.perf_counter()
    with cluster:
        took = time.perf_counter() - began
        set_clocks(state, OPENING, (region,))
        office = await open_one(state, region, cluster, (YIELDING, PLAIN))
        registry = Registry(office, _SEED)
        firm = await registry.firm(await registry.person())
        snapshot = cluster.snapshot
        pids = {name: snapshot.process(region.id, name).pid or 0 for name in PROCESSES}
        http = snapshot.process(region.id, "identity").ports["http"]
        async with _echo(folder) as (echo_pid, echo_port):
            ground = Ground(state, office, firm, Meter(pids | {echo.NAME: echo_pid}), took, http)
            ports = {name: snapshot.process(region.id, name).ports["grpc"] for name in SERVICES}
            for name, port in (ports | {echo.NAME: echo_port}).items():
                ground.channels[name] = neighbour_channel(f"{HOST}:{port}", _tls(folder / "pki"))
            yield ground
            for channel in ground.channels.values():
                await channel.close()
            await office.gateway.close()
