"""Which type of CloudEvent a message is: what the contract says of it."""

from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from tongban.options.v1 import options_pb2


def event_type(message: type[Message]) -> str:
    """Returns the type of the events that carry ``message``; raises ValueError for one that the contract makes no event."""
    return _declared(message.DESCRIPTOR)


@cache
def _declared(message: Descriptor) -> str:
    declared = str(message.GetOptions().Extensions[options_pb2.message].event)
    if not declared:
        raise ValueError(f"{message.full_name} is no event")
    return declared
