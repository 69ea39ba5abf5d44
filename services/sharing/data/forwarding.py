"""Asks another region for its data, gateway to gateway; both regions record the use under one transaction id."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import Message

from libs.access.context import for_abroad
from libs.audit.writer import OpenQuestion
from libs.db.command import Command, digest_of
from libs.errors import Code, TongbanError
from libs.ids import names
from services.sharing.core.parts import Parts
from services.sharing.core.subjects import asked_about
from services.sharing.data.consumers import DataConsumer, under_grant
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import data_service_pb2 as pb

Sent = TypeVar("Sent", bound=Message)
Answer = TypeVar("Answer", pb.QueryResponse, pb.CompareResponse)
Method = Callable[[str, Sent], Awaitable[tuple[Answer, common_pb2.Receipt | None]]]
ASKED = ":asked"
"""Behind the RPC's name, the action of the record that says that a question leaves."""
QUESTION = OpenQuestion("data_asked_recorded", "", 120.0)
"""A question for another region's data: the region counts the use and answers, and here the answer is recorded."""
UNANSWERED = f"{pb.DESCRIPTOR.services_by_name['DataService'].full_name}.Unanswered"
"""The action of the record that says that no answer came to be recorded."""
_NO_ANSWER = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL}


class Forwarding:
    """Queries and comparisons on resources of other regions."""

    def __init__(self, parts: Parts) -> None:
        self._regions = parts.regions
        self._audit = parts.audit
        self._cipher = parts.cipher
        self._home = parts.home

    async def query(self, command: Command, request: pb.QueryRequest, consumer: DataConsumer) -> pb.QueryResponse:
        """Reads rows of another region."""
        asked = pb.QueryRequest()
        asked.CopyFrom(request)
        asked.use_context.CopyFrom(self._abroad(command.use, consumer, request.resource))
        question = await self._record_sending(command, request.resource, request.fields)
        answer = await self._answer(command, self._regions.query, request.resource, asked, question)
        released = [field for field in request.fields if field not in answer.refused_fields]
        if answer.refused_fields:
            await self._audit.write(command, request.resource, result="FIELD_NOT_GRANTED", fields=answer.refused_fields)
        # Last, for its receipt is the call's.
        subjects = asked_about(self._cipher, request.conditions) if answer.rows else frozenset()
        await self._record(command, request.resource, answer, released, len(answer.rows), question, subjects)
        return answer

    async def compare(self, command: Command, request: pb.CompareRequest, consumer: DataConsumer) -> pb.CompareResponse:
        """Compares with rows of another region."""
        asked = pb.CompareRequest()
        asked.CopyFrom(request)
        asked.use_context.CopyFrom(self._abroad(command.use, consumer, request.resource))
        fields = [given.field for given in request.given]
        question = await self._record_sending(command, request.resource, fields)
        answer = await self._answer(command, self._regions.compare, request.resource, asked, question)
        exists = any(each.outcome != pb.COMPARE_OUTCOME_NO_ROW for each in answer.comparisons)
        subjects = asked_about(self._cipher, request.conditions) if exists else frozenset()
        await self._record(command, request.resource, answer, fields, 0, question, subjects)
        return answer

    async def _record_sending(self, command: Command, resource: str, fields: Sequence[str]) -> common_pb2.Receipt:
        """Records that the question leaves, with the keys in it, before it does."""
        sending = replace(command, method=f"{command.method}{ASKED}")
        question = replace(QUESTION, party=_region_of(resource))
        return await self._audit.write(sending, resource, fields=fields, asks=question)

    async def _answer(
        self,
        command: Command,
        method: "Method[Sent, Answer]",
        resource: str,
        asked: Sent,
        question: common_pb2.Receipt,
    ) -> Answer:
        """Asks; a refusal is an answer, and whatever else leaves none keeps the question open."""
        try:
            answer, receipt = await method(_region_of(resource), asked)
        except TongbanError as error:
            if error.code not in _NO_ANSWER:
                await self._audit.close(QUESTION, question)
            raise
        command.recorded_abroad(receipt)
        return answer

    async def _record(
        self,
        command: Command,
        resource: str,
        answer: pb.QueryResponse | pb.CompareResponse,
        fields: Sequence[str],
        rows: int,
        question: common_pb2.Receipt,
        subjects: frozenset[str],
    ) -> None:
        answer.grant = str(names.parse(answer.grant, "grant").absolute(_region_of(resource)))
        await self._audit.write(
            replace(command, use=under_grant(command.use, answer.grant)),
            resource,
            fields=fields,
            record_count=rows,
            response_digest=digest_of(answer),
            answers=(QUESTION, question),
            subjects=subjects,
        )

    def _abroad(self, use: common_pb2.UseContext, consumer: DataConsumer, resource: str) -> common_pb2.UseContext:
        """Writes the context as the other region reads it."""
        here, context = f"//{self._home}/", for_abroad(use, self._home, _region_of(resource))
        context.department = here + consumer.department
        context.operator = here + consumer.operator
        return context


def _region_of(resource: str) -> str:
    return names.parse(resource, "resource").region
