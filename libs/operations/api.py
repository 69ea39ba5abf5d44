"""OperationService over a service's own operations; every service registers it."""

import asyncio
import time

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from libs.db.command import command_of
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.schema import operations
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field
from libs.lists import fields
from libs.lists.listing import FilteredList, Scope
from libs.lists.paths import Order, Path
from libs.operations import rules, store
from libs.operations.messages import SealedFields
from libs.operations.rules import LongOperation
from libs.rpc import languages
from libs.rpc.call import Call
from libs.uploads.api import owner_of
from tongban.operations.v1 import operation_service_pb2 as pb

_LONGEST_WAIT = 20.0
_LOOK_SECONDS = 0.25
_MARGIN_SECONDS = 1.0
OPERATIONS = FilteredList(
    LongOperation,
    pb.ListOperationsRequest,
    operations,
    {
        "done": fields.flag("(end_time IS NOT NULL)"),
        "method": fields.text("method"),
        "create_time": fields.moment("create_time"),
    },
    {"create_time": Order(("create_time", "id"), (Path(), Path(("owner",))))},
    "create_time desc",
)


class OperationApi:
    """Shows operations, waits for them, stops and forgets them."""

    def __init__(self, service: str, database: Database, uow: UnitOfWork, sealed: SealedFields, pages: Pages) -> None:
        self._service = service
        self._database = database
        self._uow = uow
        self._sealed = sealed
        self._pages = pages

    async def get_operation(self, request: pb.GetOperationRequest, call: Call) -> operations_pb2.Operation:
        """Gets an operation as it stands."""
        return self._message(await self._seen(request.name, call), call)

    async def list_operations(self, request: pb.ListOperationsRequest, call: Call) -> pb.ListOperationsResponse:
        """Lists the caller's operations, or all."""
        self._must_be_ours(request.name)
        scope = Scope({} if _manages(call) else {"owner": owner_of(call.actor)})
        async with self._database.read() as connection:
            shown, token = await OPERATIONS.page(connection, self._pages, request, (scope,))
        return pb.ListOperationsResponse(
            operations=[self._message(each, call) for each in shown], next_page_token=token
        )

    async def wait_operation(self, request: pb.WaitOperationRequest, call: Call) -> operations_pb2.Operation:
        """Waits until an operation has ended, or the time is over."""
        end = time.monotonic() + _patience(request, call)
        found = await self._seen(request.name, call)
        while found.end_time is None and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(_LOOK_SECONDS, left))
            found = await self._seen(request.name, call)
        return self._message(found, call)

    async def cancel_operation(self, request: pb.CancelOperationRequest, call: Call) -> empty_pb2.Empty:
        """Asks that an operation be stopped."""

        async def work(tx: Transaction) -> empty_pb2.Empty:
            found = await self._locked(tx, request.name, call)
            await store.CANCEL.execute(tx.connection, {"id": found.id})
            return empty_pb2.Empty()

        return await self._uow.run(command_of(request, call=call), work)

    async def delete_operation(self, request: pb.DeleteOperationRequest, call: Call) -> empty_pb2.Empty:
        """Forgets an operation that has ended."""

        async def work(tx: Transaction) -> empty_pb2.Empty:
            found = await self._locked(tx, request.name, call)
            rules.check_ended(found, request.name)
            await store.FORGET.execute(tx.connection, {"id": found.id})
            return empty_pb2.Empty()

        return await self._uow.run(command_of(request, call=call), work)

    async def interrupt_operation(self, request: pb.InterruptOperationRequest, call: Call) -> operations_pb2.Operation:
        """Ends an operation at once, whoever has it."""

        async def work(tx: Transaction) -> operations_pb2.Operation:
            found = await self._locked(tx, request.name, call)
            rules.check_under_way(found, request.name)
            error = self._sealed.error(found.id, rules.interrupted(request.name, "operator"))
            ended = await store.INTERRUPT.one(tx.connection, id=found.id, error=error, kept=rules.KEPT)
            return self._message(ended, call)

        return await self._uow.run(command_of(request, call=call), work)

    async def _seen(self, name: str, call: Call) -> LongOperation:
        found = await store.find(self._database, self._identifier(name))
        return rules.check_seen(found, name, owner_of(call.actor), _manages(call))

    async def _locked(self, tx: Transaction, name: str, call: Call) -> LongOperation:
        """Reads it so that nobody changes it meanwhile; the record of the call is about it."""
        tx.about = name
        found = await store.LOCKED.first(tx.connection, id=self._identifier(name))
        return rules.check_seen(found, name, owner_of(call.actor), _manages(call))

    def _must_be_ours(self, name: str) -> list[str]:
        _, service, *rest = name.split("/")
        if service != self._service:
            raise invalid_field("name", "service", f"these are the operations of {self._service}")
        return rest

    def _identifier(self, name: str) -> str:
        return self._must_be_ours(name)[0]

    def _message(self, found: LongOperation, call: Call) -> operations_pb2.Operation:
        language = languages.preferred(call.metadata.get(languages.HEADER, ""))
        return self._sealed.message(found, self._service, language)


def _manages(call: Call) -> bool:
    return call.actor.may(rules.MANAGES)


def _patience(request: pb.WaitOperationRequest, call: Call) -> float:
    """How long to wait: as asked, and so that the answer comes before the caller's deadline."""
    asked = request.timeout.ToMilliseconds() / 1000 if request.HasField("timeout") else _LONGEST_WAIT
    remaining: float | None = call.context.time_remaining()  # the stubs do not know that it may be None
    left = _LONGEST_WAIT if remaining is None else max(0.0, remaining - _MARGIN_SECONDS)
    return min(asked, left, _LONGEST_WAIT)
