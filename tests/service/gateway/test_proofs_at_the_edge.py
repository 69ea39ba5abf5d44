"""What the gateway hands on of a request that brings a proof of possession: verb and path as it saw them, and its own name of it."""

from typing import Any

import grpc
import httpx
import pytest

from tests.support.edge import HEAD, Edge, token_of
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2

PATH = "/v1/audit/identity/auditHead"
FORGED = {"x-tongban-method": "POST", "x-tongban-path": "/elsewhere", "x-tongban-request": "mine"}


@pytest.fixture(autouse=True)
def _going(edge: Edge) -> None:
    edge.seen.going.set()
    edge.seen.metadata.clear()


def _told(edge: Edge) -> tuple[str, str, str]:
    metadata = edge.seen.metadata.pop()
    return tuple(metadata.get(f"x-tongban-{name}", "") for name in ("method", "path", "request"))  # type: ignore[return-value]


def _bound(edge: Edge, scheme: str = "DPoP", **more: str) -> dict[str, str]:
    return {"authorization": f"{scheme} {token_of(edge.url)}", "dpop": "a proof", **more}


def test_of_a_json_request_it_tells_what_was_asked_for(edge: Edge, client: httpx.Client) -> None:
    assert client.get(f"{PATH}?treeSize=0", headers=_bound(edge, **FORGED)).status_code == 200
    method, path, request = _told(edge)
    assert (method, path) == ("GET", PATH)
    assert request not in ("", "mine")
    client.get(PATH, headers=_bound(edge, **{"x-request-id": "7c1b0e0e-0000-4000-8000-000000000001"}))
    client.get(PATH, headers=_bound(edge, **{"x-request-id": "7c1b0e0e-0000-4000-8000-000000000001"}))
    # Its name of a request is never a caller's.
    assert _told(edge)[2] != _told(edge)[2]


def test_of_a_call_it_tells_the_rpc_s_own_path(edge: Edge) -> None:
    request = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(HEAD)
        call(request, metadata=list(_bound(edge, **FORGED).items()), timeout=PATIENCE)
    method, path, name = _told(edge)
    assert (method, path) == ("POST", HEAD)
    assert name not in ("", "mine")


def test_without_a_proof_nothing_is_handed_on(edge: Edge, client: httpx.Client) -> None:
    client.get(PATH, headers={"authorization": f"Bearer {token_of(edge.url)}", **FORGED})
    assert _told(edge) == ("", "", "")


def test_a_bound_token_is_looked_at_as_any_other(edge: Edge, client: httpx.Client) -> None:
    assert client.get(PATH, headers=_bound(edge, "dpop")).status_code == 200
    stale = {"authorization": f"DPoP {token_of(edge.url, lifetime=-3600)}", "dpop": "a proof"}
    answer = client.get(PATH, headers=stale)
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (401, "TOKEN_INVALID")


def test_who_brings_no_token_is_told_what_to_bring(client: httpx.Client) -> None:
    answer = client.get("/v1/clients/administrator")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer, DPoP algs="ES256 PS256"'


def test_pages_of_listed_origins_may_bring_a_proof(client: httpx.Client) -> None:
    asked = {
        "origin": "https://desk.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "dpop",
    }
    assert "dpop" in client.options(PATH, headers=asked).headers["access-control-allow-headers"].split(", ")
