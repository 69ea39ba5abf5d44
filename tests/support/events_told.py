"""The events that the contracts declare, and what of them says too much to be told to others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.api import resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tests.support import contracts
from tongban.options.v1 import options_pb2

_FREE = ("张三", "Zhang San", "请补交身份证", "13800138000,")
"""What somebody might write; a field of an event that others read must not take it."""
_TEXT = FieldDescriptor.TYPE_STRING
_WELL_KNOWN = "google.protobuf.Timestamp"


@dataclass(frozen=True)
class DeclaredEvent:
    """A message that is an event."""

    message: Descriptor
    type: str
    audience: int

    @property
    def name(self) -> str:
        """The message's."""
        return str(self.message.name)


def declared() -> list[DeclaredEvent]:
    """All events."""
    return [
        DeclaredEvent(message, said.type, said.audience)
        for file in contracts.files()
        for message in file.message_types_by_name.values()
        if (said := message.GetOptions().Extensions[options_pb2.message].event).type
    ]


def public() -> list[DeclaredEvent]:
    """Those that others than the region's services are told of."""
    return [event for event in declared() if event.audience == options_pb2.EVENT_AUDIENCE_PUBLIC]


def fields(message: Descriptor, path: str = "", around: tuple[str, ...] = ()) -> Iterator[tuple[str, FieldDescriptor]]:
    """Every field of a message and of what it holds, by its path."""
    for field in message.fields:
        here = f"{path or message.name}.{field.name}"
        yield here, field
        inner = field.message_type
        if inner is not None and inner.full_name != _WELL_KNOWN and inner.full_name not in around:
            yield from fields(inner, here, (*around, str(inner.full_name)))


def says_too_much(message: Descriptor) -> list[str]:
    """The fields that may hold somebody's data, or what somebody writes, by their paths."""
    return [path for path, field in fields(message) if _too_much(field)]


def _too_much(field: FieldDescriptor) -> bool:
    said = field.GetOptions().Extensions[options_pb2.field]
    if said.personal or said.secret or field.type == FieldDescriptor.TYPE_BYTES:
        return True
    if field.type != _TEXT or said.published or field.GetOptions().Extensions[resource_pb2.resource_reference].type:
        return False
    rules = contracts.rules_of(field)
    text = rules.repeated.items.string if field.is_repeated else rules.string
    allowed = list(getattr(text, "in"))
    return not allowed and (not text.pattern or any(re.search(text.pattern, each) for each in _FREE))
