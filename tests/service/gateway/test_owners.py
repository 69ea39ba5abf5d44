"""A service that all five serve is reached by what the request itself names: natively, by any stub, and as JSON."""

from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from google.longrunning import operations_pb2

from libs.rpc import status
from services.gateway.contracts import read_image, services
from services.gateway.owners import NoOwner, owner_field
from tests.support.edge import HEAD, Edge, reason_of, token_of
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2
from tongban.uploads.v1 import upload_service_pb2

IDENTITY = "identity/uploads/00000000-0000-7000-8000-000000000001"
OPERATION = "operations/identity/00000000-0000-7000-8000-000000000001"


def called(edge: Edge, path: str, request: bytes, **more: Any) -> tuple[grpc.StatusCode, str]:
    """What a stub that knows nothing but the path is answered; the small service behind the edge is identity."""
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(path)
        return answered(lambda: call(request, timeout=PATIENCE, **more))


def answered(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    """The code and the reason of an answer."""
    try:
        call()
    except grpc.RpcError as raised:
        error: Any = raised
        given = dict(error.trailing_metadata()).get(status.DETAILS_KEY)
        return error.code(), status.from_rpc_error(error, "the gateway").reason if given else ""
    return grpc.StatusCode.OK, ""


def test_every_rpc_of_all_services_says_whose_it_is() -> None:
    rpcs = [rpc for service in services(read_image()) if service.everywhere for rpc in service.public_rpcs]
    fields = {rpc.path: owner_field(rpc) for rpc in rpcs}
    assert set(fields.values()) == {"service", "name", "parent", "head.name"}
    other = next(rpc for service in services(read_image()) for rpc in service.rpcs if not rpc.http)
    with pytest.raises(NoOwner):
        owner_field(other)


def test_a_native_call_reaches_the_service_that_it_names(edge: Edge) -> None:
    here = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
    away = audit_service_pb2.GetAuditHeadRequest(name="seal/auditHead").SerializeToString()
    assert called(edge, HEAD, here) == (grpc.StatusCode.OK, "")
    assert called(edge, HEAD, away) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


@pytest.mark.parametrize("request_", [b"", b"\xff\xff", b"\x0a\x03x.y"])
def test_what_names_none_is_judged_by_a_service(edge: Edge, request_: bytes) -> None:
    """Here it is a small one that judges nothing, and fails at bytes that are none."""
    seen = len(edge.seen.metadata)
    code, _ = called(edge, HEAD, request_)
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INTERNAL)
    assert len(edge.seen.metadata) - seen == (code is grpc.StatusCode.OK)


def test_nobody_says_it_by_a_header_of_their_own(edge: Edge) -> None:
    here = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
    assert called(edge, HEAD, here, metadata=[("x-tongban-owner", "seal")]) == (grpc.StatusCode.OK, "")


def test_json_goes_the_same_way(edge: Edge, client: httpx.Client) -> None:
    assert client.get("/v1/audit/identity/auditHead").status_code == 200
    assert reason_of(client.get("/v1/audit/seal/auditHead")) == "DEPENDENCY_UNAVAILABLE"
    bearer = {"authorization": f"Bearer {token_of(edge.url)}"}
    assert client.get(f"/v1/{OPERATION}", headers=bearer).status_code == 501
    assert client.get(f"/v1/{OPERATION.replace('identity', 'seal')}", headers=bearer).status_code == 503


@pytest.mark.parametrize("service", ["google.longrunning.Operations", "tongban.operations.v1.OperationService"])
def test_operations_are_reached_under_both_names(edge: Edge, service: str) -> None:
    here = operations_pb2.GetOperationRequest(name=OPERATION).SerializeToString()
    away = operations_pb2.GetOperationRequest(name=OPERATION.replace("identity", "cases")).SerializeToString()
    path = f"/{service}/GetOperation"
    assert called(edge, path, here)[0] is grpc.StatusCode.UNIMPLEMENTED
    assert called(edge, path, away) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


def test_a_clients_stream_goes_where_its_first_message_says(edge: Edge) -> None:
    def parts(name: str) -> list[bytes]:
        head = upload_service_pb2.AppendUploadRequest(head=upload_service_pb2.AppendHead(name=name))
        chunk = upload_service_pb2.AppendUploadRequest(chunk=b"x" * 100_000)
        return [head.SerializeToString(), *([chunk.SerializeToString()] * 20)]

    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.stream_unary("/tongban.uploads.v1.UploadService/AppendUpload")
        here = answered(lambda: call(iter(parts(IDENTITY)), timeout=PATIENCE))
        away = answered(lambda: call(iter(parts(IDENTITY.replace("identity", "seal"))), timeout=PATIENCE))
    assert here[0] is grpc.StatusCode.UNIMPLEMENTED
    assert away == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


def test_compressed_messages_are_refused_clearly(edge: Edge) -> None:
    long = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString() * 50
    assert called(edge, HEAD, long, compression=grpc.Compression.Gzip) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "FIELD_INVALID",
    )
