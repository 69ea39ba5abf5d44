"""Strict configuration: one TOML file a process, an unknown or wrong key stops the start with a line that names it."""

import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from libs.ids.region import REGION_ID

_CODE_LENGTH = 6


class Section(BaseModel):
    """A part of a configuration file: frozen, and closed to keys that it does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class DivisionCode(Section):
    """A code that the region has, or had, in GB/T 2260: from ``begin`` on, where it is not from its foundation, until ``end``."""

    code: str = Field(pattern=r"^[0-9]{6}$")
    begin: date | None = None
    end: date | None = None

    def holds_on(self, day: date) -> bool:
        """Says whether the code is in force on ``day``; both ends belong to it."""
        return (self.begin is None or self.begin <= day) and (self.end is None or day <= self.end)


class RegionConfig(Section):
    """The region (a province, city, district or town) that this process serves.

    ``id`` names it for ever, in every name, token, code and certificate: by default the code that it had on the day it was
    founded. ``codes`` are its codes in GB/T 2260, which the state changes; none where the id is the one code that it ever had,
    or where it has none (towns).
    """

    id: str = Field(pattern=f"^{REGION_ID}$")
    name: str
    codes: tuple[DivisionCode, ...] = ()

    def code_on(self, day: date) -> str:
        """Returns the code that is in force on ``day``; empty where the region has none."""
        if not self.codes:
            return self.id if self.id.isdecimal() and len(self.id) == _CODE_LENGTH else ""
        return next((each.code for each in self.codes if each.holds_on(day)), "")


class GrpcConfig(Section):
    """Where the gRPC server listens, and who may call which of its services.

    ``allow`` maps the full name of a gRPC service to the mTLS names (``gateway``, ``cases``) that may call it. A service
    without an entry is closed.
    """

    host: str = "127.0.0.1"
    port: int
    allow: dict[str, list[str]]
    calls_per_second_per_caller: float = 5000.0
    stream_idle_seconds: float = Field(default=60.0, gt=0)


class TlsConfig(Section):
    """Paths of the PEM files for mTLS, and the domain in which ``<process>.<region id>`` is a process's name."""

    ca: Path
    cert: Path
    key: Path
    domain: str = "tongban.internal"


class DatabaseConfig(Section):
    """Paths of the files that hold the DSN of the application's role and of the owner's role (migrations).

    ``pool_size`` is the most connections that a process lends, to reads and transactions together.
    """

    dsn_file: Path
    owner_dsn_file: Path
    pool_size: int = Field(default=24, ge=4)


class RedisConfig(Section):
    """Where events and caches live, and the file of the key under which event data travels (32 hex digits)."""

    url: str
    event_key_file: Path


class HttpConfig(Section):
    """An HTTP listener beside gRPC."""

    host: str = "127.0.0.1"
    port: int


class MetricsConfig(Section):
    """Where Prometheus scrapes."""

    host: str = "127.0.0.1"
    port: int


class DocumentsConfig(Section):
    """The folder (or object-store URL) of the content-addressed documents."""

    folder: str


class UploadsConfig(Section):
    """What one caller may have in uploads at this service: how many at once, and how many millions of bytes together.

    Every ``sweep_seconds`` it is looked what was given up or is past its time; what has been found so for
    ``patience_seconds`` is erased: longer than a replica writes a part, and than a clock is wrong by accident.
    """

    most: int = Field(default=1_000, ge=1)
    megabytes: int = Field(default=4_096, ge=1)
    sweep_seconds: float = Field(default=30.0, gt=0)
    patience_seconds: float = Field(default=600.0, ge=0)


class OperationsConfig(Section):
    """How operations go on: how many one caller may have under way, and how many one process works on at once.

    Who works on one says so three times in ``lease_seconds``; whoever has not for so long has lost it to another. Every
    ``look_seconds`` it is looked for work that was begun at another replica, or left there.
    """

    most: int = Field(default=20, ge=1)
    at_once: int = Field(default=2, ge=1)
    lease_seconds: float = Field(default=15.0, gt=0)
    look_seconds: float = Field(default=1.0, gt=0)


class KeysConfig(Section):
    """The key store's folder and the file of its master key."""

    folder: Path
    master_key_file: Path


class DiskConfig(Section):
    """How much room must be left on the disks that a service fills, in millions of bytes.

    Below ``warn_free_mb`` it is told, below ``least_free_mb`` nothing that writes is taken any more: PostgreSQL that finds
    no room at all stops in the middle. ``folders`` adds those that others fill for it, such as a local PostgreSQL's.
    """

    folders: list[Path] = []
    warn_free_mb: int = Field(default=2_000, ge=0)
    least_free_mb: int = Field(default=300, ge=0)


class IdentityConfig(Section):
    """How tokens are checked: their issuer and where its keys are; ``further_jwks_urls`` are those of its other replicas."""

    address: str
    issuer: str
    jwks_url: str
    further_jwks_urls: list[str] = []


class TelemetryConfig(Section):
    """Where spans go; tracing is off while ``endpoint`` is empty."""

    endpoint: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class ClockConfig(Section):
    """Which clock business dates go by: the machine's, or beside it by the offset in ``replay_file`` (demos, tests)."""

    replay_file: Path | None = None


class PublicConfig(Section):
    """What the outside calls this region: base URLs of the gateway, without a slash at the end.

    ``mtls_url`` is where it takes certificates of clients (RFC 8705); empty where it doesn't.
    """

    base_url: str
    mtls_url: str = ""


class ServiceConfig(Section):
    """What every one of the five services is configured with; a service adds its own sections.

    ``neighbours`` maps a service to its address, or to those of its replicas, separated by commas.
    """

    region: RegionConfig
    grpc: GrpcConfig
    tls: TlsConfig
    database: DatabaseConfig
    redis: RedisConfig
    metrics: MetricsConfig
    documents: DocumentsConfig
    uploads: UploadsConfig = UploadsConfig()
    operations: OperationsConfig = OperationsConfig()
    keys: KeysConfig
    disk: DiskConfig = DiskConfig()
    identity: IdentityConfig
    public: PublicConfig
    neighbours: dict[str, str] = {}
    telemetry: TelemetryConfig = TelemetryConfig()
    clock: ClockConfig = ClockConfig()


T = TypeVar("T", bound=Section)


def load(path: Path, model: type[T]) -> T:
    """Reads ``path`` into ``model``; ends the process with one line per fault, naming the key."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        sys.exit(f"configuration {path.name}: {error}")
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        sys.exit("\n".join(f"configuration {path.name}: {fault}" for fault in faults))
