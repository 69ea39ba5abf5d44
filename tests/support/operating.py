"""Operations of a real license service, as one caller begins and follows them."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.longrunning import operations_pb2
from google.protobuf import timestamp_pb2

from libs.process import end
from libs.rpc import status
from tests.support.patience import PATIENCE
from tests.support.service import Service
from tongban.audit.v1 import audit_service_pb2, audit_service_pb2_grpc
from tongban.operations.v1 import operation_service_pb2 as pb
from tongban.operations.v1 import operation_service_pb2_grpc

AUDITOR = "staff/00000000-0000-7000-8000-0000000000d1"
BEGINNING, END = timestamp_pb2.Timestamp(seconds=0), timestamp_pb2.Timestamp(seconds=4_000_000_000)


@dataclass
class Operating:
    """The operations of one caller."""

    service: Service
    subject: str = AUDITOR
    scope: str = "audit.auditRecords.* operations.operations.read operations.operations.cancel operations.operations.delete uploads.*"
    language: str = "en"

    def __post_init__(self) -> None:
        self.stub: Any = operation_service_pb2_grpc.OperationServiceStub(self.service.channel)
        self.audit: Any = audit_service_pb2_grpc.AuditServiceStub(self.service.channel)
        token = self.service.metadata(self.subject, "STAFF", self.scope)
        self.metadata = (*token, ("accept-language", self.language))

    async def call(self, rpc: Any, request: Any) -> Any:
        """Calls; raises what the service meant."""
        try:
            return await rpc(request, metadata=self.metadata, timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error, "license") from error

    async def export(self, request_id: str = "", **changes: Any) -> operations_pb2.Operation:
        """Begins an export of all records."""
        asked: dict[str, Any] = {"parent": "license", "start_time": BEGINNING, "end_time": END, **changes}
        request = audit_service_pb2.ExportAuditRecordsRequest(request_id=request_id or str(uuid.uuid4()), **asked)
        found: operations_pb2.Operation = await self.call(self.audit.ExportAuditRecords, request)
        return found

    async def get(self, name: str) -> operations_pb2.Operation:
        """How far it is."""
        found: operations_pb2.Operation = await self.call(self.stub.GetOperation, pb.GetOperationRequest(name=name))
        return found

    async def ended(self, name: str) -> operations_pb2.Operation:
        """Waits for its end."""
        request = pb.WaitOperationRequest(name=name)
        found: operations_pb2.Operation = await self.call(self.stub.WaitOperation, request)
        assert found.done
        return found

    async def list(self, **asked: Any) -> pb.ListOperationsResponse:
        """Lists them."""
        request = pb.ListOperationsRequest(name="operations/license", **asked)
        found: pb.ListOperationsResponse = await self.call(self.stub.ListOperations, request)
        return found

    async def cancel(self, name: str) -> None:
        """Asks that one be stopped."""
        await self.call(self.stub.CancelOperation, pb.CancelOperationRequest(name=name))

    async def delete(self, name: str) -> None:
        """Forgets one."""
        await self.call(self.stub.DeleteOperation, pb.DeleteOperationRequest(name=name))

    async def interrupt(self, name: str, request_id: str = "") -> operations_pb2.Operation:
        """Ends one at once."""
        request = pb.InterruptOperationRequest(name=name, request_id=request_id or str(uuid.uuid4()))
        found: operations_pb2.Operation = await self.call(self.stub.InterruptOperation, request)
        return found


def progress(found: operations_pb2.Operation) -> pb.OperationMetadata:
    """How far an operation is."""
    metadata = pb.OperationMetadata()
    assert found.metadata.Unpack(metadata)
    return metadata


def exported(found: operations_pb2.Operation) -> audit_service_pb2.ExportAuditRecordsResponse:
    """What an export came to."""
    response = audit_service_pb2.ExportAuditRecordsResponse()
    assert found.done and found.response.Unpack(response), found
    return response


def reason(found: operations_pb2.Operation) -> tuple[str, dict[str, str]]:
    """What an operation failed with."""
    error = status.from_status(found.error)
    return error.reason, dict(error.metadata)


@asynccontextmanager
async def working(*workers: Callable[[], Awaitable[None]]) -> Any:
    """Has workers run beside the block."""
    tasks = [asyncio.ensure_future(run()) for run in workers]
    try:
        yield
    finally:
        await end(tasks)
