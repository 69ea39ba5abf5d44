"""What the contract does not know is refused by name, before anything is done; what it knows passes."""

import base64
import json
import socket
from contextlib import closing
from http.client import HTTPResponse
from typing import Any

import httpx
import pytest
from google.rpc import status_pb2

from libs.rpc import status
from services.gateway.contracts import read_image, services
from tests.support.edge import Edge, reason_of
from tests.support.gate import path_like, violation_of, violations_of

_VERIFY = "/v1/licenses:verify"


def _metadata(answer: httpx.Response) -> dict[str, str]:
    found: dict[str, str] = answer.json()["details"][0].get("metadata", {})
    return found


@pytest.mark.parametrize(
    ("path", "body", "field", "rule"),
    [
        (
            "/v1/mandates",
            {"mandate": {"expireTmie": "2031-01-01T00:00:00Z"}},
            "mandate.expireTmie",
            "json.unknown_field",
        ),
        ("/v1/mandates", {"mandat": {}}, "mandat", "json.unknown_field"),
        ("/v1/licenses", {"holders": [{}, {"displayNam": "x"}]}, "holders[1].displayNam", "json.unknown_field"),
        ("/v1/licenses", {"holders": [{"document": {"x y": 1}}]}, "holders[0].document.x y", "json.unknown_field"),
        # A literal path with another verb (`license/uploads:append`) hides none that may be anything.
        ("/v1/uploads/license/uploads", {"nonsense": 1}, "nonsense", "json.unknown_field"),
        ("/v1/organizations", {"organization": {"kind": "FIRM"}}, "organization.kind", "enum.defined_only"),
    ],
)
def test_what_the_contract_does_not_know_is_named(
    client: httpx.Client, bearer: dict[str, str], path: str, body: object, field: str, rule: str
) -> None:
    answer = client.post(path, json=body, headers=bearer)
    assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")
    violation = violation_of(answer)
    assert (violation["field"], violation["reason"]) == (field, rule)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/statistics:query", {"dimensions": [None]}, "dimensions[0]"),
        ("/v1/licenses", {"holders": [{}, None]}, "holders[1]"),
        ("/v1/licenses", {"faceFields": {"KZ_A": None}}, "faceFields.KZ_A"),
        ("/v1/licenses:verifyLicenses", [{}, None], "[1]"),
    ],
)
def test_null_is_no_element_and_no_entry(
    client: httpx.Client, bearer: dict[str, str], path: str, body: object, field: str
) -> None:
    """The JSON mapping takes null for a field that is not there; where nothing can be not there the transcoder would guess."""
    violation = violation_of(client.post(path, json=body, headers=bearer))
    assert (violation["field"], violation["reason"]) == (field, "json.null")


def test_null_beside_what_is_chosen_is_not_there(client: httpx.Client) -> None:
    """It passes the gate and the transcoder; behind them nothing answers."""
    assert reason_of(client.post(_VERIFY, json={"digest": None, "number": None})) == "DEPENDENCY_UNAVAILABLE"
    assert reason_of(client.post(_VERIFY, json={"identifier": "1", "digest": None})) == "DEPENDENCY_UNAVAILABLE"


def test_an_enum_s_values_are_named(client: httpx.Client, bearer: dict[str, str]) -> None:
    body = client.post("/v1/organizations", json={"organization": {"kind": "FIRM"}}, headers=bearer)
    query = client.get("/v1/seals/00000000-0000-7000-8000-000000000001:picture?format=JPEG", headers=bearer)
    assert "PARTY_KIND_ENTERPRISE" in violation_of(body)["description"]
    assert "PICTURE_FORMAT_PNG" in violation_of(query)["description"]


def test_everything_that_is_wrong_is_named_at_once(client: httpx.Client, bearer: dict[str, str]) -> None:
    body = {"organization": {"kind": "FIRM", "usccc": {"a": [1]}, "representative": "x"}, "organisation": {}}
    answer = client.post("/v1/organizations?validateOnly=1", json=body, headers=bearer)
    assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")
    assert [each["field"] for each in violations_of(answer)] == [
        "validateOnly",
        "organization.kind",
        "organization.usccc",
        "organization.representative",
        "organisation",
    ]
    assert "omitted_violations" not in _metadata(answer)


def test_twenty_are_named_and_the_others_counted(client: httpx.Client, bearer: dict[str, str]) -> None:
    answer = client.post("/v1/organizations", json={f"misspelt{n}": {} for n in range(37)}, headers=bearer)
    assert [each["field"] for each in violations_of(answer)] == [f"misspelt{n}" for n in range(20)]
    assert _metadata(answer) == {"omitted_violations": "17"}


_KIND = "/v1/organizations"


@pytest.mark.parametrize("kind", [2, 2.0, "PARTY_KIND_ENTERPRISE", None])
def test_an_enum_is_given_by_name_or_by_number(client: httpx.Client, bearer: dict[str, str], kind: object) -> None:
    """As the JSON mapping of proto3 has it; the stub behind knows no such method, so who gets so far has passed."""
    assert client.post(_KIND, json={"organization": {"kind": kind}}, headers=bearer).status_code == 501


@pytest.mark.parametrize("kind", ["99", "-1", "1.5", "1e2", "99999999999", "true", '"1"', '"PARTY_KIND"', '""'])
def test_a_number_that_no_value_has_is_named(client: httpx.Client, bearer: dict[str, str], kind: str) -> None:
    answer = client.post(_KIND, content=f'{{"organization": {{"kind": {kind}}}}}'.encode(), headers=bearer)
    violation = violation_of(answer)
    assert (violation["field"], violation["reason"]) == ("organization.kind", "enum.defined_only")
    assert "PARTY_KIND_ENTERPRISE" in violation["description"]


@pytest.mark.parametrize("value", ["99", "-1", "PICTURE_FORMAT"])
def test_a_parameter_s_number_that_no_value_has_is_named(
    client: httpx.Client, bearer: dict[str, str], value: str
) -> None:
    violation = violation_of(
        client.get(f"/v1/seals/00000000-0000-7000-8000-000000000001:picture?format={value}", headers=bearer)
    )
    assert (violation["field"], violation["reason"]) == ("format", "enum.defined_only")


@pytest.mark.parametrize(
    "body",
    [
        b'{"qrContent": "\\q"}',
        b'{"qrContent": "\\ud800"}',
        b'{"qrContent": "\\udc00\\ud800"}',
        b'{"qrContent": "\\u12"}',
        b'{"qrContent": "\\ud800\\u0041"}',
        b'{"\\x": 1}',
        b"{'qrContent': 'x'}",
        b'{qrContent: "x"}',
        b'{"qrContent": "x",}',
        b'{"qrContent": NaN}',
        b"{} {}",
        b'{"qrContent": "x", "qrContent": "y"}',
        b'{"qrContent": "x", "qr_content": "y"}',
        b'{"qrContent": "x", "qr\\u0043ontent": "y"}',
        b'{"qr\\u0043ontnt": "y"}',
        b"[" * 5000,
        b'{"number":' * 50,
        b"[" + b"1," * 200_000 + b"1]",
        b'{"qrContent": "a\nb"}',
        b"\xef\xbb\xbf{}",
        b"nul",
        b'{"qrContent": 01x}',
        b'"qrContent',
        b"{\x00}",
    ],
)
def test_a_body_has_one_reading(client: httpx.Client, body: bytes) -> None:
    answer = client.post(_VERIFY, content=body[:90_000], headers={"content-type": "application/json"})
    assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")


@pytest.mark.parametrize(
    "body",
    [
        {"qrContent": "x"},
        {"qr_content": "x"},
        {"qrContent": None},
        {"number": '\\"}{[', "holderName": "\u00e9中"},
        {},
        {"content": "AAAA"},
        {"number": "\x7f\U00020bb7\r\n\t"},
    ],
)
def test_what_the_contract_knows_passes(client: httpx.Client, body: object) -> None:
    # The service behind is away: who gets so far has passed.
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False, indent=3)):
        answer = client.post(_VERIFY, content=text.encode(), headers={"content-type": "application/json"})
        assert (answer.status_code, reason_of(answer)) == (503, "DEPENDENCY_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"


_DRAFT = "/v1/licenseTypes/01a21762-84cb-7138-8c24-85df5072514d"


def test_a_draft_is_changed_by_patch_and_thrown_away_by_delete(client: httpx.Client, bearer: dict[str, str]) -> None:
    """The resource's name stands in the path, and nowhere else; a DELETE has no body, and says the rest in its query."""
    asked = {"updateMask": "displayName", "etag": '"1"', "requestId": "00000000-0000-4000-8000-000000000001"}
    body = {"licenseType": {"displayName": "新"}, **asked}
    assert reason_of(client.patch(_DRAFT, json=body, headers=bearer)) == "DEPENDENCY_UNAVAILABLE"
    for name in ("name", "licenseType"):
        twice = body | {"licenseType": {"displayName": "新", name: "licenseTypes/x"}}
        answer = client.patch(_DRAFT, json=twice, headers=bearer)
        assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")
        assert f"licenseType.{name}" in answer.text
    query = {"etag": '"1"', "requestId": asked["requestId"]}
    assert reason_of(client.delete(_DRAFT, params=query, headers=bearer)) == "DEPENDENCY_UNAVAILABLE"
    answer = client.delete(_DRAFT, params=query | {"name": "licenseTypes/x"}, headers=bearer)
    assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")


def test_maps_and_lists_pass_with_any_key(client: httpx.Client, bearer: dict[str, str]) -> None:
    row = {"recordValue": {"fields": {"name": {"stringValue": "x"}, "什么": {"intValue": "1"}}}}
    faces = {"KZ_JYCS": {"stringValue": "x"}, "什么": {"listValue": {"values": [row]}}}
    body = {"holders": [{"displayName": "x"}], "faceFields": faces, "number": "1"}
    answer = client.post("/v1/licenses", json=body, headers=bearer)
    assert reason_of(answer) == "DEPENDENCY_UNAVAILABLE"


def test_a_value_of_no_kind_is_named_however_deep_it_stands(client: httpx.Client, bearer: dict[str, str]) -> None:
    row = {"recordValue": {"fields": {"name": {"text": "x"}}}}
    body = {"faceFields": {"KZ_JTCY": {"listValue": {"values": [row]}}}}
    answer = client.post("/v1/licenses", json=body, headers=bearer)
    assert (answer.status_code, reason_of(answer)) == (400, "FIELD_INVALID")
    assert "faceFields.KZ_JTCY.listValue.values[0].recordValue.fields.name.text" in answer.text


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("DELETE", "/v1/mandates", "GET, POST"),
        ("GET", _VERIFY, "POST"),
        ("PUT", "/v1/cases/x:accept", "POST"),
        ("POST", "/v1/audit/identity/auditHead", "GET"),
        ("TRACE", "/v1/audit/identity/auditHead", "GET"),
        ("PATCH", "/v1/caseDeliveries/x", "GET"),
        ("OPTIONS", "/v1/mandates", "GET, POST"),
    ],
)
def test_a_wrong_verb_is_405_and_the_right_ones_are_named(
    client: httpx.Client, verb: str, path: str, allowed: str
) -> None:
    answer = client.request(verb, path)
    assert (answer.status_code, reason_of(answer)) == (405, "ROUTE_NOT_FOUND")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [(b"", "GET, HEAD, POST"), (b"content-type: application/json\r\ncontent-length: 2\r\n", "GET, POST")],
)
def test_query_is_a_verb_that_no_path_takes(edge: Edge, headers: bytes, allowed: str) -> None:
    """RFC 10008. Envoy itself looks at one without a media type, and knows no paths."""
    head = b"QUERY /v1/mandates?x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    status, kind, body, allow = _raw(edge, head + headers + b"\r\n" + (b"{}" if headers else b""))
    assert (status, kind, allow) == (405, "application/json", allowed)
    assert json.loads(body)["details"][0]["reason"] == "ROUTE_NOT_FOUND"


@pytest.mark.parametrize("verb", ["get", "Post", "M-SEARCH", "x" * 300])
@pytest.mark.parametrize("headers", [b"", b"content-type: application/json\r\ncontent-length: 2\r\n"])
@pytest.mark.parametrize(("path", "allowed"), [("/v1/mandates?x", "GET, POST"), ("/docs", "GET, HEAD, POST")])
def test_a_verb_that_nobody_knows_is_501(edge: Edge, verb: str, headers: bytes, path: str, allowed: str) -> None:
    """RFC 9110, 9.1: names of methods are told apart by case; 15.6.2: one that is not known is 501, not 400."""
    head = f"{verb} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".encode()
    status, kind, body, allow = _raw(edge, head + headers + b"\r\n" + (b"{}" if headers else b""))
    assert (status, kind) == (501, "application/json")
    assert json.loads(body)["details"][0]["reason"] == "ROUTE_NOT_FOUND"
    assert allow == allowed


def test_a_tunnel_is_405(edge: Edge) -> None:
    status, _, _, allow = _raw(edge, b"CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\nconnection: close\r\n\r\n")
    assert (status, allow) == (405, "GET, HEAD, POST")


def test_grpc_is_posted(client: httpx.Client) -> None:
    answer = client.get("/tongban.audit.v1.AuditService/GetAuditHead", headers={"content-type": "application/grpc"})
    assert (answer.headers["grpc-status"], answer.headers["allow"]) == ("5", "POST")
    details = status_pb2.Status.FromString(base64.b64decode(answer.headers[status.DETAILS_KEY] + "=="))
    assert status.from_status(details).reason == "ROUTE_NOT_FOUND"


def test_no_token_is_told_before_anything_else_of_every_method(client: httpx.Client) -> None:
    """401 comes before 400: a stranger does not learn what is wrong with the request."""
    closed = [rpc for service in services(read_image()) for rpc in service.public_rpcs if not rpc.access.public]
    assert closed
    for rpc in closed:
        for verb, template, body in rpc.http:
            path = path_like(template)
            content = {"content": b'{"nonsense": ', "headers": {"content-type": "application/json"}} if body else {}
            answer = client.request(verb, f"{path}?nonsense=1", **content)  # type: ignore[arg-type]
            assert (answer.status_code, reason_of(answer)) == (401, "TOKEN_MISSING"), rpc.path


def test_an_unknown_field_is_refused_by_every_method_that_takes_a_body(
    client: httpx.Client, bearer: dict[str, str]
) -> None:
    for service in services(read_image()):
        for rpc in service.public_rpcs:
            for verb, template, body in rpc.http:
                if body:
                    unknown: Any = {"misspelt": 1}
                    given = [unknown] if rpc.descriptor.client_streaming else unknown
                    answer = client.request(verb, path_like(template), json=given, headers=bearer)
                    assert violation_of(answer)["field"].endswith("misspelt"), rpc.path


def test_an_unknown_parameter_is_refused_by_every_method(client: httpx.Client, bearer: dict[str, str]) -> None:
    for service in services(read_image()):
        for rpc in service.public_rpcs:
            for verb, template, _ in rpc.http:
                answer = client.request(verb, f"{path_like(template)}?misspelt=1", headers=bearer)
                assert violation_of(answer)["field"] == "misspelt", rpc.path


def _raw(edge: Edge, request: bytes) -> tuple[int, str, bytes, str]:
    host, _, port = edge.target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        with closing(HTTPResponse(connection)) as answer:
            answer.begin()
            return answer.status, answer.getheader("content-type", ""), answer.read(), answer.getheader("allow", "")


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
    status, kind, body, _ = _raw(edge, request_line)
    assert 400 <= status < 500
    assert kind == "application/json"
    assert json.loads(body)["details"][0]["domain"] == "tongban"
