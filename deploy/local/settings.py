"""Writes the configuration files of a region's processes: one TOML file a process, secrets by the path of their file."""

import json
from pathlib import Path
from typing import Any

from deploy.local.databases import DATABASES, DEPARTMENT
from deploy.local.regions import HOST, SERVICES, House, replay_file
from deploy.local.secret_files import password, write_secret
from libs.config import Keys
from libs.crypto.keystore import create_master_key
from services.gateway.contracts import Service, read_image, services

GATEWAY = "gateway"
SUPERVISOR = "supervisor"
CERTIFIED = (*SERVICES, GATEWAY, SUPERVISOR)

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
    jwks = f"http://{house.address('identity_http')}/.well-known/jwks.json"
    return {"address": house.address("identity"), "issuer": house.base_url, "jwks_url": jwks}


def _common(house: House, name: str) -> Document:
    return {
        "region": {"code": house.region.code, "name": house.region.name},
        "tls": _tls(house, name),
        "identity": _identity(house),
        "neighbours": {service: house.address(service) for service in SERVICES if service != name},
        "public": {"base_url": house.base_url},
    }


def _service(house: House, service: str, contracts: list[Service]) -> Document:
    secret, keys = house.path("secrets"), keys_of(house)[service]
    keys.folder.mkdir(mode=0o700, exist_ok=True)
    redis_password = password(secret / "redis.password")
    document = _common(house, service) | {
        "grpc": {"host": HOST, "port": house.ports[service], "allow": allowlist(service, contracts)},
        "database": {"dsn_file": secret / f"{service}.dsn", "owner_dsn_file": secret / f"{service}_owner.dsn"},
        "redis": {
            "url": f"redis://:{redis_password}@{house.address('redis')}/0",
            "event_key_file": secret / "events.key",
        },
        "metrics": {"port": house.ports[f"{service}_metrics"]},
        "documents": {"folder": house.path("documents")},
        "keys": {"folder": keys.folder, "master_key_file": keys.master_key_file},
    }
    if house.replay:
        document["clock"] = {"replay_file": replay_file(house.folder.parent, house.region)}
    if service == "sharing":
        document["data_sources"] = {DEPARTMENT: {"dsn_file": secret / f"{DEPARTMENT}.dsn"}}
    if service == "identity":
        document["http"] = {"host": HOST, "port": house.ports["identity_http"]}
        document["bootstrap"] = {"credentials_file": house.path("credentials.json")}
    return document


def _gateway(house: House) -> Document:
    return _common(house, GATEWAY) | {
        "http": {"host": HOST, "port": house.http_port},
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


def write_all(house: House) -> None:
    """Writes secrets (made once) and configuration files (made anew at each start) of a region."""
    _secrets(house)
    contracts = services(read_image())
    for service in SERVICES:
        write_secret(config_path(house, service), _toml(_service(house, service, contracts)))
    write_secret(config_path(house, GATEWAY), _toml(_gateway(house)))
    write_secret(house.path("config", "redis.conf"), _redis(house))
