"""Writes the configuration files of a region's processes: one TOML file a process, secrets by the path of their file."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.databases import DATABASES, DEPARTMENT
from deploy.local.own_settings import FILE, OwnSettings, merged
from deploy.local.regions import HOST, SERVICES, House, replay_file
from deploy.local.secret_files import password, write_secret
from libs.config import Keys
from libs.crypto.keystore import create_master_key
from services.gateway.contracts import Service, read_image, services

GATEWAY = "gateway"
SUPERVISOR = "supervisor"
CERTIFIED = (*SERVICES, GATEWAY, SUPERVISOR)

EDITED = ".edited"
"""What is added to the name of a file that was edited by hand, when another takes its place."""
_WRITTEN = f"# Written anew at each start; what is to stay belongs into {FILE} of the state folder. sha256 "

Document = dict[str, Any]


def allowlist(service: str, contracts: list[Service]) -> dict[str, list[str]]:
    """Names who may call each gRPC service of ``service``: whom its RPCs name, and the gateway where anything is public."""
    return {
        contract.full_name: _callers(contract)
        for contract in contracts
        if contract.owner == service or contract.everywhere
    }


def _callers(contract: Service) -> list[str]:
    named = sorted({name for rpc in contract.rpcs for name in rpc.access.services})
    return [GATEWAY, *named] if contract.public_rpcs else named


def _tls(house: House, name: str) -> Document:
    pki = house.path("pki")
    return {"ca": pki / "ca.pem", "cert": pki / f"{name}.pem", "key": pki / f"{name}.key"}


def _identity(house: House) -> Document:
    names = house.replicas_of("identity")
    first, *further = (f"http://{house.address(f'{name}_http')}/.well-known/jwks.json" for name in names)
    return {
        "address": house.address("identity"),
        "issuer": house.base_url,
        "jwks_url": first,
        "further_jwks_urls": further,
    }


def _common(house: House, name: str) -> Document:
    return {
        "region": {"code": house.region.code, "name": house.region.name},
        "tls": _tls(house, name),
        "identity": _identity(house),
        "neighbours": {service: house.addresses(service) for service in SERVICES if service != name},
        "public": {"base_url": house.base_url},
    }


def _service(house: House, service: str, replica: str, contracts: list[Service]) -> Document:
    secret, keys = house.path("secrets"), keys_of(house)[service]
    keys.folder.mkdir(mode=0o700, exist_ok=True)
    redis_password = password(secret / "redis.password")
    document = _common(house, service) | {
        "grpc": {"host": HOST, "port": house.ports[replica], "allow": allowlist(service, contracts)},
        "database": {"dsn_file": secret / f"{service}.dsn", "owner_dsn_file": secret / f"{service}_owner.dsn"},
        "redis": {
            "url": f"redis://:{redis_password}@{house.address('redis')}/0",
            "event_key_file": secret / "events.key",
        },
        "metrics": {"port": house.ports[f"{replica}_metrics"]},
        "documents": {"folder": house.path("documents")},
        "keys": {"folder": keys.folder, "master_key_file": keys.master_key_file},
        "disk": {"folders": [house.path("postgres"), house.path("redis")]},
    }
    if house.replay:
        document["clock"] = {"replay_file": replay_file(house.folder.parent, house.region)}
    if service == "sharing":
        document["data_sources"] = {DEPARTMENT: {"dsn_file": secret / f"{DEPARTMENT}.dsn"}}
    if service == "identity":
        document["http"] = {"host": HOST, "port": house.ports[f"{replica}_http"]}
        document["bootstrap"] = {"credentials_file": house.path("credentials.json")}
    return document


def _gateway(house: House) -> Document:
    return _common(house, GATEWAY) | {
        "http": {"host": house.host, "port": house.http_port},
        "pages": {"host": HOST, "port": house.ports["pages"], "reflection_port": house.ports["reflection"]},
        "envoy": {"admin_port": house.ports["envoy_admin"], "file": house.path("config", "envoy.json")},
    }


def _toml(document: Document) -> str:
    """Writes a document of tables that hold scalars, lists and one more level of tables."""
    lines: list[str] = []
    for section, values in document.items():
        tables = {key: value for key, value in values.items() if isinstance(value, dict)}
        lines += ["", f"[{section}]", *(_pair(key, value) for key, value in values.items() if key not in tables)]
        for key, table in tables.items():
            lines += ["", f"[{section}.{key}]", *(_pair(inner, value) for inner, value in table.items())]
    return "\n".join(lines).lstrip() + "\n"


def _pair(key: str, value: object) -> str:
    # JSON's strings, numbers, booleans and lists are TOML's as well.
    return f"{json.dumps(key)} = {json.dumps(value, default=str, ensure_ascii=False)}"


def _dsn(house: House, role: str, database: str, role_password: str) -> str:
    return f"postgresql://{role}:{role_password}@{house.address('postgres')}/{database}"


def _secrets(house: House) -> None:
    folder = house.path("secrets")
    superuser = password(folder / "postgres.password")
    write_secret(folder / "postgres.dsn", _dsn(house, "postgres", "postgres", superuser))
    for database in DATABASES:
        for role in (database, f"{database}_owner"):
            # Ports may change from one start to the next, so the DSN is written anew around the same password.
            write_secret(folder / f"{role}.dsn", _dsn(house, role, database, password(folder / f"{role}.password")))
    create_master_key(folder / "events.key")
    for service in SERVICES:
        create_master_key(folder / f"{service}.master-key")


def keys_of(house: House) -> dict[str, Keys]:
    """Where each service's key store and its master key lie."""
    return {
        service: Keys(
            folder=house.path("keys", service), master_key_file=house.path("secrets", f"{service}.master-key")
        )
        for service in SERVICES
    }


def _redis(house: House) -> str:
    lines = (
        f"bind {HOST}",
        f"port {house.ports['redis']}",
        f"dir {json.dumps(str(house.path('redis')))}",
        f"requirepass {password(house.path('secrets', 'redis.password'))}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
    )
    return "\n".join(lines) + "\n"


def config_path(house: House, name: str) -> Path:
    """Where the configuration of a process lies."""
    return house.path("config", f"{name}.toml")


def write_all(house: House, own: OwnSettings | None = None) -> list[str]:
    """Writes secrets (made once) and configuration files (made anew at each start) of a region.

    Args:
        house: the region.
        own: the operator's settings, which go into the files.

    Returns:
        what to tell the operator: which files had been edited by hand, which no start keeps.
    """
    _secrets(house)
    _refresh_credentials(house)
    own, contracts = own or OwnSettings(), services(read_image())
    files = {
        config_path(house, replica): _toml(merged(_service(house, service, replica, contracts), own.changes(service)))
        for service in SERVICES
        for replica in house.replicas_of(service)
    }
    files[config_path(house, GATEWAY)] = _toml(merged(_gateway(house), _of_gateway(own)))
    files[house.path("config", "redis.conf")] = _redis(house)
    return [note for path, content in files.items() for note in _write(path, content)]


def _of_gateway(own: OwnSettings) -> Document:
    return {"telemetry": {"log_level": own.log_level}} if own.log_level else {}


def _write(path: Path, content: str) -> list[str]:
    """Writes a file with a mark of what it holds; one that was edited since is kept beside it, and told."""
    notes = []
    if was_edited(path):
        kept = path.with_name(f"{path.name}{EDITED}")
        path.replace(kept)
        notes = [f"{path} was edited by hand, which no start keeps: put it into {FILE} (yours lies in {kept.name})"]
    write_secret(path, f"{_WRITTEN}{_digest(content)}\n{content}")
    return notes


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def was_edited(path: Path) -> bool:
    """Tells whether a configuration file holds something else than was written at the last start."""
    try:
        first, _, content = path.read_text(encoding="utf-8").partition("\n")
    except OSError:
        return False
    return first.startswith(_WRITTEN) and first.removeprefix(_WRITTEN) != _digest(content)


def _refresh_credentials(house: House) -> None:
    """Puts the addresses that hold now into the administrator's credentials, whose key stays what it is."""
    path = house.path("credentials.json")
    if stale := stale_addresses(path, house.base_url):
        write_secret(path, json.dumps(_document(path) | stale, indent=1))


def stale_addresses(path: Path, base_url: str) -> dict[str, str]:
    """Returns what the addresses in a file of credentials should be, of those that aren't so."""
    known = _document(path)
    if not known:
        return {}
    endpoint = urlsplit(str(known.get("token_endpoint", ""))).path
    wanted = {"token_endpoint": f"{base_url}{endpoint}", "issuer": base_url, "gateway": base_url}
    return {key: value for key, value in wanted.items() if known.get(key) != value}


def _document(path: Path) -> Document:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
