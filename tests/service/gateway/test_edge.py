"""The real Envoy with the generated configuration: JSON and gRPC on one port, tokens, and refusals that are typed."""

from typing import Any

import grpc
import httpx
import pytest
from google.rpc import status_pb2
from joserfc.jwk import ECKey

from libs.rpc import status
from tests.support.edge import HEAD, Edge, reason_of, token_of
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2


def test_json_becomes_grpc_and_back(client: httpx.Client) -> None:
    answer = client.get("/v1/audit/identity/auditHead")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["name"], body["treeSize"], body["rootHash"]) == ("identity/auditHead", "7", "AQI=")


def test_a_service_s_typed_error_arrives_whole(client: httpx.Client, edge: Edge) -> None:
    name = f"identity/auditRecords/{'0' * 36}"
    answer = client.get(f"/v1/audit/{name}", headers={"authorization": f"Bearer {token_of(edge.url)}"})
    assert answer.status_code == 404
    assert reason_of(answer) == "RESOURCE_NOT_FOUND"
    assert answer.json()["details"][0]["metadata"] == {"resource": name}


@pytest.mark.parametrize(
    ("verb", "path", "code", "reason"),
    [
        ("GET", "/v1/nothing/here", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/nothing", 404, "ROUTE_NOT_FOUND"),
        ("POST", "/v1/audit/identity/auditHead", 405, "ROUTE_NOT_FOUND"),
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
    assert reason_of(answer) == reason


def test_a_body_past_the_limit_is_typed(client: httpx.Client) -> None:
    answer = client.post("/v1/licenses:verify", json={"qrContent": "x" * 200_000})
    assert answer.status_code == 413
    assert reason_of(answer) == "MESSAGE_TOO_LARGE"


def test_broken_json_is_typed(client: httpx.Client) -> None:
    answer = client.post("/v1/licenses:verify", content=b'{"qrContent": ', headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert reason_of(answer) == "FIELD_INVALID"


def test_a_good_token_passes_and_reaches_the_service(client: httpx.Client, edge: Edge) -> None:
    token = token_of(edge.url)
    answer = client.get("/v1/audit/identity/auditHead", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert edge.seen.metadata[-1]["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("fault", ["form", "key", "issuer", "expired"])
def test_a_bad_token_is_refused_even_where_none_is_needed(client: httpx.Client, edge: Edge, fault: str) -> None:
    tokens = {
        "form": "nonsense",
        "key": token_of(edge.url, key=ECKey.generate_key("P-256", {"kid": "k1"})),
        "issuer": token_of("http://127.0.0.1:1"),
        "expired": token_of(edge.url, lifetime=-3600),
    }
    answer = client.get("/v1/audit/identity/auditHead", headers={"authorization": f"Bearer {tokens[fault]}"})
    assert answer.status_code == 401
    assert reason_of(answer) == "TOKEN_INVALID"


def test_internal_headers_do_not_come_in_and_the_trace_does(client: httpx.Client, edge: Edge) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    client.get("/v1/audit/identity/auditHead", headers={"x-tongban-peer": "cases", "traceparent": trace})
    assert "x-tongban-peer" not in edge.seen.metadata[-1]
    assert edge.seen.metadata[-1]["traceparent"] == trace


def _call(edge: Edge, path: str, *, log: str = "") -> bytes:
    request = audit_service_pb2.GetAuditHeadRequest(name=f"{log}/auditHead" if log else "").SerializeToString()
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(path)
        answer: bytes = call(request, timeout=PATIENCE)
        return answer


def test_grpc_passes_on_the_same_port(edge: Edge) -> None:
    answer = audit_service_pb2.AuditHead.FromString(_call(edge, HEAD, log="identity"))
    assert answer.tree_size == 7


@pytest.mark.parametrize(
    ("path", "log", "code", "reason"),
    [
        ("/tongban.nothing.v1.Service/Method", "", grpc.StatusCode.NOT_FOUND, "ROUTE_NOT_FOUND"),
        (HEAD, "seal", grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"),
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


@pytest.mark.parametrize(("path", "code"), [("/nothing", 404), ("/v1/nothing", 404), ("/verify", 503)])
def test_in_a_browser_what_is_not_there_is_a_page(client: httpx.Client, path: str, code: int) -> None:
    answer = client.get(path, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.status_code == code
    assert answer.headers["content-type"] == "text/html; charset=UTF-8"
    assert "返回首页" in answer.text
    assert "width: 100%;" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
