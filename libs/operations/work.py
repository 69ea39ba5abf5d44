"""What an operation does: the work of one method, and what it is handed to note how far it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from libs.operations.rules import LongOperation
from libs.rpc.contract import ContractError, method_of

Note = Callable[[str, int, int, bytes], Awaitable[None]]


@dataclass(slots=True)
class OperationWork:
    """A work under way, as it stands when it is taken up.

    Attributes:
        name: the operation's.
        owner: who began it: the subject of the token, and who acts for it.
        checkpoint: what was noted last; empty where nothing was yet.
    """

    name: str
    owner: str
    checkpoint: bytes
    _note: Note

    async def note(self, phase: str, done: int, total: int, checkpoint: bytes) -> None:
        """Notes that ``done`` of ``total`` items are done, and what is needed to go on from here.

        What was done before must stand, and be harmless where it is done again: after this is noted, and not before, it
        is not done again.

        Raises:
            Cancelled: OPERATION_CANCELLED, somebody asked for it; what the work leaves behind it takes away now.
            OperationLost: another has it, or it was interrupted: stop at once, and touch nothing.
        """
        await self._note(phase, done, total, checkpoint)
        self.checkpoint = checkpoint


class OperationLost(Exception):
    """This process has the operation no more."""


@dataclass(frozen=True, slots=True)
class OperationKind:
    """The work of one method.

    Attributes:
        request: the class of what is asked, which names the method.
        work: does it, from the checkpoint on, and returns the response; a TongbanError is the operation's error, but one
            that is likely to pass (Unavailable, Aborted), with which it is taken up again.
    """

    request: type[Message]
    work: Callable[[Any, OperationWork], Awaitable[Message]]

    @property
    def method(self) -> str:
        """The full name of the RPC that begins it."""
        descriptor: Any = self.request.DESCRIPTOR
        method = method_of(descriptor)
        if method is None:
            raise ContractError(f"{descriptor.full_name} begins no operation")
        return method.name


def operation(found: LongOperation, service: str) -> str:
    """Returns the name of an operation."""
    return f"operations/{service}/{found.id}"
