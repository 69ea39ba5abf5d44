"""Whoever asks for English is told in English, by services, by the gate, and by Envoy itself."""

from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2

from libs.rpc import status
from tests.support.accept_language import CASES, ORDERED
from tests.support.edge import HEAD, Edge, token_of
from tests.support.patience import PATIENCE

_RECORD = f"/v1/audit/identity/auditRecords/{'0' * 36}"


def _said(answer: httpx.Response) -> tuple[str, str, str]:
    """The reason, and the language and the words for people."""
    details = answer.json()["details"]
    return details[0]["reason"], details[-1]["locale"], details[-1]["message"]


@pytest.mark.parametrize(("header", "language"), CASES)
def test_the_gate_weighs_as_services_do(client: httpx.Client, header: str, language: str) -> None:
    said = _said(client.get(_RECORD, headers={"accept-language": header}))
    assert said == ("TOKEN_MISSING", language, status.sentence("TOKEN_MISSING", language))


@pytest.mark.parametrize(("header", "language"), CASES)
def test_a_service_is_told_what_was_asked_for(client: httpx.Client, edge: Edge, header: str, language: str) -> None:
    bearer = {"authorization": f"Bearer {token_of(edge.url)}", "accept-language": header}
    said = _said(client.get(_RECORD, headers=bearer))
    assert said == ("RESOURCE_NOT_FOUND", language, status.sentence("RESOURCE_NOT_FOUND", language))


@pytest.mark.parametrize(("header", "language"), ORDERED)
def test_envoy_itself_takes_the_first_that_it_knows(client: httpx.Client, header: str, language: str) -> None:
    """Before the gate (a token that is none) and behind it (a service that is away)."""
    asked = {"accept-language": header}
    bad = _said(client.get(_RECORD, headers=asked | {"authorization": "Bearer none"}))
    assert bad == ("TOKEN_INVALID", language, status.sentence("TOKEN_INVALID", language))
    away = _said(client.get("/v1/audit/seal/auditHead", headers=asked))
    assert away == ("DEPENDENCY_UNAVAILABLE", language, status.sentence("DEPENDENCY_UNAVAILABLE", language))


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize(
    ("path", "asked", "reason"),
    [
        ("/tongban.nothing.v1.Service/Method", b"", "ROUTE_NOT_FOUND"),
        (HEAD, b"\x0a\x04seal", "DEPENDENCY_UNAVAILABLE"),
        ("/tongban.audit.v1.AuditService/GetAuditRecord", b"", "RESOURCE_NOT_FOUND"),
    ],
)
def test_over_grpc_the_metadata_asks(edge: Edge, path: str, asked: bytes, reason: str, language: str) -> None:
    metadata = [("accept-language", language), ("authorization", f"Bearer {token_of(edge.url)}")]
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(path)
        with pytest.raises(grpc.RpcError) as refused:
            call(asked, timeout=PATIENCE, metadata=metadata)
    error: Any = refused.value
    told = status_pb2.Status.FromString(dict(error.trailing_metadata())[status.DETAILS_KEY])
    sentence = error_details_pb2.LocalizedMessage()
    told.details[-1].Unpack(sentence)
    assert status.from_status(told).reason == reason
    assert (sentence.locale, sentence.message) == (language, status.sentence(reason, language))
