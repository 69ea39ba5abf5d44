"""The real Envoy with the generated configuration, in front of a small gRPC server that stands for the services."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import status_pb2
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local import programs
from deploy.pki import development
from libs.errors import NotFound
from libs.rpc import status
from services.gateway import envoy_config
from services.gateway.config import GatewayConfig
from tests.support.ports import free_port
from tongban.audit.v1 import audit_service_pb2

_REGION = "341500"
_PROCESSES = ("identity", "license", "seal", "cases", "sharing", "gateway")
_HEAD = "/tongban.audit.v1.AuditService/GetHead"
_KEY = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})


@dataclass
class Seen:
    """What reached the service."""

    metadata: list[dict[str, str]] = field(default_factory=list)


class Audit:
    """Answers one method of the audit service, and refuses another as our services do."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def GetHead(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._seen.metadata.append(dict(context.invocation_metadata()))
        return audit_service_pb2.SignedHead(log=request.log, tree_size=7, root_hash=b"\x01\x02")

    def GetRecord(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        error = NotFound("RESOURCE_NOT_FOUND", "no such record", resource=request.name)
        context.set_trailing_metadata(((status.DETAILS_KEY, status.to_status(error).SerializeToString()),))
        context.abort(grpc.StatusCode.NOT_FOUND, error.message)


class Jwks(BaseHTTPRequestHandler):
    """Publishes the key of the token issuer."""

    def do_GET(self) -> None:
        body = json.dumps({"keys": [_KEY.as_dict(private=False)]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@dataclass(frozen=True)
class Edge:
    """A running gateway."""

    url: str
    target: str
    seen: Seen


def _config(folder: Path, service_port: int, jwks_port: int) -> GatewayConfig:
    http, away = free_port(), free_port()
    base = f"http://127.0.0.1:{http}"
    neighbours = dict.fromkeys(("license", "seal", "cases", "sharing"), f"127.0.0.1:{away}")
    return GatewayConfig.model_validate(
        {
            "region": {"code": _REGION, "name": "六安市"},
            "http": {"port": http},
            "tls": {"ca": folder / "ca.pem", "cert": folder / "gateway.pem", "key": folder / "gateway.key"},
            "identity": {"address": "-", "issuer": base, "jwks_url": f"http://127.0.0.1:{jwks_port}/jwks.json"},
            "pages": {"port": away, "reflection_port": away},
            "envoy": {"admin_port": free_port(), "file": folder / "envoy.json"},
            "public": {"base_url": base},
            "neighbours": neighbours | {"identity": f"127.0.0.1:{service_port}"},
            "limits": {"request_bytes": 100_000},
        }
    )


def _service(folder: Path, seen: Seen) -> tuple[grpc.Server, int]:
    server = grpc.server(ThreadPoolExecutor(4))
    audit, requests = Audit(seen), audit_service_pb2
    handlers: dict[str, Any] = {
        "GetHead": grpc.unary_unary_rpc_method_handler(
            audit.GetHead, requests.GetHeadRequest.FromString, requests.SignedHead.SerializeToString
        ),
        "GetRecord": grpc.unary_unary_rpc_method_handler(
            audit.GetRecord, requests.GetRecordRequest.FromString, requests.Record.SerializeToString
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tongban.audit.v1.AuditService", handlers),))
    pair = (folder / "identity.key").read_bytes(), (folder / "identity.pem").read_bytes()
    authority = (folder / "ca.pem").read_bytes()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], authority, True))
    server.start()
    return server, port


def _await(url: str, envoy: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and envoy.poll() is None:
        try:
            httpx.get(url, timeout=1, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("Envoy did not start")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    development.ensure(folder, _REGION, _PROCESSES)
    seen = Seen()
    server, port = _service(folder, seen)
    jwks = ThreadingHTTPServer(("127.0.0.1", 0), Jwks)
    threading.Thread(target=jwks.serve_forever).start()
    config = _config(folder, port, jwks.server_port)
    envoy_config.write(config)
    command = (programs.envoy(), "-c", str(config.envoy.file), "--disable-hot-restart", "--concurrency", "1")
    with (folder / "envoy.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as envoy:
        try:
            _await(config.public.base_url, envoy)
            yield Edge(config.public.base_url, f"127.0.0.1:{config.http.port}", seen)
        finally:
            envoy.terminate()
            jwks.shutdown()
            jwks.server_close()
            server.stop(None).wait()


@pytest.fixture
def client(edge: Edge) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=edge.url, timeout=5, trust_env=False) as opened:
        yield opened


def _reason(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/json"
    details = answer.json()["details"]
    assert details[0]["domain"] == "tongban"
    assert details[-1]["locale"] == "zh-CN"
    return str(details[0]["reason"])


def _token(issuer: str, *, key: ECKey = _KEY, lifetime: int = 60) -> str:
    now = int(time.time())
    claims = {"iss": issuer, "aud": "//341500", "sub": "clients/a", "iat": now, "exp": now + lifetime}
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "k1"}, claims, key)


def test_json_becomes_grpc_and_back(client: httpx.Client) -> None:
    answer = client.get("/v1/audit/identity/auditHead")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["log"], body["treeSize"], body["rootHash"]) == ("identity", "7", "AQI=")


def test_a_service_s_typed_error_arrives_whole(client: httpx.Client) -> None:
    name = f"identity/auditRecords/{'0' * 36}"
    answer = client.get(f"/v1/audit/{name}")
    assert answer.status_code == 404
    assert _reason(answer) == "RESOURCE_NOT_FOUND"
    assert answer.json()["details"][0]["metadata"] == {"resource": name}


@pytest.mark.parametrize(
    ("verb", "path", "code", "reason"),
    [
        ("GET", "/v1/nothing/here", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/nothing", 404, "ROUTE_NOT_FOUND"),
        ("POST", "/v1/audit/identity/auditHead", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/v1/audit/unknown/auditHead", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/v1/audit/identity/auditHead?nothing=1", 400, "FIELD_INVALID"),
        ("GET", "/v1/audit/identity/auditHead?treeSize=many", 400, "FIELD_INVALID"),
        ("GET", "/v1/audit/identity%2FauditHead", 400, "FIELD_INVALID"),
        ("GET", "/v1/audit/seal/auditHead", 503, "DEPENDENCY_UNAVAILABLE"),
        ("GET", "/docs", 503, "DEPENDENCY_UNAVAILABLE"),
    ],
)
def test_the_edge_s_own_refusals_are_typed(client: httpx.Client, verb: str, path: str, code: int, reason: str) -> None:
    answer = client.request(verb, path)
    assert answer.status_code == code
    assert _reason(answer) == reason


def test_a_body_past_the_limit_is_typed(client: httpx.Client) -> None:
    answer = client.post("/v1/licenses:verify", json={"qrContent": "x" * 200_000})
    assert answer.status_code == 413
    assert _reason(answer) == "MESSAGE_TOO_LARGE"


def test_broken_json_is_typed(client: httpx.Client) -> None:
    answer = client.post("/v1/licenses:verify", content=b'{"qrContent": ', headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert _reason(answer) == "FIELD_INVALID"


def test_a_good_token_passes_and_reaches_the_service(client: httpx.Client, edge: Edge) -> None:
    token = _token(edge.url)
    answer = client.get("/v1/audit/identity/auditHead", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert edge.seen.metadata[-1]["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("fault", ["form", "key", "issuer", "expired"])
def test_a_bad_token_is_refused_even_where_none_is_needed(client: httpx.Client, edge: Edge, fault: str) -> None:
    tokens = {
        "form": "nonsense",
        "key": _token(edge.url, key=ECKey.generate_key("P-256", {"kid": "k1"})),
        "issuer": _token("http://127.0.0.1:1"),
        "expired": _token(edge.url, lifetime=-3600),
    }
    answer = client.get("/v1/audit/identity/auditHead", headers={"authorization": f"Bearer {tokens[fault]}"})
    assert answer.status_code == 401
    assert _reason(answer) == "TOKEN_INVALID"


def test_internal_headers_do_not_come_in_and_the_trace_does(client: httpx.Client, edge: Edge) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    client.get("/v1/audit/identity/auditHead", headers={"x-tongban-peer": "cases", "traceparent": trace})
    assert "x-tongban-peer" not in edge.seen.metadata[-1]
    assert edge.seen.metadata[-1]["traceparent"] == trace


def _call(edge: Edge, path: str, *, log: str = "") -> bytes:
    request = audit_service_pb2.GetHeadRequest(log="identity").SerializeToString()
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(path)
        answer: bytes = call(request, timeout=5, metadata=[("tongban-log", log)] if log else [])
        return answer


def test_grpc_passes_on_the_same_port(edge: Edge) -> None:
    answer = audit_service_pb2.SignedHead.FromString(_call(edge, _HEAD, log="identity"))
    assert answer.tree_size == 7


@pytest.mark.parametrize(
    ("path", "log", "code", "reason"),
    [
        ("/tongban.nothing.v1.Service/Method", "", grpc.StatusCode.NOT_FOUND, "ROUTE_NOT_FOUND"),
        (_HEAD, "", grpc.StatusCode.NOT_FOUND, "ROUTE_NOT_FOUND"),
        (_HEAD, "seal", grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"),
    ],
)
def test_grpc_refusals_are_typed(edge: Edge, path: str, log: str, code: grpc.StatusCode, reason: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        _call(edge, path, log=log)
    error: Any = refused.value
    assert error.code() is code
    details = dict(error.trailing_metadata())[status.DETAILS_KEY]
    assert status.from_status(status_pb2.Status.FromString(details)).reason == reason


def test_every_internal_rpc_is_out_of_reach(edge: Edge) -> None:
    from services.gateway.contracts import read_image, services  # noqa: PLC0415 - only this test reads the contracts

    internal = [rpc.path for service in services(read_image()) for rpc in service.rpcs if rpc.internal]
    assert internal
    for path in internal:
        with pytest.raises(grpc.RpcError) as refused:
            _call(edge, path)
        error: Any = refused.value
        assert error.code() is grpc.StatusCode.NOT_FOUND
