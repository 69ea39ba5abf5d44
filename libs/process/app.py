"""What a service is made of, as its ``app.py`` lists it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from libs.events.change_api import Followed
from libs.events.cloud_event import Event
from libs.events.consumer import EventHandler
from libs.events.types import event_type
from libs.owndata.holdings import HeldKind, KnownBy, by_no_other_name
from libs.rpc.stages.trust import Check

Task = Callable[[], Awaitable[None]]
Handle = Callable[[Event, Any], Awaitable[None]]
"""Handles an event; its second argument is the message that the event carries."""


@dataclass(frozen=True, slots=True)
class App:
    """The features and workers of a service.

    Attributes:
        apis: what serves each of its gRPC services (``LicenseService``); each RPC has its handler in one of them.
        events: what handles which event of other services.
        followed: who is shown what changed, by the collection of what changed.
        workers: tasks that run beside the server for ever.
        closers: what has to be closed when the process ends.
        held: what kinds of things it holds on persons and firms, which they are told of.
        known_by: tells under which further names the uses of somebody's data are noted, where the service knows no accounts.
        trusted: tells whether another region is trusted now, where the service knows that itself; None asks identity.
    """

    apis: Mapping[str, Sequence[object]]
    events: Mapping[type[Message], Handle] = field(default_factory=dict)
    followed: Mapping[str, Followed] = field(default_factory=dict)
    workers: Sequence[Task] = ()
    closers: Sequence[Task] = ()
    held: Sequence[HeldKind] = ()
    known_by: KnownBy = by_no_other_name
    trusted: Check | None = None

    @property
    def sources(self) -> list[str]:
        """The services whose events are handled."""
        return sorted({_service_of(message) for message in self.events})

    def handlers(self) -> dict[str, EventHandler]:
        """Returns what handles which type of event."""
        return {event_type(message): _opening(message, handle) for message, handle in self.events.items()}

    def served(self, service: str) -> list[tuple[ServiceDescriptor, Sequence[object]]]:
        """Returns the gRPC services of the process ``service`` with what serves them."""
        pool = descriptor_pool.Default()
        return [(pool.FindServiceByName(f"tongban.{service}.v1.{name}"), apis) for name, apis in self.apis.items()]


def _service_of(message: type[Message]) -> str:
    return str(message.DESCRIPTOR.file.package).split(".")[1]


def _opening(message: type[Message], handle: Handle) -> EventHandler:
    async def opened(event: Event) -> None:
        await handle(event, message.FromString(event.data))

    return opened
