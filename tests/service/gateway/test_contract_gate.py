"""What the contract does not know is refused by name, before anything is done; what it knows passes."""

import json
import socket
from contextlib import closing
from http.client import HTTPResponse
from typing import Any

import httpx
import pytest

from services.gateway.contracts import read_image, services
from tests.support.edge import Edge, reason_of, token_of

_VERIFY = "/v1/licenses:verify"


@pytest.fixture
def bearer(edge: Edge) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(edge.url)}"}


def _violation(answer: httpx.Response) -> dict[str, Any]:
    details = answer.json()["details"]
    found = next(each for each in details if each["@type"].endswith("BadRequest"))["fieldViolations"]
    assert len(found) == 1
    violation: dict[str, Any] = found[0]
    return violation


@pytest.mark.parametrize(
    ("path", "body", "field", "rule"),
    [
        ("/v1/mandates", {"mandate": {"expireTmie": "2031-01-01T00:00:00Z"}}, "mandate.expireTmie", "json.unknown_field"),
        ("/v1/mandates", {"mandat": {}}, "mandat", "json.unknown_field"),
        ("/v1/licenses", {"holders": [{}, {"displayNam": "x"}]}, "holders[1].displayNam", "json.unknown_field"),
        ("/v1/licenses", {"holders": [{"document": {"x y": 1}}]}, "holders[0].document.x y", "json.unknown_field"),
        ("/v1/organizations", {"organization": {"kind": "FIRM"}}, "organization.kind", "enum.defined_only"),
    ],
)  # fmt: skip
def test_what_the_contract_does_not_know_is_named(
    client: httpx.Client, bearer: dict[str, str], path: str, body: object, field: str, rule: str
) -> None:
    answer = client.post(path, json=body, headers=bearer)
    assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")
    violation = _violation(answer)
    assert (violation["field"], violation["reason"]) == (field, rule)


def test_an_enum_s_values_are_named(client: httpx.Client, bearer: dict[str, str]) -> None:
    body = client.post("/v1/organizations", json={"organization": {"kind": "FIRM"}}, headers=bearer)
    query = client.get("/v1/cases?state=OPEN", headers=bearer)
    assert "ORGANIZATION_KIND_ENTERPRISE" in _violation(body)["description"]
    assert "CASE_STATE_DRAFT" in _violation(query)["description"]


@pytest.mark.parametrize(
    "body",
    [
        b"{'qrContent': 'x'}", b'{qrContent: "x"}', b'{"qrContent": "x",}', b'{"qrContent": NaN}', b"{} {}",
        b'{"qrContent": "x", "qrContent": "y"}', b'{"qrContent": "x", "qr_content": "y"}',
        b'{"qrContent": "x", "qr\\u0043ontent": "y"}', b'{"qr\\u0043ontnt": "y"}', b"[" * 5000, b'{"number":' * 50,
        b"[" + b"1," * 200_000 + b"1]", b'{"qrContent": "a\nb"}', b"\xef\xbb\xbf{}", b"nul", b'{"qrContent": 01x}',
        b'"qrContent', b"{\x00}",
    ],
)  # fmt: skip
def test_a_body_has_one_reading(client: httpx.Client, body: bytes) -> None:
    answer = client.post(_VERIFY, content=body[:90_000], headers={"content-type": "application/json"})
    assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")


@pytest.mark.parametrize(
    "body",
    [
        {"qrContent": "x"}, {"qr_content": "x"}, {"qrContent": None}, {"number": '\\"}{[', "holderName": "\u00e9中"}, {},
        {"content": "AAAA"},
    ],
)  # fmt: skip
def test_what_the_contract_knows_passes(client: httpx.Client, body: object) -> None:
    # The service behind is away: who gets so far has passed.
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False, indent=3)):
        answer = client.post(_VERIFY, content=text.encode(), headers={"content-type": "application/json"})
        assert (answer.status_code, reason_of(answer)) == (503, "DEPENDENCY_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"


def test_maps_and_lists_pass_with_any_key(client: httpx.Client, bearer: dict[str, str]) -> None:
    body = {"holders": [{"displayName": "x"}], "faceFields": {"KZ_JYCS": "x", "什么": "y"}, "number": "1"}
    answer = client.post("/v1/licenses", json=body, headers=bearer)
    assert reason_of(answer) == "DEPENDENCY_UNAVAILABLE"


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("DELETE", "/v1/mandates", "GET, POST"),
        ("GET", _VERIFY, "POST"),
        ("PUT", "/v1/cases/x:accept", "POST"),
        ("POST", "/v1/audit/identity/auditHead", "GET"),
    ],
)
def test_a_wrong_verb_is_405_and_the_right_ones_are_named(
    client: httpx.Client, verb: str, path: str, allowed: str
) -> None:
    answer = client.request(verb, path)
    assert (answer.status_code, reason_of(answer)) == (405, "ROUTE_NOT_FOUND")
    assert answer.headers["allow"] == allowed


def test_no_token_is_told_before_anything_else_of_every_method(client: httpx.Client) -> None:
    """401 comes before 400: a stranger does not learn what is wrong with the request."""
    closed = [rpc for service in services(read_image()) for rpc in service.public_rpcs if not rpc.access.public]
    assert closed
    for rpc in closed:
        for verb, template, body in rpc.http:
            path = _path(template)
            content = {"content": b'{"nonsense": ', "headers": {"content-type": "application/json"}} if body else {}
            answer = client.request(verb, f"{path}?nonsense=1", **content)  # type: ignore[arg-type]
            assert (answer.status_code, reason_of(answer)) == (401, "TOKEN_MISSING"), rpc.path


def _path(template: str) -> str:
    while "{" in template:
        start, end = template.index("{"), template.index("}")
        _, _, pattern = template[start + 1 : end].partition("=")
        template = template[:start] + (pattern or "*").replace("*", "x") + template[end + 1 :]
    return template


def test_an_unknown_field_is_refused_by_every_method_that_takes_a_body(
    client: httpx.Client, bearer: dict[str, str]
) -> None:
    for service in services(read_image()):
        for rpc in service.public_rpcs:
            for verb, template, body in rpc.http:
                if body:
                    unknown: Any = {"misspelt": 1}
                    given = [unknown] if rpc.descriptor.client_streaming else unknown
                    answer = client.request(verb, _path(template), json=given, headers=bearer)
                    assert _violation(answer)["field"].endswith("misspelt"), rpc.path


def test_an_unknown_parameter_is_refused_by_every_method(client: httpx.Client, bearer: dict[str, str]) -> None:
    for service in services(read_image()):
        for rpc in service.public_rpcs:
            for verb, template, _ in rpc.http:
                answer = client.request(verb, f"{_path(template)}?misspelt=1", headers=bearer)
                assert _violation(answer)["field"] == "misspelt", rpc.path


def _raw(edge: Edge, request: bytes) -> tuple[int, str, bytes]:
    host, _, port = edge.target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        with closing(HTTPResponse(connection)) as answer:
            answer.begin()
            return answer.status, answer.getheader("content-type", ""), answer.read()


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /v1/cases HTTP/1.0\r\n\r\n",
        b"POST /v1/cases HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: gzip\r\n\r\n",
        b"GET /v1/cases HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 200-maybe\r\n\r\n",
        b"GET /v1/cases HTTP/1.1\r\nconnection: close\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\nconnection: close\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-large: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /v1/cases HTTP/1.1\r\nhost: x\r\nconnection: close\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ],
    ids=["HTTP/1.0", "transfer coding", "expect", "no host", "CONNECT", "large header", "upgrade"],
)
def test_no_answer_of_the_edge_is_plain_text(edge: Edge, request_line: bytes) -> None:
    status, kind, body = _raw(edge, request_line)
    assert 400 <= status < 500
    assert kind == "application/json"
    assert json.loads(body)["details"][0]["domain"] == "tongban"
