"""404, 405, 415 and 426 are told apart, typed, and say what is taken instead: over JSON, gRPC and gRPC-Web."""

import base64
import json
import socket
from contextlib import closing
from http.client import HTTPMessage, HTTPResponse
from typing import Any

import httpx
import pytest
from google.rpc import status_pb2

from libs.rpc import status
from services.gateway.contract_gate import GRPC_TAKEN
from tests.support.edge import HEAD, ORIGIN, Edge, reason_of, token_of

_VERIFY = "/v1/licenses:verify"
_JSON_HEAD = "/v1/audit/identity/auditHead"
_UPGRADE = "connection: upgrade\r\nupgrade: {}\r\n"


def _taken(answer: httpx.Response) -> str:
    return str(answer.json()["details"][0]["metadata"]["taken"])


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/merge-patch+json",
        "application/json; charset=gbk",
        'application/json; x=1; charset="GB18030"',
        "application/jsonp",
        "x",
    ],
)
def test_a_body_that_is_no_json_is_415(client: httpx.Client, kind: str) -> None:
    answer = client.post(_VERIFY, content=b'{"qrContent": "x"}', headers={"content-type": kind})
    assert (answer.status_code, reason_of(answer)) == (415, "MEDIA_TYPE_NOT_TAKEN")
    assert (answer.headers["accept-post"], _taken(answer)) == ("application/json",) * 2


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; charset=utf8",
    ],
)
def test_what_is_json_by_its_name_or_without_one_passes(client: httpx.Client, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = client.post(_VERIFY, content=b'{"qrContent": "x"}', headers=headers)
    assert reason_of(answer) == "DEPENDENCY_UNAVAILABLE", "the service behind is away"


def test_a_body_that_is_coded_is_415(client: httpx.Client) -> None:
    """The gate reads bodies; one that it can't read would pass it by."""
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = client.post(_VERIFY, content=b"{}", headers=headers)
    assert (answer.status_code, reason_of(answer), _taken(answer)) == (415, "MEDIA_TYPE_NOT_TAKEN", "identity")
    assert answer.headers["accept-encoding"] == "identity"


def test_what_takes_no_body_does_not_look_at_its_media_type(client: httpx.Client) -> None:
    assert client.get(_JSON_HEAD, headers={"content-type": "text/plain"}).status_code == 200


def test_a_stranger_is_told_nothing_but_that_a_token_is_missing(client: httpx.Client) -> None:
    answer = client.post("/v1/organizations", content=b"x", headers={"content-type": "text/plain"})
    assert (answer.status_code, reason_of(answer)) == (401, "TOKEN_MISSING")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/proto", None])
def test_a_path_of_grpc_takes_grpc(client: httpx.Client, kind: str | None) -> None:
    answer = client.post(HEAD, content=b"{}", headers={"content-type": kind} if kind else {})
    assert (answer.status_code, reason_of(answer)) == (415, "MEDIA_TYPE_NOT_TAKEN")
    assert (answer.headers["accept-post"], _taken(answer)) == (GRPC_TAKEN,) * 2


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_a_path_of_grpc_is_posted_to(client: httpx.Client, verb: str) -> None:
    answer = client.request(verb, HEAD)
    assert (answer.status_code, reason_of(answer), answer.headers["allow"]) == (405, "ROUTE_NOT_FOUND", "POST")


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/tongban.audit.v1.AuditService/Nothing"),
        ("POST", "/tongban.audit.v1.AuditService/GetAuditHead/x"),
        ("POST", "/tongban.identity.v1.TrustService/ListTrustedKeys"),
        ("GET", "/nothing"),
        ("DELETE", "/docs/x"),
        ("OPTIONS", "/v1/nothing"),
        ("POST", "/v1"),
    ],
)
def test_an_unknown_path_is_404(client: httpx.Client, verb: str, path: str) -> None:
    """Also one that only services of the region may call: it is to nobody else."""
    answer = client.request(verb, path, headers={"content-type": "application/json"})
    assert (answer.status_code, reason_of(answer)) == (404, "ROUTE_NOT_FOUND")


# ---- other protocols ----


def _raw(edge: Edge, request: str) -> tuple[int, HTTPMessage, Any]:
    host, _, port = edge.target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request.encode())
        with closing(HTTPResponse(connection)) as answer:
            answer.begin()
            return answer.status, answer.headers, json.loads(answer.read())


@pytest.mark.parametrize("path", [_JSON_HEAD, "/docs", "/nothing", HEAD, "/oauth/token"])
@pytest.mark.parametrize("protocol", ["websocket", "TLS/1.2", "x"])
def test_another_protocol_is_426_wherever_it_is_asked_for(edge: Edge, path: str, protocol: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\n{_UPGRADE.format(protocol)}\r\n"
    code, headers, told = _raw(edge, request)
    assert (code, headers["content-type"], headers["upgrade"]) == (426, "application/json", "HTTP/1.1, HTTP/2.0")
    assert told["details"][0]["reason"] == "PROTOCOL_NOT_TAKEN"
    assert told["details"][0]["metadata"] == {"taken": "HTTP/1.1, HTTP/2.0"}


def test_http_1_0_is_426(edge: Edge) -> None:
    """Envoy takes Upgrade out of an answer to who asked for none; the body tells what is spoken."""
    code, _, told = _raw(edge, f"GET {_JSON_HEAD} HTTP/1.0\r\n\r\n")
    assert (code, told["details"][0]["reason"]) == (426, "PROTOCOL_NOT_TAKEN")
    assert told["details"][0]["metadata"] == {"taken": "HTTP/1.1, HTTP/2.0"}


def test_who_could_speak_http_2_goes_on_in_http_1(edge: Edge) -> None:
    """h2c by upgrade is no more (RFC 9113, 3.1); who offers it gets its answer all the same."""
    offer = "connection: upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
    code, _, told = _raw(edge, f"GET {_JSON_HEAD} HTTP/1.1\r\nhost: x\r\n{offer}\r\n")
    assert (code, told["name"]) == (200, "identity/auditHead")


# ---- other origins ----


def _preflight(client: httpx.Client, path: str, origin: str) -> httpx.Response:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    return client.options(path, headers=headers | {"access-control-request-headers": "authorization, content-type"})


_EVERYWHERE = [_VERIFY, HEAD, "/oauth/token", "/content/license/uploads/x", "/docs", "/nothing"]


@pytest.mark.parametrize("path", _EVERYWHERE[:-1])
def test_a_page_of_the_list_is_told_what_it_may(client: httpx.Client, path: str) -> None:
    answer = _preflight(client, path, ORIGIN)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", _EVERYWHERE)
@pytest.mark.parametrize("origin", ["https://evil.example", f"{ORIGIN}.evil.example", "null", "*", ORIGIN.upper()])
def test_a_page_of_another_origin_reaches_no_service(client: httpx.Client, path: str, origin: str) -> None:
    """Behind /oauth, /content and /docs nothing runs here: what was let through would be 503."""
    answer = _preflight(client, path, origin)
    assert (answer.status_code, reason_of(answer)) == (403, "ORIGIN_NOT_ALLOWED")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_where_nothing_is_a_page_of_the_list_is_told_so(client: httpx.Client) -> None:
    assert reason_of(_preflight(client, "/nothing", ORIGIN)) == "ROUTE_NOT_FOUND"


def test_an_answer_is_read_by_pages_of_the_list_alone(client: httpx.Client) -> None:
    told, hidden = (client.get(_JSON_HEAD, headers={"origin": each}) for each in (ORIGIN, "https://evil.example"))
    assert told.headers["access-control-allow-origin"] == ORIGIN
    assert "retry-after" in told.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in hidden.headers


# ---- gRPC-Web ----


@pytest.mark.parametrize("kind", ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text"])
@pytest.mark.parametrize(
    ("verb", "path", "token", "code", "reason"),
    [
        ("POST", "/tongban.nothing.v1.Service/Method", "", "5", "ROUTE_NOT_FOUND"),
        ("GET", HEAD, "", "5", "ROUTE_NOT_FOUND"),
        ("POST", "/v1/licenses:verify", "", "5", "ROUTE_NOT_FOUND"),
        ("POST", HEAD, "none", "16", "TOKEN_INVALID"),
        ("POST", "/tongban.seal.v1.SealService/GetSeal", "", "14", "DEPENDENCY_UNAVAILABLE"),
        ("POST", "/tongban.audit.v1.AuditService/GetAuditRecord", "good", "5", "RESOURCE_NOT_FOUND"),
    ],
)
def test_grpc_web_is_refused_as_grpc_is(
    client: httpx.Client, edge: Edge, kind: str, verb: str, path: str, token: str, code: str, reason: str
) -> None:
    given = {"good": token_of(edge.url), "none": "none"}.get(token)
    message = b"AAAAAAA=" if kind.endswith("text") else b"\0\0\0\0\0"
    headers = {"content-type": kind} | ({"authorization": f"Bearer {given}"} if given else {})
    answer = client.request(verb, path, content=message, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/grpc-web")
    told = _trailers(answer)
    assert (told["grpc-status"], _reason_in(told)) == (code, reason)
    assert told["grpc-message"]


def _trailers(answer: httpx.Response) -> dict[str, str]:
    """What stands in headers where an answer has nothing else (Trailers-Only), or in its last frame."""
    if "grpc-status" in answer.headers:
        assert answer.content == b""
        return dict(answer.headers)
    text = answer.headers["content-type"].startswith("application/grpc-web-text")
    content = base64.b64decode(answer.content) if text else answer.content
    assert content[0] == 0x80, "no message comes before a refusal"
    lines = content[5:].decode().strip().split("\r\n")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _reason_in(told: dict[str, str]) -> str:
    details = base64.b64decode(told[status.DETAILS_KEY] + "==")
    return status.from_status(status_pb2.Status.FromString(details)).reason
