"""Asks another region for its data, gateway to gateway; both regions record the use under one transaction id."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message

from libs.audit.writer import AuditWriter, Question
from libs.db.command import Command, digest_of
from libs.errors import Code, TongbanError
from libs.ids import names
from libs.rpc.regions import Regions
from services.sharing.usecases.uses import Consumer
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import data_service_pb2 as pb
from tongban.sharing.v1.data_service_pb2_grpc import RegionDataServiceStub

Answer = TypeVar("Answer", pb.QueryResponse, pb.CompareResponse)
_SERVICE = pb.DESCRIPTOR.services_by_name["RegionDataService"]
QUESTION = Question("data_asked_recorded", "", 120.0)
"""A question for another region's data: the region counts the use and answers, and here the answer is recorded."""
_NO_ANSWER = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL}
UNANSWERED = f"{_SERVICE.full_name}.Unanswered"
"""The action of the record that says that no answer came to be recorded."""


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
        asked_by = await self._record_sending(command, "QueryRemote", request.resource, request.fields)
        answer = await self._ask(region, "QueryRemote", sent, pb.QueryResponse, asked_by)
        released = [field for field in request.fields if field not in answer.refused_fields]
        await self._record(command, request.resource, answer, released, len(answer.rows), asked_by)
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
        asked_by = await self._record_sending(command, "CompareRemote", request.resource, fields)
        answer = await self._ask(region, "CompareRemote", sent, pb.CompareResponse, asked_by)
        await self._record(command, request.resource, answer, fields, 0, asked_by)
        return answer

    async def _ask(
        self, region: str, method: str, question: Message, answer: type[Answer], asked_by: common_pb2.Receipt
    ) -> Answer:
        """Asks; a refusal is an answer, and whatever else leaves none keeps the question open."""
        try:
            return await self._regions.invoke(
                region, lambda channel: getattr(RegionDataServiceStub(channel), method), question, answer
            )
        except TongbanError as error:
            if error.code not in _NO_ANSWER:
                await self._audit.close(QUESTION, asked_by)
            raise

    async def _record_sending(
        self, command: Command, method: str, resource: str, fields: Sequence[str]
    ) -> common_pb2.Receipt:
        """Records that the question leaves, with the keys in it, before it does."""
        sending = replace(command, method=f"{_SERVICE.full_name}.{method}")
        return await self._audit.write(sending, resource, fields=fields, asks=_question(resource))

    async def _record(
        self,
        command: Command,
        resource: str,
        answer: Any,
        fields: Sequence[str],
        rows: int,
        asked_by: common_pb2.Receipt,
    ) -> None:
        receipt = await self._audit.write(
            command,
            resource,
            fields=fields,
            record_count=rows,
            response_digest=digest_of(answer),
            answers=(QUESTION, asked_by),
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


def _question(resource: str) -> Question:
    return replace(QUESTION, party=_region_of(resource))


def _region_of(resource: str) -> str:
    return names.parse(resource, "resource").region
