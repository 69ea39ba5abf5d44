"""The one declarative list of what runs in a region. `up`, `demo`, the system and the chaos tests start from it."""

import signal
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import postgres, programs
from deploy.local.draining import Drain, EnvoyDrain
from deploy.local.probes import HealthProbe, HttpProbe, PostgresProbe, Probe, RedisProbe
from deploy.local.regions import HOST, SERVICES, LocalRegion
from deploy.local.settings import SUPERVISOR, config_path


@dataclass(frozen=True)
class ProcessPlan:
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
        drain: what it finishes before it is asked to end; None where it does so by itself.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    needs: tuple[str, ...] = ()
    probe: Probe | None = None
    ports: dict[str, int] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    drain: Drain | None = None

    @property
    def key(self) -> str:
        """Unique over regions: ``341500/identity``."""
        return f"{self.folder.name}/{self.name}"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "logs" / f"{self.name}.log"


def _database(local: LocalRegion) -> list[ProcessPlan]:
    data, secrets = local.path("postgres"), local.path("secrets")
    initialise = programs.python(
        "deploy.local.postgres", str(data), "--password-file", str(secrets / "postgres.password")
    )
    ensure = programs.python(
        "deploy.local.databases", "--dsn-file", str(secrets / "postgres.dsn"), "--secrets", str(secrets)
    )
    port = local.ports["postgres"]
    return [
        ProcessPlan("postgres-init", initialise, local.folder),
        ProcessPlan(
            "postgres",
            postgres.command(data, port, max(local.connections, postgres.CONNECTIONS * local.replicas)),
            local.folder,
            needs=("postgres-init",),
            probe=PostgresProbe(data),
            ports={"sql": port},
            # SIGINT is the fast shutdown: it doesn't wait for clients.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        ),
        ProcessPlan("databases", ensure, local.folder, needs=("postgres",)),
    ]


def _redis(local: LocalRegion) -> ProcessPlan:
    port = local.ports["redis"]
    command = (programs.redis_server(), str(local.path("config", "redis.conf")))
    return ProcessPlan("redis", command, local.folder, probe=RedisProbe(HOST, port), ports={"redis": port})


def _service(local: LocalRegion, service: str) -> list[ProcessPlan]:
    migrate = programs.python("libs.db.migrate", "--config", str(config_path(local, service)))
    replicas = (_replica(local, service, name) for name in local.replicas_of(service))
    return [ProcessPlan(f"migrate-{service}", migrate, local.folder, needs=("databases",)), *replicas]


def _replica(local: LocalRegion, service: str, name: str) -> ProcessPlan:
    ports = {"grpc": local.ports[name], "metrics": local.ports[f"{name}_metrics"]}
    if service == "identity":
        ports["http"] = local.ports[f"{name}_http"]
        if local.mtls is not None:
            ports["mtls"] = local.ports[f"{name}_mtls"]
    return ProcessPlan(
        name,
        programs.python(f"services.{service}", "--config", str(config_path(local, name))),
        local.folder,
        needs=(f"migrate-{service}", "redis"),
        probe=HealthProbe(local.address(name), local.path("pki"), SUPERVISOR),
        ports=ports,
    )


def _gateway(local: LocalRegion, services: tuple[str, ...]) -> list[ProcessPlan]:
    config = str(config_path(local, "gateway"))
    envoy_file = local.path("config", "envoy.json")
    pages = programs.python("services.gateway", "--config", config)
    envoy = (
        programs.envoy(),
        "-c",
        str(envoy_file),
        "--disable-hot-restart",
        # A configuration that another took the place of ends what it had begun: an upload takes 300 s.
        "--drain-time-s",
        "330",
        "--drain-strategy",
        "immediate",
        "--concurrency",
        "2",
        "-l",
        "warning",
        "--file-flush-interval-msec",
        "1000",
    )
    ports = {"pages": local.ports["pages"], "reflection": local.ports["reflection"]}
    reflection = HealthProbe(local.address("reflection"), local.path("pki"), SUPERVISOR)
    return [
        ProcessPlan("pages", pages, local.folder, probe=reflection, ports=ports),
        ProcessPlan(
            "envoy",
            envoy,
            local.folder,
            needs=("pages", *(name for service in services for name in local.replicas_of(service))),
            probe=HttpProbe(f"{local.local_url}/openapi.json"),
            ports={
                "http": local.http_port,
                **({"mtls": local.mtls.port} if local.mtls else {}),
                "admin": local.ports["envoy_admin"],
            },
            drain=EnvoyDrain(f"http://{local.address('envoy_admin')}"),
        ),
    ]


def region_processes(local: LocalRegion, services: tuple[str, ...] = SERVICES) -> list[ProcessPlan]:
    """Returns everything that runs in one region."""
    each = [process for service in services for process in _service(local, service)]
    return [*_database(local), _redis(local), *each, *_gateway(local, services)]
