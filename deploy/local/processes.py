"""The one declarative list of what runs in a region. `up`, `demo`, the system and the chaos tests start from it."""

import signal
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import postgres, programs
from deploy.local.probes import GrpcHealth, Http, Postgres, Probe, Redis
from deploy.local.regions import HOST, SERVICES, House
from deploy.local.settings import SUPERVISOR, config_path


@dataclass(frozen=True)
class Process:
    """One process, or one task that must end well before others start.

    Attributes:
        name: unique in its region.
        command: the program and its arguments, the program by its full path.
        needs: the names of those that must be ready, or done, before.
        probe: tells when it is ready; None for a task, which is done when it exits with 0.
        ports: the ports it listens on, for people.
        stop_signal: asks it to end in order.
        death_signal: what the kernel sends it if the supervisor dies.
        folder: the region's folder.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    needs: tuple[str, ...] = ()
    probe: Probe | None = None
    ports: dict[str, int] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL

    @property
    def key(self) -> str:
        """Unique over regions: ``341500/identity``."""
        return f"{self.folder.name}/{self.name}"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "logs" / f"{self.name}.log"


def _database(house: House) -> list[Process]:
    data, secrets = house.path("postgres"), house.path("secrets")
    initialise = programs.python(
        "deploy.local.postgres", str(data), "--password-file", str(secrets / "postgres.password")
    )
    ensure = programs.python(
        "deploy.local.databases", "--dsn-file", str(secrets / "postgres.dsn"), "--secrets", str(secrets)
    )
    port = house.ports["postgres"]
    return [
        Process("postgres-init", initialise, house.folder),
        Process(
            "postgres",
            postgres.command(data, port, postgres.CONNECTIONS * house.replicas),
            house.folder,
            needs=("postgres-init",),
            probe=Postgres(data),
            ports={"sql": port},
            # SIGINT is the fast shutdown: it doesn't wait for clients.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        ),
        Process("databases", ensure, house.folder, needs=("postgres",)),
    ]


def _redis(house: House) -> Process:
    port = house.ports["redis"]
    command = (programs.redis_server(), str(house.path("config", "redis.conf")))
    return Process("redis", command, house.folder, probe=Redis(HOST, port), ports={"redis": port})


def _service(house: House, service: str) -> list[Process]:
    migrate = programs.python("libs.db.migrate", "--config", str(config_path(house, service)))
    replicas = (_replica(house, service, name) for name in house.replicas_of(service))
    return [Process(f"migrate-{service}", migrate, house.folder, needs=("databases",)), *replicas]


def _replica(house: House, service: str, name: str) -> Process:
    ports = {"grpc": house.ports[name], "metrics": house.ports[f"{name}_metrics"]}
    if service == "identity":
        ports["http"] = house.ports[f"{name}_http"]
    return Process(
        name,
        programs.python(f"services.{service}", "--config", str(config_path(house, name))),
        house.folder,
        needs=(f"migrate-{service}", "redis"),
        probe=GrpcHealth(house.address(name), house.path("pki"), SUPERVISOR),
        ports=ports,
    )


def _gateway(house: House, services: tuple[str, ...]) -> list[Process]:
    config = str(config_path(house, "gateway"))
    envoy_file = house.path("config", "envoy.json")
    pages = programs.python("services.gateway", "--config", config)
    envoy = (
        programs.envoy(),
        "-c",
        str(envoy_file),
        "--disable-hot-restart",
        "--concurrency",
        "2",
        "-l",
        "warning",
        "--file-flush-interval-msec",
        "1000",
    )
    ports = {"pages": house.ports["pages"], "reflection": house.ports["reflection"]}
    reflection = GrpcHealth(house.address("reflection"), house.path("pki"), SUPERVISOR)
    return [
        Process("pages", pages, house.folder, probe=reflection, ports=ports),
        Process(
            "envoy",
            envoy,
            house.folder,
            needs=("pages", *(name for service in services for name in house.replicas_of(service))),
            probe=Http(f"{house.local_url}/openapi.json"),
            ports={"http": house.http_port, "admin": house.ports["envoy_admin"]},
        ),
    ]


def region_processes(house: House, services: tuple[str, ...] = SERVICES) -> list[Process]:
    """Returns everything that runs in one region."""
    each = [process for service in services for process in _service(house, service)]
    return [*_database(house), _redis(house), *each, *_gateway(house, services)]
