"""The real Envoy with the generated configuration, in front of a small gRPC server that stands for the services."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local import programs
from deploy.pki import development
from libs.errors import NotFound, TongbanError
from libs.rpc import languages, status
from services.gateway import envoy_config
from services.gateway.config import GatewayConfig, MtlsSection
from tests.support.edge_licences import licences, listening
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tongban.audit.v1 import audit_service_pb2
from tongban.events.v1 import change_service_pb2

_REGION = "341500"
ORIGIN = "https://desk.example"
_ENVOY = (
    "--disable-hot-restart",
    "--concurrency",
    "1",
    "--file-flush-interval-msec",
    "100",
    "--drain-strategy",
    "immediate",
)
_PROCESSES = ("identity", "license", "seal", "cases", "sharing", "gateway")
HEAD = "/tongban.audit.v1.AuditService/GetAuditHead"
KEY = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})


@dataclass
class Seen:
    """What reached the service."""

    metadata: list[dict[str, str]] = field(default_factory=list)
    error: TongbanError | None = None
    """What GetAuditRecord is answered with instead of its usual error."""
    first: list[tuple[str, str | bytes]] = field(default_factory=list)
    """The metadata that both are answered with first."""
    changes: change_service_pb2.ListChangesResponse = field(default_factory=change_service_pb2.ListChangesResponse)
    """What ListChanges is answered with."""
    going: threading.Event = field(default_factory=threading.Event)
    """GetAuditHead waits for it."""
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released by each GetAuditHead that waits."""


class Audit:
    """Answers one method of the audit service, and refuses another as our services do."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def GetAuditHead(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._seen.metadata.append(dict(context.invocation_metadata()))
        self._seen.waiting.release()
        self._seen.going.wait()
        context.send_initial_metadata(self._seen.first)
        return audit_service_pb2.AuditHead(name=request.name, tree_size=7, root_hash=b"\x01\x02")

    def GetAuditRecord(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        error = self._seen.error or NotFound("RESOURCE_NOT_FOUND", "no such record", resource=request.name)
        context.send_initial_metadata(self._seen.first)
        asked = dict(context.invocation_metadata()).get(languages.HEADER, "")
        told = status.to_status(error, languages.preferred(asked))
        context.set_trailing_metadata(((status.DETAILS_KEY, told.SerializeToString()),))
        context.abort(status.grpc_code(error), told.message)


class KeyServer(ThreadingHTTPServer):
    """Publishes the key of the token issuer; can be frozen."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Jwks)
        self.going, self.asked_while_frozen = threading.Event(), threading.Event()
        self.going.set()
        self.keys = [KEY]
        self.told = threading.Event()
        """Set once the keys as they are were told."""
        self.judged: list[tuple[str, str, dict[str, str], bytes]] = []
        """What was asked of signed requests: verb, path, headers, body."""
        self.verdict: tuple[int, dict[str, str], bytes] = (200, {}, b"")
        """What is said of them: status, headers, body."""

    def change(self, *keys: ECKey) -> None:
        """Publishes these keys from now on."""
        self.keys = list(keys)
        self.told.clear()


class Jwks(BaseHTTPRequestHandler):
    """Answers for the key server."""

    server: KeyServer

    def do_GET(self) -> None:
        if self.path.startswith("/internal/"):
            self.judge()
            return
        if not self.server.going.is_set():
            self.server.asked_while_frozen.set()
            self.server.going.wait()
        body = json.dumps({"keys": [key.as_dict(private=False) for key in self.server.keys]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.told.set()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Any other verb is that of a signed request."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self.judge

    def judge(self) -> None:
        """Says of a signed request what was told to say."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        told = {name.lower(): value for name, value in self.headers.items()}
        self.server.judged.append((self.command, self.path, told, body))
        code, headers, answer = self.server.verdict
        self.send_response(code)
        for name, value in {**headers, "content-length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@dataclass(frozen=True)
class Edge:
    """A running gateway."""

    url: str
    target: str
    seen: Seen
    keys: KeyServer
    config: GatewayConfig
    log: Path
    """What Envoy writes; its access log follows within a second."""


def _config(
    folder: Path, service_port: int, jwks_port: int, limits: dict[str, int], origins: tuple[str, ...] = ()
) -> GatewayConfig:
    http, away = free_port(), free_port()
    base = f"http://127.0.0.1:{http}"
    neighbours = dict.fromkeys(("license", "seal", "cases", "sharing"), f"127.0.0.1:{away}")
    return GatewayConfig.model_validate(
        {
            "region": {"id": _REGION, "name": "六安市"},
            "http": {"port": http},
            "tls": {"ca": folder / "ca.pem", "cert": folder / "gateway.pem", "key": folder / "gateway.key"},
            "identity": {"address": "-", "issuer": base, "jwks_url": f"http://127.0.0.1:{jwks_port}/jwks.json"},
            "pages": {"port": away, "reflection_port": away},
            "envoy": {"admin_port": free_port(), "file": folder / "envoy.json"},
            "public": {"base_url": base},
            "neighbours": neighbours | {"identity": f"127.0.0.1:{service_port}"},
            "cors": {"origins": [ORIGIN, *origins]},
            "limits": {"request_bytes": 100_000, **limits},
        }
    )


def _service(folder: Path, seen: Seen) -> tuple[grpc.Server, int]:
    # As our services do, it takes what the gateway lets through.
    server = grpc.server(
        ThreadPoolExecutor(32),
        options=[
            ("grpc.max_metadata_size", 128 * 1024),
            ("grpc.absolute_max_metadata_size", 128 * 1024),
        ],
    )
    audit, requests = Audit(seen), audit_service_pb2
    handlers: dict[str, Any] = {
        "GetAuditHead": grpc.unary_unary_rpc_method_handler(
            audit.GetAuditHead, requests.GetAuditHeadRequest.FromString, requests.AuditHead.SerializeToString
        ),
        "GetAuditRecord": grpc.unary_unary_rpc_method_handler(
            audit.GetAuditRecord, requests.GetAuditRecordRequest.FromString, requests.AuditRecord.SerializeToString
        ),
    }
    changes: Any = grpc.unary_unary_rpc_method_handler(
        lambda _request, _context: seen.changes.SerializeToString(), change_service_pb2.ListChangesRequest.FromString
    )
    for name, served in (("audit.v1.AuditService", handlers), ("events.v1.ChangeService", {"ListChanges": changes})):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"tongban.{name}", served),))
    return server, listening(server, folder, "identity")


def await_up(url: str, envoy: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and envoy.poll() is None:
        try:
            httpx.get(url, timeout=1, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("Envoy did not start")


def await_healthy(admin: int, ports: set[int]) -> None:
    """Waits until Envoy's own checks have found what stands at these ports: until then it answers 503 for it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        told = httpx.get(f"http://127.0.0.1:{admin}/clusters?format=json", timeout=PATIENCE, trust_env=False).json()
        hosts = [host for cluster in told["cluster_statuses"] for host in cluster.get("host_statuses", ())]
        ours = [each for each in hosts if each["address"].get("socket_address", {}).get("port_value") in ports]
        unhealthy = {"failed_active_health_check", "pending_active_hc", "failed_outlier_check"}
        if ours and not any(unhealthy & {key for key, on in each["health_status"].items() if on} for each in ours):
            return
        time.sleep(0.05)
    pytest.fail("Envoy found nothing healthy behind it")


def reason_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/json"
    details = answer.json()["details"]
    assert details[0]["domain"] == "tongban"
    assert details[-1]["locale"] == "zh-CN"
    return str(details[0]["reason"])


def logged(edge: Edge, mark: str) -> dict[str, Any]:
    """The line of the access log with ``mark`` in it, which is written within a second."""
    while True:
        for line in edge.log.read_text(encoding="utf-8", errors="replace").splitlines():
            if mark in line and line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        time.sleep(0.05)


def token_of(issuer: str, *, key: ECKey = KEY, lifetime: int = 60, client: str = "clients/a") -> str:
    now = int(time.time())
    who = {"sub": client, "client_id": client}
    claims = {"iss": issuer, "aud": "//341500", **who, "iat": now, "exp": now + lifetime}
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": str(key.kid)}, claims, key)


@contextmanager
def running_edge(
    folder: Path,
    *,
    frozen: bool = False,
    materials: bool = False,
    license_ports: tuple[int, ...] = (),
    origins: tuple[str, ...] = (),
    drain_seconds: int = 1,
    mtls: dict[str, Any] | None = None,
    **limits: int,
) -> Iterator[Edge]:
    """Runs Envoy before the small service; ends both.

    Args:
        folder: where its files lie.
        frozen: whether the token issuer's keys can't be read at first.
        materials: whether a licence service stands behind it.
        license_ports: where replicas of one stand already.
        origins: whose pages may call, beside ``ORIGIN``.
        mtls: the section of the listener for partners; None where there is none.
        drain_seconds: how long a configuration that another took the place of goes on.
        limits: the gateway's limits that are others than usual.
    """
    development.ensure(folder, _REGION, _PROCESSES)
    seen = Seen()
    seen.going.set()
    server, port = _service(folder, seen)
    servers = [server]
    if materials:
        behind, of_license = licences(folder)
        servers.append(behind)
        license_ports = (of_license,)
    jwks = KeyServer()
    if frozen:
        jwks.going.clear()
    threading.Thread(target=jwks.serve_forever).start()
    config = _config(folder, port, jwks.server_port, limits, origins)
    if mtls is not None:
        config = config.model_copy(update={"mtls": MtlsSection.model_validate(mtls)})
    if license_ports:
        config.neighbours["license"] = ",".join(f"127.0.0.1:{each}" for each in license_ports)
    envoy_config.write(config)
    command = (programs.envoy(), "-c", str(config.envoy.file), *_ENVOY, "--drain-time-s", str(drain_seconds))
    with (folder / "envoy.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as envoy:
        try:
            await_up(config.public.base_url, envoy)
            await_healthy(config.envoy.admin_port, {port, *license_ports})
            target = f"127.0.0.1:{config.http.port}"
            yield Edge(config.public.base_url, target, seen, jwks, config, folder / "envoy.log")
        finally:
            jwks.going.set()
            envoy.terminate()
            jwks.shutdown()
            jwks.server_close()
            seen.going.set()
            for each in servers:
                each.stop(None).wait()
