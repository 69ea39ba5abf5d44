"""Which type of CloudEvent a message is, and who is told of it: what the contract says of the message."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from google.api import resource_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from tongban.options.v1 import options_pb2


@dataclass(frozen=True, slots=True)
class EventType:
    """What a contract says of an event.

    Attributes:
        type: the CloudEvents type.
        message: the full name of the message that it carries.
        public: whether others than the region's services are told of it.
        collection: what its subject is of: `cases`; empty where the contract has no resource of that name.
    """

    type: str
    message: str
    public: bool
    collection: str = ""


def event_type(message: type[Message]) -> str:
    """Returns the type of the events that carry ``message``; raises ValueError for one that the contract makes no event."""
    return declared(message).type


def declared(message: type[Message]) -> EventType:
    """Returns what the contract says of the events that carry ``message``; raises ValueError for what is no event."""
    found = _declared(message.DESCRIPTOR)
    if found is None:
        raise ValueError(f"{message.DESCRIPTOR.full_name} is no event")
    return found


def events_of(service: str) -> Mapping[str, EventType]:
    """Returns the events that a service emits, by their types; none where it declares none."""
    try:
        file = descriptor_pool.Default().FindFileByName(f"tongban/{service}/v1/events.proto")
    except KeyError:
        return {}
    found = map(_declared, file.message_types_by_name.values())
    return {each.type: each for each in found if each is not None}


@cache
def _declared(message: Descriptor) -> EventType | None:
    said = message.GetOptions().Extensions[options_pb2.message].event
    if not said.type:
        return None
    public = said.audience == options_pb2.EVENT_AUDIENCE_PUBLIC
    return EventType(str(said.type), str(message.full_name), public, _collection(message, str(said.type)))


def _collection(message: Descriptor, kind: str) -> str:
    """The collection of the resource that a type is of: `licenseTypes` of `cn.tongban.license.license_type.published.v1`."""
    noun = "".join(word.title() for word in kind.split(".")[-3].split("_"))
    try:
        resource = descriptor_pool.Default().FindMessageTypeByName(f"{message.file.package}.{noun}")
    except KeyError:
        return ""
    return str(resource.GetOptions().Extensions[resource_pb2.resource].plural)
