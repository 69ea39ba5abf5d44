"""Signed requests at the real Envoy: who judges them sees all of them, what it says counts, and nobody else is asked."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format

from libs.errors import reasons
from libs.rpc import status
from libs.rpc.call import SIGNER
from services.identity.signatures.endpoint import PREFIX
from tests.support.edge import HEAD, Edge, reason_of, token_of
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2

SIGNED = {"signature-input": 'a=("@method")', "signature": "a=:AAAA:"}
_PATH = "/v1/audit/identity/auditHead"
_REPLAYED = status.to_status(reasons.signature_replayed("it was taken before"))
_REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
_VERIFY = "/v1/licenses:verify"


@pytest.fixture(autouse=True)
def _nothing_asked(edge: Edge) -> Iterator[None]:
    edge.keys.judged.clear()
    yield
    edge.keys.verdict = (200, {}, b"")


def _good(edge: Edge) -> None:
    edge.keys.verdict = (200, {SIGNER: "a", "x-other": "1"}, b"")


def _refusing(edge: Edge) -> None:
    body = json.dumps(json_format.MessageToDict(_REPLAYED)).encode()
    edge.keys.verdict = (401, {"content-type": "application/json"}, body)


def _refusing_grpc(edge: Edge) -> None:
    headers = {
        "grpc-status": "16",
        "grpc-message": "no",
        "grpc-status-details-bin": _details(),
    }
    edge.keys.verdict = (401, headers, b"")


def _details() -> str:
    return base64.b64encode(_REPLAYED.SerializeToString()).decode().rstrip("=")


def test_a_request_that_is_not_signed_asks_nobody(client: httpx.Client, bearer: dict[str, str], edge: Edge) -> None:
    answer = client.get(_PATH, headers={**bearer, SIGNER: "a"})
    assert (answer.status_code, edge.keys.judged) == (200, [])
    assert SIGNER not in edge.seen.metadata[-1], "what a caller says of themselves is taken away"


@pytest.mark.parametrize("header", sorted(SIGNED))
def test_the_whole_request_is_judged_as_it_came(
    client: httpx.Client, bearer: dict[str, str], edge: Edge, header: str
) -> None:
    _good(edge)
    answer = client.get(f"{_PATH}?treeSize=%37", headers={**bearer, header: SIGNED[header], SIGNER: "b"})
    assert answer.status_code == 200
    ((verb, path, headers, body),) = edge.keys.judged
    assert (verb, path, body) == ("GET", f"{PREFIX}{_PATH}?treeSize=%37", b"")
    assert (headers["authorization"], headers["host"]) == (bearer["authorization"], edge.target)
    assert headers[header] == SIGNED[header]
    seen = edge.seen.metadata[-1]
    assert seen[SIGNER] == "a"
    assert "x-other" not in seen


def test_a_body_comes_whole_and_as_bytes(client: httpx.Client, bearer: dict[str, str], edge: Edge) -> None:
    _refusing(edge)
    body = json.dumps({"qrContent": "证照" * 10_000}, ensure_ascii=False).encode()
    headers = {**bearer, **SIGNED, "content-type": "application/json", "content-digest": "sha-256=:AAAA:"}
    answer = client.post(_VERIFY, content=body, headers=headers)
    assert (answer.status_code, reason_of(answer)) == (401, "SIGNATURE_REPLAYED")
    ((verb, path, told, judged),) = edge.keys.judged
    assert (verb, path, judged == body) == ("POST", f"{PREFIX}{_VERIFY}", True)
    assert (told["content-digest"], told["content-type"]) == ("sha-256=:AAAA:", "application/json")


def test_who_judges_is_away_nothing_signed_passes(client: httpx.Client, bearer: dict[str, str], edge: Edge) -> None:
    edge.keys.verdict = (503, {}, b"")
    before = len(edge.seen.metadata)
    answer = client.get(_PATH, headers={**bearer, **SIGNED})
    assert (answer.status_code, reason_of(answer)) == (503, "DEPENDENCY_UNAVAILABLE")
    assert answer.json()["details"][0]["metadata"] == {"dependency": "identity"}
    assert answer.headers["retry-after"] == "1"
    assert len(edge.seen.metadata) == before


def _called(edge: Edge, bearer: dict[str, str], path: str = HEAD) -> str:
    request = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead")
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(path, lambda message: message.SerializeToString(), lambda data: data)
        try:
            call(request, metadata=[*bearer.items(), *SIGNED.items()], timeout=PATIENCE)
        except grpc.RpcError as error:
            caught: Any = error
            return status.from_rpc_error(caught, "the gateway").reason
    return "OK"


def test_a_grpc_call_is_judged_by_its_frame(edge: Edge, bearer: dict[str, str]) -> None:
    _good(edge)
    assert _called(edge, bearer) == "OK"
    ((verb, path, headers, body),) = edge.keys.judged
    message = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
    assert (verb, path, headers["content-type"]) == ("POST", PREFIX + HEAD, "application/grpc")
    assert body == b"\0" + len(message).to_bytes(4, "big") + message
    assert edge.seen.metadata[-1][SIGNER] == "a"


def test_to_grpc_a_refusal_is_typed(edge: Edge, bearer: dict[str, str]) -> None:
    _refusing_grpc(edge)
    assert _called(edge, bearer) == "SIGNATURE_REPLAYED"
    edge.keys.verdict = (503, {}, b"")
    assert _called(edge, bearer) == "DEPENDENCY_UNAVAILABLE"


def test_to_grpc_web_a_refusal_is_typed(client: httpx.Client, edge: Edge, bearer: dict[str, str]) -> None:
    _refusing_grpc(edge)
    headers = {**bearer, **SIGNED, "content-type": "application/grpc-web+proto"}
    answer = client.post(HEAD, content=b"\0\0\0\0\0", headers=headers)
    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "16")
    assert answer.headers["content-type"] == "application/grpc-web+proto"
    assert answer.headers["grpc-status-details-bin"] == _details()
    assert answer.content == b""


def test_what_a_caller_streams_by_grpc_can_t_be_signed(edge: Edge, bearer: dict[str, str]) -> None:
    for path in ("/tongban.uploads.v1.UploadService/AppendUpload", _REFLECTION):
        assert _called(edge, bearer, path) == "SIGNATURE_INVALID"
    assert edge.keys.judged == []


def test_the_token_endpoint_is_asked_nothing_of_signatures(client: httpx.Client, edge: Edge) -> None:
    """Clients prove there who they are; a token in a header is not looked at."""
    client.get("/.well-known/jwks.json", headers={"authorization": "Bearer x", **SIGNED})
    assert edge.keys.judged == []


def test_a_signature_without_a_token_is_nobody_s(client: httpx.Client, edge: Edge) -> None:
    answer = client.get(_PATH, headers=SIGNED)
    assert (answer.status_code, reason_of(answer), edge.keys.judged) == (401, "TOKEN_MISSING", [])


def test_a_bad_token_is_refused_before_anybody_judges(client: httpx.Client, edge: Edge) -> None:
    bad = {"authorization": f"Bearer {token_of('http://127.0.0.1:1')}"}
    assert client.get(_PATH, headers=bad | SIGNED).status_code == 401
    assert edge.keys.judged == []
