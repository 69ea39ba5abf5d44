"""What only the server writes is not taken from a caller (AIP-203): in a request's resource it is as if it were not there.

So a resource that was read can be sent back as it is, and an old client's ``state`` or ``create_time`` does nothing. It is
left out before anything is checked or done; evidence stays of the bytes that came.
"""

from functools import cache
from typing import Any

from google.api import field_behavior_pb2, resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

SERVERS_OWN = frozenset({field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER})
"""What the server writes; the name in an Update says which resource is meant."""
_MASK = "update_mask"


def behaviors_of(field: FieldDescriptor) -> frozenset[int]:
    """Returns what the contract says of a field by `field_behavior`."""
    return frozenset(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


@cache
def resource_fields(request: Descriptor) -> tuple[FieldDescriptor, ...]:
    """Returns the fields of a request in which a resource stands that is to be made or changed."""
    return tuple(
        field
        for field in request.fields
        if not field.is_repeated
        and field.message_type is not None
        and field.message_type.GetOptions().HasExtension(resource_pb2.resource)
    )


def leave_out(request: Message) -> None:
    """Takes out of the resource of ``request`` what only the server writes."""
    for field in resource_fields(request.DESCRIPTOR):
        if request.HasField(field.name):
            named = _MASK in request.DESCRIPTOR.fields_by_name
            _leave_out(getattr(request, field.name), named=named)


def _leave_out(message: Any, *, named: bool = False) -> None:
    own, within = _plan(message.DESCRIPTOR)
    for name in own:
        if not (named and name == "name"):
            message.ClearField(name)
    for field in within:
        if field.is_repeated:
            for each in getattr(message, field.name):
                _leave_out(each)
        elif message.HasField(field.name):
            _leave_out(getattr(message, field.name))


@cache
def _plan(message: Descriptor) -> tuple[tuple[str, ...], tuple[FieldDescriptor, ...]]:
    """The server's own fields of a message, and the others that hold such somewhere within."""
    own = tuple(str(field.name) for field in message.fields if behaviors_of(field) & SERVERS_OWN)
    others = (field for field in message.fields if field.name not in own)
    return own, tuple(field for field in others if _holds(field, ()))


def _holds(field: FieldDescriptor, above: tuple[str, ...]) -> bool:
    kind = field.message_type
    if kind is None or kind.GetOptions().map_entry or kind.full_name in above:
        return False
    return any(behaviors_of(each) & SERVERS_OWN or _holds(each, (*above, str(kind.full_name))) for each in kind.fields)
