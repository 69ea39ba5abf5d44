"""Use of shared data from where the call comes in: who asks, of which region, and the record of every refusal."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import Message

from libs.access.actor import Standing
from libs.audit.writer import AuditWriter
from libs.db.command import Command, command_of
from libs.errors import TongbanError, invalid_field, reasons
from libs.ids import names
from libs.rpc.call import current_call, mark_recorded
from services.sharing.usecases.forward import Forwarder
from services.sharing.usecases.uses import Consumer, Uses
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import data_service_pb2 as pb

Request = TypeVar("Request", pb.QueryRequest, pb.CompareRequest)
Answer = TypeVar("Answer", pb.QueryResponse, pb.CompareResponse)
Serve = Callable[[Command, Request, Consumer], Awaitable[Answer]]


class Data:
    """Use cases of DataService and RegionDataService."""

    def __init__(self, uses: Uses, forwarder: Forwarder, audit: AuditWriter, home: str) -> None:
        self._uses = uses
        self._forwarder = forwarder
        self._audit = audit
        self._home = home

    async def query(self, request: pb.QueryRequest) -> pb.QueryResponse:
        """Reads rows of this region or of another."""
        serve = self._forwarder.query if self._is_foreign(request.resource) else self._uses.query
        return await self._recorded(request, request, request.fields, self._home_consumer, serve)

    async def compare(self, request: pb.CompareRequest) -> pb.CompareResponse:
        """Compares with rows of this region or of another."""
        serve = self._forwarder.compare if self._is_foreign(request.resource) else self._uses.compare
        fields = [given.field for given in request.given]
        return await self._recorded(request, request, fields, self._home_consumer, serve)

    async def query_remote(self, request: pb.QueryRemoteRequest) -> pb.QueryResponse:
        """Reads rows for a department of another region."""
        query = request.query
        return await self._recorded(request, query, query.fields, self._remote_consumer, self._uses.query)

    async def compare_remote(self, request: pb.CompareRemoteRequest) -> pb.CompareResponse:
        """Compares for a department of another region."""
        comparison = request.comparison
        fields = [given.field for given in comparison.given]
        return await self._recorded(request, comparison, fields, self._remote_consumer, self._uses.compare)

    def _is_foreign(self, resource: str) -> bool:
        return names.parse(resource, "resource").is_foreign(self._home)

    async def _recorded(
        self,
        whole: Message,
        request: Request,
        fields: Sequence[str],
        who: Callable[[Request], Consumer],
        serve: "Serve[Request, Answer]",
    ) -> Answer:
        """Serves a use. A refusal is recorded by a statement of its own before the caller hears of it."""
        command = _command(whole, request.use_context)
        try:
            consumer = who(request)
            command = replace(command, department=consumer.department, on_behalf_of=_other(command, consumer))
            answer = await serve(command, request, consumer)
        except Exception as error:
            # Whatever it is: a use that failed stands in the log, also one that failed by a fault of ours.
            reason = error.reason if isinstance(error, TongbanError) else "INTERNAL"
            named = error.metadata.get("fields", "") if isinstance(error, TongbanError) else ""
            if reason != "AUDIT_UNAVAILABLE":
                name = names.parse(request.resource, "resource").relative_to(self._home)
                refused = named.split(",") if named else fields
                await self._audit.write(command, str(name), result=reason, fields=refused)
            raise
        mark_recorded()  # by the ledger, with the use itself
        return answer

    def _home_consumer(self, request: Request) -> Consumer:
        """Returns for whom a caller of this region asks; staff and systems only for their own department.

        Only a service of ours may say for which department it works; of all others the token says it.
        """
        actor, context = current_call().actor, request.use_context
        claimed = context.department.removeprefix(f"//{self._home}/")
        operator = context.operator.removeprefix(f"//{self._home}/")
        if actor.standing is Standing.SERVICE:
            return Consumer(self._home, claimed, operator or actor.subject)
        if claimed and claimed != actor.department:
            raise reasons.not_owner("data is used for one's own department only")
        if actor.clerk and operator not in ("", actor.clerk):
            raise reasons.not_owner("the person at the keyboard is who the token names")
        return Consumer(self._home, actor.department, operator or actor.delegate or actor.subject)

    def _remote_consumer(self, request: Request) -> Consumer:
        """Returns for whom another region asks; it answers for its departments, its staff only for their own."""
        actor, context = current_call().actor, request.use_context
        if self._is_foreign(request.resource):
            region = names.parse(request.resource, "resource").region
            raise reasons.region_mismatch("the resource is of another region", region=region)
        ours = f"//{actor.region}/"
        if not context.department.startswith(f"{ours}departments/"):
            raise invalid_field("use_context.department", "department.region", "must be a department of your region")
        if not context.operator.startswith(ours):
            raise invalid_field("use_context.operator", "operator.region", "must be somebody of your region")
        if not context.transaction_id:
            raise invalid_field("use_context.transaction_id", "required", "both regions record it")
        by_service = actor.subject.startswith(f"{ours}services/")
        if not by_service and context.department != actor.department:
            raise reasons.not_owner("data is used for one's own department only")
        return Consumer(actor.region, context.department, context.operator)


def _command(whole: Message, context: common_pb2.UseContext) -> Command:
    """Builds the command with its transaction id, which is made here where none came."""
    use = common_pb2.UseContext()
    use.CopyFrom(context)
    use.transaction_id = use.transaction_id or str(uuid.uuid4())
    return replace(command_of(whole), use=use)


def _other(command: Command, consumer: Consumer) -> str:
    """Returns the person at the keyboard where another made the call, else whom the token acts for."""
    return command.on_behalf_of if consumer.operator == command.actor else consumer.operator
