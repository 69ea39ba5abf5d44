"""The operator's own settings: one file in the state folder, made once with everything commented out, never written again."""

import importlib
import tomllib
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, ValidationError

from deploy.local.partner_files import PartnerFiles
from deploy.local.regions import KNOWN, MOST_REPLICAS, REGIONS, SERVICES, MtlsDoor
from libs.config import DatabaseConfig, Section
from libs.db.pool import OWN
from services.gateway.config import GatewayConfig

FILE = "settings.toml"
_PORTS = {region.id: 8080 + place for place, region in enumerate(REGIONS)}
_GATEWAY = "gateway"
_BESIDE_SERVICES = 15
"""Connections of operators, migrations, mounted databases and PostgreSQL's superuser."""

Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]

_TEMPLATE = """\
# Tongban's settings on this machine. This file is yours: it is made once and never overwritten. They count from the next start
# on (./run down, ./run up), what the gateways let in from ./run reload on; a wrong key or value stops either with a line that names it.

# log_level = "info"              # debug, info, warning, error
# threads = 0                     # that sign, validate and draw; 0: what each service is made for
# pool_size = 24                  # database connections that a process lends, for reads and changes together; 4 at least
# host = "127.0.0.1"              # where the gateways listen, an IPv4 address; "0.0.0.0" for all of this machine
# replicas = 1                    # of every service, 3 at most
# warn_free_mb = 2000             # less room on a disk is told
# least_free_mb = 300             # less than this, and nothing that writes is taken any more

# [regions.341500]
# port = 8080                     # the gateway's
# public_url = "https://tongban.example.gov.cn"    # what the outside calls it; tokens are issued under this name
# replicas = 2

# [regions.341500.mtls]           # TLS 1.3 for partners who come with a certificate (docs/guides/certificates.md)
# port = 8443
# url = "https://partners.example.gov.cn:8443"     # what the outside calls it
# cert = "/etc/tongban/gateway.pem"                # its own, with those above it
# key = "/etc/tongban/gateway.key"
# ca = "/etc/tongban/partners-ca.pem"              # who signs partners' certificates; others are refused
# crl = "/etc/tongban/partners-crl.pem"            # what those have revoked, if that is to be looked up

# Any other key of a process's configuration (.tongban/<region>/config/<process>.toml shows them), for a service, or the
# gateway, of all regions:
# [services.cases.database]
# pool_size = 32
# [services.gateway.cors]
# origins = ["https://tongban.example.gov.cn"]
"""


class WrongSettings(Exception):
    """The file holds something that it can't; the message names each key."""


class MtlsSettings(Section):
    """The listener for partners who come with a certificate; the files are PEM."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    port: Port
    url: str
    cert: Annotated[Path, Field(strict=False)]
    key: Annotated[Path, Field(strict=False)]
    ca: Annotated[Path, Field(strict=False)]
    crl: Annotated[Path, Field(strict=False)] | None = None

    @property
    def files(self) -> PartnerFiles:
        """Its files."""
        return PartnerFiles(self.cert, self.key, self.ca, self.crl)

    def door(self, region: str) -> MtlsDoor:
        """Returns the listener of a region; raises WrongSettings where one of its files can't be: Envoy would go on without it."""
        if faults := [f"{FILE}: regions.{region}.mtls.{key}: {fault}" for key, fault in self.files.faults()]:
            raise WrongSettings("\n".join(faults))
        return MtlsDoor(self.url.rstrip("/"), self.port, self.cert, self.key, self.ca, self.crl)


class RegionSettings(Section):
    """What holds for one region alone."""

    port: Port | None = None
    public_url: str = ""
    replicas: int | None = None
    mtls: MtlsSettings | None = None


class OwnSettings(Section):
    """What the file says; what it doesn't is as the project has it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    log_level: str | None = None
    threads: Count = 0
    pool_size: Annotated[int, Field(ge=4)] | None = None
    host: str = "127.0.0.1"
    replicas: int = 1
    warn_free_mb: Count | None = None
    least_free_mb: Count | None = None
    regions: dict[str, RegionSettings] = {}
    services: dict[str, dict[str, Any]] = {}

    def of(self, region: str) -> RegionSettings:
        """What the file says of a region."""
        return self.regions.get(region, RegionSettings())

    def port(self, region: str) -> int:
        """The port of a region's gateway."""
        return self.of(region).port or _PORTS[region]

    def replicas_in(self, region: str) -> int:
        """How many of each service a region has."""
        return self.of(region).replicas or self.replicas

    def connections(self, replicas: int) -> int:
        """How many connections the processes of a region may open to its PostgreSQL, people and migrations beside them."""
        usual: int = DatabaseConfig.model_fields["pool_size"].default
        sizes: list[int] = [self.changes(service).get("database", {}).get("pool_size", usual) for service in SERVICES]
        return replicas * sum(size + OWN for size in sizes) + _BESIDE_SERVICES

    def changes(self, name: str) -> dict[str, dict[str, Any]]:
        """What of the configuration of a service or of the gateway is as the file says, section by section."""
        changed: dict[str, dict[str, Any]] = {"telemetry": {"log_level": self.log_level}}
        if name != _GATEWAY:
            changed["database"] = {"pool_size": self.pool_size}
            changed["disk"] = {"warn_free_mb": self.warn_free_mb, "least_free_mb": self.least_free_mb}
        if name == "seal":
            changed["sealing"] = {"workers": self.threads or None}
        if name == "license":
            changed["issuing"] = {"render_threads": self.threads or None}
        said = {
            part: {key: value for key, value in keys.items() if value is not None} for part, keys in changed.items()
        }
        return merged({part: keys for part, keys in said.items() if keys}, self.services.get(name, {}))


def merged(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Returns ``document`` with ``changes`` put into its tables."""
    found = dict(document)
    for key, value in changes.items():
        known = found.get(key)
        found[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return found


def read(state: Path) -> OwnSettings:
    """Reads the file of a state folder; what it doesn't say, and all where there is none, is as the project has it.

    Raises:
        WrongSettings: a key or a value is not one.
    """
    path = state / FILE
    try:
        found = OwnSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return OwnSettings()
    except UnicodeDecodeError as error:
        raise WrongSettings(f"{path}: is not UTF-8 (at byte {error.start}); save it as UTF-8") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise WrongSettings(f"{path}: {error}") from None
    except ValidationError as error:
        faults = (f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise WrongSettings("\n".join(faults)) from None
    if faults_found := _faults(found):
        raise WrongSettings("\n".join(f"{path}: {fault}" for fault in faults_found))
    return found


def _faults(settings: OwnSettings) -> list[str]:
    """What no type says."""
    codes = {region.id for region in KNOWN}
    counts = [settings.replicas, *(each.replicas or 1 for each in settings.regions.values())]
    levels = ("debug", "info", "warning", "error")
    urls = {code: each.public_url for code, each in settings.regions.items()}
    doors = {code: each.mtls for code, each in settings.regions.items() if each.mtls is not None}
    return [
        *(fault for code, door in doors.items() for fault in _of_door(f"regions.{code}.mtls", door)),
        *(f"regions.{code}: there is no such region here" for code in settings.regions if code not in codes),
        *(f"regions.{code}.public_url: {_URL}" for code, url in urls.items() if url and not _is_base_url(url)),
        *(f"replicas: 1 to {MOST_REPLICAS}" for count in counts if not 1 <= count <= MOST_REPLICAS),
        *([f"log_level: one of {', '.join(levels)}"] if settings.log_level not in (None, *levels) else []),
        *([] if _is_address(settings.host) else ["host: an IPv4 address of this machine, or 0.0.0.0"]),
        *(fault for name in settings.services for fault in _of_service(name, settings.changes(name))),
    ]


def _of_door(name: str, door: MtlsSettings) -> Iterator[str]:
    if not _is_base_url(door.url) or not door.url.startswith("https://"):
        yield f"{name}.url: https, host and port alone, such as https://partners.example.gov.cn:8443"


_URL = "scheme, host and port alone, such as https://tongban.example.gov.cn"


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and url.rstrip("/") == f"{parts.scheme}://{parts.netloc}"
    )


def _is_address(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


def _of_service(name: str, changes: dict[str, Any]) -> Iterator[str]:
    """What a process would refuse of its part of the file; that the rest of its configuration is missing here is no fault."""
    if name not in (*SERVICES, _GATEWAY):
        yield f"services.{name}: there is no such service"
        return
    model: type[Section] = (
        GatewayConfig if name == _GATEWAY else importlib.import_module(f"services.{name}.config").Config
    )
    try:
        model.model_validate(changes)
    except ValidationError as error:
        for fault in error.errors():
            if fault["type"] != "missing":
                yield f"services.{name}.{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def make(state: Path) -> None:
    """Makes the file where there is none, with everything commented out."""
    path = state / FILE
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        path.write_text(_TEMPLATE, encoding="utf-8")
