"""Writes the configuration files of a region's processes: one TOML file a process, secrets by the path of their file."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.databases import DATABASES, DEPARTMENT
from deploy.local.own_settings import OwnSettings, merged
from deploy.local.regions import HOST, SERVICES, KnownRegion, LocalRegion, replay_file
from deploy.local.secret_files import password, write_secret
from deploy.local.written import ENVOY, OF_THE_GATEWAY, set_aside, write
from libs.config import KeysConfig
from libs.crypto.keystore import create_master_key
from services.gateway.contracts import Service, read_image, services

GATEWAY = "gateway"
SUPERVISOR = "supervisor"
CERTIFIED = (*SERVICES, GATEWAY, SUPERVISOR)
ENVIRONMENT, SANDBOX = "environment", "SANDBOX"
"""The file in a region's folder that says what the region is for, where that is not real affairs."""

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


def _tls(local: LocalRegion, name: str) -> Document:
    pki = local.path("pki")
    return {"ca": pki / "ca.pem", "cert": pki / f"{name}.pem", "key": pki / f"{name}.key"}


def _identity(local: LocalRegion) -> Document:
    names = local.replicas_of("identity")
    first, *further = (f"http://{local.address(f'{name}_http')}/.well-known/jwks.json" for name in names)
    return {
        "address": local.address("identity"),
        "issuer": local.base_url,
        "jwks_url": first,
        "further_jwks_urls": further,
    }


def _region(region: KnownRegion) -> Document:
    codes = [{"code": region.code}] if region.own_id else []
    return {"id": region.id, "name": region.name, "codes": codes}


def _common(local: LocalRegion, name: str) -> Document:
    return {
        "region": _region(local.region),
        "tls": _tls(local, name),
        "identity": _identity(local),
        "neighbours": {service: local.addresses(service) for service in SERVICES if service != name},
        "public": {"base_url": local.base_url, **({"mtls_url": local.mtls.url} if local.mtls else {})},
    }


def _service(local: LocalRegion, service: str, replica: str, contracts: list[Service]) -> Document:
    secret, keys = local.path("secrets"), keys_of(local)[service]
    keys.folder.mkdir(mode=0o700, exist_ok=True)
    redis_password = password(secret / "redis.password")
    document = _common(local, service) | {
        "grpc": {"host": HOST, "port": local.ports[replica], "allow": allowlist(service, contracts)},
        "database": {"dsn_file": secret / f"{service}.dsn", "owner_dsn_file": secret / f"{service}_owner.dsn"},
        "redis": {
            "url": f"redis://:{redis_password}@{local.address('redis')}/0",
            "event_key_file": secret / "events.key",
        },
        "metrics": {"port": local.ports[f"{replica}_metrics"]},
        "documents": {"folder": local.path("documents")},
        "keys": {"folder": keys.folder, "master_key_file": keys.master_key_file},
        "disk": {"folders": [local.path("postgres"), local.path("redis")]},
    }
    if local.replay:
        document["clock"] = {"replay_file": replay_file(local.folder.parent, local.region)}
    if service == "sharing":
        document["data_sources"] = {DEPARTMENT: {"dsn_file": secret / f"{DEPARTMENT}.dsn"}}
    if service == "identity":
        document["http"] = {"host": HOST, "port": local.ports[f"{replica}_http"]}
        if local.mtls is not None:
            document["mtls_http"] = {"host": HOST, "port": local.ports[f"{replica}_mtls"]}
        document["bootstrap"] = {
            "credentials_file": local.path("credentials.json"),
            "pages_credentials_file": local.path("secrets", "my-pages.json"),
        }
        if local.path(ENVIRONMENT).exists():
            document["clients"] = {"environment": local.path(ENVIRONMENT).read_text(encoding="ascii")}
        # Nothing leaves the machine until the operator says how.
        # Applications that are tried out beside it are told of logouts too.
        document["logout"] = {"private_ranges": ["127.0.0.0/8", "::1/128"]}
        document["notify"] = {kind: {"folder": local.path("sent")} for kind in ("email", "phone")}
    return document


def _mtls(local: LocalRegion) -> Document:
    """The listener for partners who come with a certificate."""
    door = local.mtls
    if door is None:
        return {}
    files = {"cert": door.cert, "key": door.key, "ca": door.ca, **({"crl": door.crl} if door.crl else {})}
    return {"mtls": {"host": local.host, "port": door.port, **files, "identity": local.mtls_addresses()}}


def _gateway(local: LocalRegion) -> Document:
    return _common(local, GATEWAY) | {
        **_mtls(local),
        "http": {"host": local.host, "port": local.http_port},
        "pages": {"host": HOST, "port": local.ports["pages"], "reflection_port": local.ports["reflection"]},
        "my": {"credentials_file": local.path("secrets", "my-pages.json")},
        "envoy": {"admin_port": local.ports["envoy_admin"], "file": local.path("config", ENVOY)},
    }


def _toml(document: Document) -> str:
    """Writes a document of scalars and lists, and of tables that hold them and one more level of tables."""
    lines = [_pair(key, value) for key, value in document.items() if not isinstance(value, dict)]
    for section, values in document.items():
        if not isinstance(values, dict):
            continue
        tables = {key: value for key, value in values.items() if isinstance(value, dict)}
        lines += ["", f"[{section}]", *(_pair(key, value) for key, value in values.items() if key not in tables)]
        for key, table in tables.items():
            lines += ["", f"[{section}.{key}]", *(_pair(inner, value) for inner, value in table.items())]
    return "\n".join(lines).lstrip() + "\n"


def _pair(key: str, value: object) -> str:
    # JSON's strings, numbers, booleans and lists are TOML's as well.
    return f"{json.dumps(key)} = {_written(value)}"


def _written(value: object) -> str:
    """A value as TOML writes it: JSON's way, but for inline tables within lists."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(key, each) for key, each in value.items()) + "}"
    return json.dumps(value, default=str, ensure_ascii=False)


def _dsn(local: LocalRegion, role: str, database: str, role_password: str) -> str:
    return f"postgresql://{role}:{role_password}@{local.address('postgres')}/{database}"


def _secrets(local: LocalRegion) -> None:
    folder = local.path("secrets")
    superuser = password(folder / "postgres.password")
    write_secret(folder / "postgres.dsn", _dsn(local, "postgres", "postgres", superuser))
    for database in DATABASES:
        for role in (database, f"{database}_owner"):
            # Ports may change from one start to the next, so the DSN is written anew around the same password.
            write_secret(folder / f"{role}.dsn", _dsn(local, role, database, password(folder / f"{role}.password")))
    create_master_key(folder / "events.key")
    for service in SERVICES:
        create_master_key(folder / f"{service}.master-key")


def keys_of(local: LocalRegion) -> dict[str, KeysConfig]:
    """Where each service's key store and its master key lie."""
    return {
        service: KeysConfig(
            folder=local.path("keys", service), master_key_file=local.path("secrets", f"{service}.master-key")
        )
        for service in SERVICES
    }


def _redis(local: LocalRegion) -> str:
    lines = (
        f"bind {HOST}",
        f"port {local.ports['redis']}",
        f"dir {json.dumps(str(local.path('redis')))}",
        f"requirepass {password(local.path('secrets', 'redis.password'))}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
    )
    return "\n".join(lines) + "\n"


def config_path(local: LocalRegion, name: str) -> Path:
    """Where the configuration of a process lies."""
    return local.path("config", f"{name}.toml")


def configurations(local: LocalRegion, own: OwnSettings) -> dict[Path, str]:
    """Returns what stands in the configuration files of the services and of the gateway."""
    contracts = services(read_image())
    files = {
        config_path(local, replica): _toml(merged(_service(local, service, replica, contracts), own.changes(service)))
        for service in SERVICES
        for replica in local.replicas_of(service)
    }
    return files | {config_path(local, GATEWAY): _toml(merged(_gateway(local), own.changes(GATEWAY)))}


def write_all(local: LocalRegion, own: OwnSettings | None = None) -> list[str]:
    """Writes secrets (made once) and configuration files (made anew at each start) of a region.

    Args:
        local: the region.
        own: the operator's settings, which go into the files.

    Returns:
        what to tell the operator: which files had been edited by hand, which no start keeps.
    """
    _secrets(local)
    _refresh_credentials(local)
    files = configurations(local, own or OwnSettings())
    files[local.path("config", "redis.conf")] = _redis(local)
    notes = [note for path, content in files.items() for note in write(path, content)]
    return [*notes, *(note for name in OF_THE_GATEWAY for note in set_aside(local.path("config", name)))]


def _refresh_credentials(local: LocalRegion) -> None:
    """Puts the addresses that hold now into the administrator's credentials, whose key stays what it is."""
    path = local.path("credentials.json")
    if stale := stale_addresses(path, local.base_url):
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
