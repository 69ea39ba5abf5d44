"""How a call begins an operation: with its own transaction, its record and its events, or not at all."""

from collections.abc import Mapping

from google.longrunning import operations_pb2
from google.protobuf.message import Message

from libs.config import OperationsConfig
from libs.db.leader import turn
from libs.db.uow import Transaction
from libs.ids.uuid7 import uuid7
from libs.observability.tracing import traceparent
from libs.operations import rules, store
from libs.operations.messages import SealedFields
from libs.operations.work import OperationKind
from libs.rpc import languages
from libs.rpc.contract import ContractError
from libs.rpc.messages import wire_bytes


class Operations:
    """Begins operations of the methods that a service does so.

    Attributes:
        kinds: by the method's full name, its work.
        waiting: is called once an operation that was begun stands.
    """

    def __init__(self, service: str, sealed: SealedFields, config: OperationsConfig) -> None:
        self._service, self._sealed, self._most = service, sealed, config.most
        self._kinds: dict[str, OperationKind] = {}
        self.waiting = _nobody

    @property
    def kinds(self) -> Mapping[str, OperationKind]:
        """By the method's full name, its work."""
        return self._kinds

    def offer(self, kind: OperationKind) -> None:
        """Adds the work of a method."""
        self._kinds[kind.method] = kind

    async def begin(self, tx: Transaction, request: Message) -> operations_pb2.Operation:
        """Begins what ``request`` asks for, within the caller's transaction.

        Raises:
            ResourceExhausted: OPERATION_QUOTA_EXCEEDED.
        """
        command = tx.command
        if command.method not in self._kinds:
            raise ContractError(f"{command.method} has no work")
        await turn(tx.connection, f"operations:{command.caller}")
        held = await store.UNDER_WAY.one(tx.connection, owner=command.caller)
        rules.check_room(held.count, self._most)
        key = uuid7()
        made = await store.ADD.one(
            tx.connection,
            id=key,
            method=command.method,
            owner=command.caller,
            actor=command.actor,
            trace=traceparent(command.trace_id, command.span_id) if command.trace_id else "",
            request=self._sealed.close("request", key, wire_bytes(request)),
        )
        tx.committed.append(self.waiting)
        return self._sealed.message(made, self._service, languages.CHINESE)


def _nobody() -> None:
    """Nobody waits for work."""
