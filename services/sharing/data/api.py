"""DataService and RegionDataService: who asks, of which region, and the record of every refusal."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.db.command import Command, command_of
from libs.errors import TongbanError
from libs.ids import names
from libs.rpc.call import Call
from services.sharing.core.parts import Parts
from services.sharing.data.consumers import DataConsumer, consumer_abroad, consumer_here
from services.sharing.data.forwarding import Forwarding
from services.sharing.data.uses import DataUses
from tongban.sharing.v1 import data_service_pb2 as pb

Request = TypeVar("Request", pb.QueryRequest, pb.CompareRequest)
Answer = TypeVar("Answer", pb.QueryResponse, pb.CompareResponse)
Serve = Callable[[Command, Request, DataConsumer], Awaitable[Answer]]
Who = Callable[[Actor, Request, str], DataConsumer]


class DataApi:
    """Lets shared data be used, by this region and by others."""

    def __init__(self, parts: Parts, uses: DataUses, forwarding: Forwarding) -> None:
        self._audit = parts.audit
        self._home = parts.home
        self._uses = uses
        self._forwarding = forwarding

    async def query(self, request: pb.QueryRequest, call: Call) -> pb.QueryResponse:
        """Reads rows of this region or of another."""
        serve = self._forwarding.query if self._is_foreign(request.resource) else self._uses.query
        return await self._recorded(call, request, request, request.fields, consumer_here, serve)

    async def compare(self, request: pb.CompareRequest, call: Call) -> pb.CompareResponse:
        """Compares with rows of this region or of another."""
        serve = self._forwarding.compare if self._is_foreign(request.resource) else self._uses.compare
        return await self._recorded(call, request, request, _compared(request), consumer_here, serve)

    async def query_remote(self, request: pb.QueryRemoteRequest, call: Call) -> pb.QueryResponse:
        """Reads rows for a department of another region."""
        query = request.query
        return await self._recorded(call, request, query, query.fields, consumer_abroad, self._uses.query)

    async def compare_remote(self, request: pb.CompareRemoteRequest, call: Call) -> pb.CompareResponse:
        """Compares for a department of another region."""
        asked = request.comparison
        return await self._recorded(call, request, asked, _compared(asked), consumer_abroad, self._uses.compare)

    def _is_foreign(self, resource: str) -> bool:
        return names.parse(resource, "resource").is_foreign(self._home)

    async def _recorded(
        self,
        call: Call,
        whole: Message,
        request: Request,
        fields: Sequence[str],
        who: "Who[Request]",
        serve: "Serve[Request, Answer]",
    ) -> Answer:
        """Serves a use. A refusal is recorded by a statement of its own before the caller hears of it."""
        command = replace(command_of(whole, call=call), use=request.use_context)
        try:
            consumer = who(call.actor, request, self._home)
            command = _of(command, consumer)
            return await serve(command, request, consumer)
        except Exception as error:
            # Whatever it is: a use that failed stands in the log, also one that failed by a fault of ours.
            await self._record_failure(command, request.resource, fields, error)
            raise

    async def _record_failure(self, command: Command, resource: str, fields: Sequence[str], error: Exception) -> None:
        reason, named = "INTERNAL", ""
        if isinstance(error, TongbanError):
            reason, named = error.reason, error.metadata.get("fields", "")
        if reason != "AUDIT_UNAVAILABLE":
            about = names.parse(resource, "resource").relative_to(self._home)
            await self._audit.write(command, str(about), result=reason, fields=named.split(",") if named else fields)


def _compared(request: pb.CompareRequest) -> list[str]:
    return [given.field for given in request.given]


def _of(command: Command, consumer: DataConsumer) -> Command:
    """Says in the command for whom data is used, under a transaction id, which is made here where none came.

    On whose behalf: of the person at the keyboard where another made the call, else of whom the token acts for.
    """
    use = consumer.use
    use.transaction_id = use.transaction_id or str(uuid.uuid4())
    other = command.on_behalf_of if consumer.operator == command.actor else consumer.operator
    return replace(command, use=use, department=consumer.department, on_behalf_of=other)
