"""The regions that can be started on one machine, their folders and their ports."""

import json
import socket
import zlib
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from libs.access import rights

HOST = "127.0.0.1"
SERVICES = tuple(sorted(rights.SERVICES))
_FIRST_PORT, _LAST_PORT, _STEP = 20_000, 31_000, 50
MOST_REPLICAS = 3
"""So many of each service fit into a region's block of ports."""
_SHARED = ("postgres", "redis", "envoy_admin", "pages", "reflection")


def replicas_of(service: str, count: int) -> tuple[str, ...]:
    """Names the processes of a service: ``cases``, ``cases-2``."""
    return (service, *(f"{service}-{number}" for number in range(2, count + 1)))


def _internal(count: int) -> tuple[str, ...]:
    """Names the ports behind the gateway of a region with ``count`` replicas of each service."""
    replicas = [name for service in SERVICES for name in replicas_of(service, count)]
    http = (f"{name}_{door}" for name in replicas_of("identity", count) for door in ("http", "mtls"))
    return (*_SHARED, *http, *replicas, *(f"{name}_metrics" for name in replicas))


class PortTaken(Exception):
    """Another process listens on the port that a gateway was told to use."""


@dataclass(frozen=True, slots=True)
class KnownRegion:
    """A region as the embedded start knows it.

    Attributes:
        code: its GB/T 2260 code today, 6 digits.
        name: what people call it.
        province: the province it lies in.
        own_id: its id in the federation, where that is not its code.
    """

    code: str
    name: str
    province: str
    own_id: str = ""

    @property
    def id(self) -> str:
        """Its id in the federation: by default its code on the day it was founded."""
        return self.own_id or self.code


LIUAN = KnownRegion("341500", "六安市", "安徽省")
TIANNING = KnownRegion("320402", "常州市天宁区", "江苏省")
WANZHI = KnownRegion("340210", "芜湖市湾沚区", "安徽省", own_id="wanzhi")
REGIONS = (LIUAN, TIANNING)
"""What is started where nobody says else."""
KNOWN = (*REGIONS, WANZHI)
"""All that can be started. The last one's code was another when it was founded (340221, 芜湖县): its id is none."""


def known(region: str) -> KnownRegion:
    """Returns the region with this id; raises StopIteration where none has it."""
    return next(each for each in KNOWN if each.id == region)


@dataclass(frozen=True, slots=True)
class MtlsDoor:
    """The listener of a region's gateway for partners who come with a certificate.

    Attributes:
        url: what the outside calls it.
        port: where it listens, at the gateway's host.
        cert, key: its own certificate with those above it, and the private key, PEM.
        ca: the authorities of partners' certificates, PEM.
        crl: what those have revoked, PEM; None where nothing is looked up.
    """

    url: str
    port: int
    cert: Path
    key: Path
    ca: Path
    crl: Path | None = None


@dataclass(frozen=True, slots=True)
class LocalRegion:
    """One region on this machine.

    Attributes:
        region: which region.
        folder: where all of its state lies.
        http_port: where its gateway listens, on loopback.
        ports: the ports of everything behind the gateway, by name.
        replay: whether the business clock can be set (demos and tests).
        replicas: how many of each service there are.
        host: where its gateway listens.
        public_url: what the outside calls the gateway; its address where nothing is said.
        connections: how many its PostgreSQL takes at least.
        mtls: the listener for partners with certificates; None where there is none.
    """

    region: KnownRegion
    folder: Path
    http_port: int
    ports: dict[str, int] = field(default_factory=dict)
    replay: bool = False
    replicas: int = 1
    host: str = HOST
    public_url: str = ""
    connections: int = 0
    mtls: MtlsDoor | None = None

    @property
    def local_url(self) -> str:
        """The gateway as this machine reaches it."""
        return f"http://{HOST if _is_every_address(self.host) else self.host}:{self.http_port}"

    @property
    def base_url(self) -> str:
        """The gateway as the outside sees it."""
        return self.public_url.rstrip("/") or self.local_url

    def address(self, name: str) -> str:
        """``127.0.0.1:<port>`` of a part of this region."""
        return f"{HOST}:{self.ports[name]}"

    def replicas_of(self, service: str) -> tuple[str, ...]:
        """Names the processes of a service."""
        return replicas_of(service, self.replicas)

    def addresses(self, service: str) -> str:
        """The addresses of a service's replicas, separated by commas."""
        return ",".join(map(self.address, self.replicas_of(service)))

    def mtls_addresses(self) -> str:
        """Where identity's replicas take what came with a certificate, separated by commas."""
        return ",".join(self.address(f"{name}_mtls") for name in self.replicas_of("identity"))

    def path(self, *parts: str) -> Path:
        """A path inside the region's folder."""
        return self.folder.joinpath(*parts)


def _is_every_address(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def is_free(port: int) -> bool:
    """Tells whether nobody listens on ``port`` of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _remembered(file: Path, names: tuple[str, ...], taken: frozenset[int]) -> dict[str, int]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if set(known) == set(names) and _all_free(known, taken) else {}


def _all_free(ports: dict[str, int], taken: frozenset[int]) -> bool:
    return taken.isdisjoint(ports.values()) and all(map(is_free, ports.values()))


def _internal_ports(folder: Path, names: tuple[str, ...], taken: frozenset[int]) -> dict[str, int]:
    """Finds a free block below the ephemeral range, so that no outgoing connection takes a port away."""
    file = folder / "ports.json"
    if known := _remembered(file, names, taken):
        return known
    blocks = range(_FIRST_PORT, _LAST_PORT, _STEP)
    start = zlib.crc32(str(folder).encode()) % len(blocks)
    for block in (*blocks[start:], *blocks[:start]):
        ports = {name: block + place for place, name in enumerate(names)}
        if _all_free(ports, taken):
            file.write_text(json.dumps(ports, indent=1), encoding="utf-8")
            return ports
    raise PortTaken(f"no block of {len(names)} free ports between {_FIRST_PORT} and {_LAST_PORT}")


def replay_file(state: Path, region: KnownRegion) -> Path:
    """Where the offset of a region's business clock lies, if it can be set (`libs.clock.replay`)."""
    return state.resolve() / region.id / "clock"


def settle(
    state: Path,
    region: KnownRegion,
    http_port: int,
    *,
    replay: bool = False,
    replicas: int = 1,
    taken: frozenset[int] = frozenset(),
) -> LocalRegion:
    """Makes the region's folder and fixes its ports; raises PortTaken where the gateway's port is in use.

    Args:
        state: the state folder.
        region: which region.
        http_port: its gateway's.
        replay: whether the business clock can be set.
        replicas: how many of each service there are.
        taken: ports of what starts together with it and does not listen yet.
    """
    if http_port in taken or not is_free(http_port):
        raise PortTaken(f"port {http_port} is taken; choose another for the gateway of {region.name}")
    folder = state.resolve() / region.id
    for name in ("config", "logs", "secrets", "documents", "keys", "redis", "pki"):
        folder.joinpath(name).mkdir(parents=True, exist_ok=True)
        # Its own user's alone; the region's folder itself stays open to PostgreSQL, which may run as another user.
        folder.joinpath(name).chmod(0o700)
    clock = replay_file(state, region)
    if replay and not clock.exists():
        clock.write_text("0", encoding="ascii")
    ports = _internal_ports(folder, _internal(replicas), taken | {http_port})
    return LocalRegion(region, folder, http_port, ports, replay, replicas)
