"""DataService: who asks, of which region, and the record of every refusal."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from libs.access.context import lies_here
from libs.db.command import Command, command_of
from libs.errors import TongbanError
from libs.ids import names
from libs.rpc.call import Call
from services.sharing.core.parts import Parts
from services.sharing.data.consumers import DataConsumer, consumer_of
from services.sharing.data.forwarding import Forwarding
from services.sharing.data.uses import DataUses
from tongban.sharing.v1 import data_service_pb2 as pb

Request = TypeVar("Request", pb.QueryRequest, pb.CompareRequest)
Answer = TypeVar("Answer", pb.QueryResponse, pb.CompareResponse)
Serve = Callable[[Command, Request, DataConsumer], Awaitable[Answer]]


class DataApi:
    """Lets shared data be used, by this region and by others."""

    def __init__(self, parts: Parts, uses: DataUses, forwarding: Forwarding) -> None:
        self._audit = parts.audit
        self._home = parts.home
        self._uses = uses
        self._forwarding = forwarding

    async def query(self, request: pb.QueryRequest, call: Call) -> pb.QueryResponse:
        """Reads rows of this region or of another."""
        return await self._recorded(call, request, request.fields, self._uses.query, self._forwarding.query)

    async def compare(self, request: pb.CompareRequest, call: Call) -> pb.CompareResponse:
        """Compares with rows of this region or of another."""
        return await self._recorded(call, request, _compared(request), self._uses.compare, self._forwarding.compare)

    async def _recorded(
        self,
        call: Call,
        request: Request,
        fields: Sequence[str],
        here: "Serve[Request, Answer]",
        there: "Serve[Request, Answer]",
    ) -> Answer:
        """Serves a use. A refusal is recorded by a statement of its own before the caller hears of it."""
        command = command_of(request, call=call)
        try:
            region = names.parse(request.resource, "resource").region
            serve = here if lies_here(call.actor, region, self._home) else there
            consumer = consumer_of(call.actor, request, self._home)
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
