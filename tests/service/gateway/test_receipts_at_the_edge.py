"""Receipts through the real Envoy: JSON, gRPC and gRPC-Web callers get the same one, also with a refusal, and pages may read it."""

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from libs.rpc import receipts
from tests.support.edge import HEAD, ORIGIN, Edge, token_of
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2
from tongban.common.v1 import common_pb2

HERE = common_pb2.Receipt(record="identity/auditRecords/1", log="//341500/identity", leaf_hash=b"\xff" * 31)
ABROAD = common_pb2.Receipt(record="sharing/auditRecords/2", log="//320402/sharing", leaf_hash=b"\xfe" * 32)
PATH = "/v1/audit/identity/auditHead"
RECORD = f"/v1/audit/identity/auditRecords/{'0' * 36}"


@pytest.fixture(autouse=True)
def _answered_with(edge: Edge) -> Iterator[None]:
    edge.seen.first = [
        (receipts.RECEIPT, HERE.SerializeToString()),
        (receipts.RECEIPT_ABROAD, ABROAD.SerializeToString()),
    ]
    yield
    edge.seen.first = []


def _read(value: str) -> common_pb2.Receipt:
    return common_pb2.Receipt.FromString(base64.b64decode(value + "=" * (-len(value) % 4), validate=True))


def test_a_json_answer_carries_both_as_headers(client: httpx.Client) -> None:
    answer = client.get(PATH)
    assert answer.status_code == 200
    assert _read(answer.headers["tongban-receipt"]) == HERE
    assert _read(answer.headers["tongban-receipt-abroad"]) == ABROAD


def test_a_json_refusal_that_is_on_record_carries_it_too(client: httpx.Client, edge: Edge) -> None:
    answer = client.get(RECORD, headers={"authorization": f"Bearer {token_of(edge.url)}"})
    assert answer.status_code == 404
    assert answer.json()["details"][0]["reason"] == "RESOURCE_NOT_FOUND"
    assert _read(answer.headers["tongban-receipt"]) == HERE


@pytest.mark.parametrize(
    ("path", "status"), [(PATH, 200), (RECORD, 404), ("/v1/audit/identity/auditHead?nothing=1", 400)]
)
def test_a_json_answer_carries_nothing_of_grpc(client: httpx.Client, edge: Edge, path: str, status: int) -> None:
    edge.seen.first += [("grpc-accept-encoding", "identity, gzip")]
    answer = client.get(path, headers={"authorization": f"Bearer {token_of(edge.url)}"})
    assert answer.status_code == status
    assert [name for name in answer.headers if name.startswith("grpc-") or name.endswith("-bin")] == []


def test_a_call_without_receipt_has_no_empty_header(client: httpx.Client, edge: Edge) -> None:
    edge.seen.first = []
    assert not [name for name in client.get(PATH).headers if name.startswith("tongban-receipt")]


def test_grpc_gets_the_same_receipts_first(edge: Edge) -> None:
    request = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(HEAD)
        _, made = call.with_call(request, timeout=PATIENCE)
        assert receipts.received(made.initial_metadata()) == [HERE, ABROAD]
        name = f"identity/auditRecords/{'0' * 36}"
        wanted = audit_service_pb2.GetAuditRecordRequest(name=name).SerializeToString()
        headers = [("authorization", f"Bearer {token_of(edge.url)}")]
        refusing: Any = channel.unary_unary(HEAD.replace("GetAuditHead", "GetAuditRecord"))
        with pytest.raises(grpc.RpcError) as raised:
            refusing(wanted, timeout=PATIENCE, metadata=headers)
    refused: Any = raised.value
    assert refused.code() is grpc.StatusCode.NOT_FOUND
    assert receipts.received(refused.initial_metadata()) == [HERE, ABROAD]


def test_grpc_web_gets_them_as_headers_that_a_page_may_read(client: httpx.Client) -> None:
    request = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
    headers = {
        "content-type": "application/grpc-web+proto",
        "x-grpc-web": "1",
        "origin": ORIGIN,
    }
    answer = client.post(HEAD, content=b"\0" + len(request).to_bytes(4, "big") + request, headers=headers)
    assert answer.status_code == 200
    assert _read(answer.headers[receipts.RECEIPT]) == HERE
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"tongban-receipt", "tongban-receipt-abroad", receipts.RECEIPT, receipts.RECEIPT_ABROAD} <= exposed


def test_what_a_caller_says_of_receipts_stays_out(client: httpx.Client, edge: Edge) -> None:
    """A receipt in a request is nobody's word: none comes back of it."""
    edge.seen.first = []
    answer = client.get(PATH, headers={"tongban-receipt": "forged", receipts.RECEIPT: "forged"})
    assert not [name for name in answer.headers if name.startswith("tongban-receipt")]
