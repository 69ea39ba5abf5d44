"""Asks another region for its data, gateway to gateway; both regions record the use under one transaction id."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from libs.audit.writer import AuditWriter
from libs.db.command import Command, digest_of
from libs.ids import names
from libs.rpc.regions import Regions
from services.sharing.usecases.uses import Consumer
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import data_service_pb2 as pb
from tongban.sharing.v1.data_service_pb2_grpc import RegionDataServiceStub

_SERVICE = pb.DESCRIPTOR.services_by_name["RegionDataService"]


class Forwarder:
    """Queries and comparisons on resources of other regions."""

    def __init__(self, regions: Regions, audit: AuditWriter, home: str) -> None:
        self._regions = regions
        self._audit = audit
        self._home = home

    async def query(self, command: Command, request: pb.QueryRequest, consumer: Consumer) -> pb.QueryResponse:
        """Reads rows of another region."""
        asked = pb.QueryRequest()
        asked.CopyFrom(request)
        asked.use_context.CopyFrom(self._abroad(command.use, consumer))
        sent, region = pb.QueryRemoteRequest(query=asked), _region_of(request.resource)
        await self._record_sending(command, "QueryRemote", request.resource, request.fields)
        answer = await self._regions.invoke(
            region, lambda channel: RegionDataServiceStub(channel).QueryRemote, sent, pb.QueryResponse
        )
        released = [field for field in request.fields if field not in answer.refused_fields]
        await self._record(command, request.resource, answer, released, len(answer.rows))
        if answer.refused_fields:
            await self._audit.write(command, request.resource, result="FIELD_NOT_GRANTED", fields=answer.refused_fields)
        return answer

    async def compare(self, command: Command, request: pb.CompareRequest, consumer: Consumer) -> pb.CompareResponse:
        """Compares with rows of another region."""
        asked = pb.CompareRequest()
        asked.CopyFrom(request)
        asked.use_context.CopyFrom(self._abroad(command.use, consumer))
        sent, region = pb.CompareRemoteRequest(comparison=asked), _region_of(request.resource)
        fields = [given.field for given in request.given]
        await self._record_sending(command, "CompareRemote", request.resource, fields)
        answer = await self._regions.invoke(
            region, lambda channel: RegionDataServiceStub(channel).CompareRemote, sent, pb.CompareResponse
        )
        await self._record(command, request.resource, answer, fields, 0)
        return answer

    async def _record_sending(self, command: Command, method: str, resource: str, fields: Sequence[str]) -> None:
        """Records that the question leaves, with the keys in it, before it does."""
        sending = replace(command, method=f"{_SERVICE.full_name}.{method}")
        await self._audit.write(sending, resource, fields=fields)

    async def _record(self, command: Command, resource: str, answer: Any, fields: Sequence[str], rows: int) -> None:
        receipt = await self._audit.write(
            command, resource, fields=fields, record_count=rows, response_digest=digest_of(answer)
        )
        answer.local_receipt.CopyFrom(receipt)
        answer.grant = str(names.parse(answer.grant, "grant").absolute(_region_of(resource)))

    def _abroad(self, use: common_pb2.UseContext, consumer: Consumer) -> common_pb2.UseContext:
        """Writes the names of this region as the other one reads them."""
        here = f"//{self._home}/"
        context = common_pb2.UseContext()
        context.CopyFrom(use)
        context.department = here + consumer.department
        context.operator = here + consumer.operator
        if context.case_name.startswith("cases/"):
            context.case_name = here + context.case_name
        return context


def _region_of(resource: str) -> str:
    return names.parse(resource, "resource").region
