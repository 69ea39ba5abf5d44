"""The access log tells what was called, by whom, how long it took and where its trace leads, and nothing that a caller wrote."""

import socket

import grpc
import httpx
import pytest

from libs.ids.synthetic import SyntheticPopulation
from tests.support.edge import HEAD, Edge, logged, token_of
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2

_JSON_HEAD = "/v1/audit/identity/auditHead"


def test_the_log_holds_nothing_that_a_caller_wrote(edge: Edge) -> None:
    """A name or a number stands as easily in a path, a verb or a header as in a body."""
    phone, last = "10076543219", "f" * 32
    for line, headers in (
        (f"GET /v1/persons/{phone}", ""),
        (f"GET /{phone}", ""),
        (f"{phone} /v1/cases", ""),
        (f"GET /v1/cases?a={phone}", ""),
        ("GET /v1/nothing", f"traceparent: 00-{phone}\r\n"),
        ("GET /v1/x", f"x-request-id: {phone}\r\nuser-agent: {phone}\r\n"),
        ("GET /v1/cases", f"authorization: Bearer {phone}\r\ncookie: {phone}\r\nreferer: {phone}\r\n"),
        (f"POST /tongban.x.v1.Y/{phone}", "content-type: application/grpc\r\n"),
        ("GET /v1/cases", f"traceparent: 00-{last}-{'b' * 16}-01\r\n"),
    ):
        host, _, port = edge.target.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n".encode())
            while connection.recv(65536):
                pass
    logged(edge, last)
    assert phone not in edge.log.read_text(encoding="utf-8", errors="replace")


def test_the_log_tells_the_rpc_and_the_trace(client: httpx.Client, edge: Edge) -> None:
    trace = "c" * 32
    client.get("/v1/audit/identity/auditHead", headers={"traceparent": f"00-{trace}-{'b' * 16}-01"})
    assert logged(edge, trace)["route"] == HEAD


def test_the_log_tells_which_operation_was_refused(client: httpx.Client, edge: Edge) -> None:
    trace = "d" * 32
    client.get("/v1/audit/identity/auditHead?size=1", headers={"traceparent": f"00-{trace}-{'b' * 16}-01"})
    line = logged(edge, trace)
    assert (line["status"], line["operation"]) == (400, "GET /v1/audit/{name=*/auditHead}")


def _trace(mark: str) -> dict[str, str]:
    return {"traceparent": f"00-{mark * 32}-{'b' * 16}-01"}


def test_a_call_by_json_is_told_whole(client: httpx.Client, edge: Edge) -> None:
    who = f"clients/{'7' * 8}"
    token = {"authorization": f"Bearer {token_of(edge.url, client=who)}"}
    answer = client.get(_JSON_HEAD, headers=_trace("1") | token)
    line = logged(edge, "1" * 32)
    told = {name: line[name] for name in ("trace_id", "method", "path", "route", "status", "client")}
    assert told == {
        "trace_id": "1" * 32,
        "method": "GET",
        "path": "/v1/audit/{name=*/auditHead}",
        "route": HEAD,
        "status": 200,
        "client": who,
    }
    assert line["bytes_out"] == len(answer.content)
    assert isinstance(line["ms"], int)
    assert line["request_id"] == answer.headers["x-request-id"]


def test_a_call_by_grpc_is_told_whole(edge: Edge) -> None:
    request = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead")
    with grpc.insecure_channel(edge.target) as channel:
        call = channel.unary_unary(HEAD)  # type: ignore[var-annotated]
        call(request.SerializeToString(), timeout=PATIENCE, metadata=tuple(_trace("2").items()))
    line = logged(edge, "2" * 32)
    assert (line["method"], line["path"], line["grpc_status"], line["client"]) == ("POST", HEAD, "OK", None)


def test_a_bad_token_names_no_client(client: httpx.Client, edge: Edge) -> None:
    token = token_of("http://127.0.0.1:1", client="clients/liar")
    answer = client.get(_JSON_HEAD, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert logged(edge, answer.headers["x-request-id"])["client"] is None


@pytest.mark.parametrize(
    "parent", [None, "", "x", f"00-{'g' * 32}-{'b' * 16}-01", f"00-{'A' * 32}-{'b' * 16}-01", f"01-{'a' * 32}"]
)
def test_a_call_without_a_trace_is_given_one_that_the_service_goes_on_with(
    client: httpx.Client, edge: Edge, parent: str | None
) -> None:
    answer = client.get(_JSON_HEAD, headers={} if parent is None else {"traceparent": parent})
    line = logged(edge, answer.headers["x-request-id"])
    assert line["trace_id"] == answer.headers["x-request-id"].replace("-", "")
    assert edge.seen.metadata[-1]["traceparent"] == line["traceparent"]
    assert line["traceparent"].split("-")[1] == line["trace_id"]


def test_an_identity_number_appears_nowhere(client: httpx.Client, edge: Edge) -> None:
    """In a path, a query, a body, a form, a name of a field, over each protocol, taken and refused."""
    number = SyntheticPopulation("access log").citizen_id()
    bearer = {"authorization": f"Bearer {token_of(edge.url)}"}
    for verb, path, body in (
        ("GET", f"/v1/persons/{number}", None),
        ("GET", f"/v1/audit/identity/auditRecords/{number}", None),
        ("GET", f"/v1/audit/{number}/auditHead", None),
        ("GET", f"{_JSON_HEAD}?name={number}", None),
        ("GET", f"{_JSON_HEAD}?{number}=1", None),
        ("DELETE", f"/v1/persons/{number}", None),
        ("POST", "/v1/licenses:verify", {"number": number}),
        ("POST", "/v1/licenses:verify", {number: "1"}),
        ("POST", "/v1/organizations", {"organization": {"kind": number}}),
        ("POST", f"/v1/licenses:{number}", {}),
        ("GET", f"/content/license/uploads/{number}", None),
        ("GET", f"/verify?c={number}", None),
        ("GET", f"/oauth/{number}?state={number}", None),
        ("POST", f"/tongban.audit.v1.AuditService/{number}", None),
        ("OPTIONS", f"/{number}", None),
    ):
        client.request(verb, path, json=body, headers=bearer)
    client.post("/verify", data={"subject": number})
    with grpc.insecure_channel(edge.target) as channel:
        call = channel.unary_unary(HEAD)  # type: ignore[var-annotated]
        request = audit_service_pb2.GetAuditHeadRequest(name=f"identity/{number}")
        call(request.SerializeToString(), timeout=PATIENCE)
    client.get(_JSON_HEAD, headers=_trace("3"))
    logged(edge, "3" * 32)
    assert number not in edge.log.read_text(encoding="utf-8", errors="replace")
