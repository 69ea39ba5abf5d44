"""Finds what a message holds and its contract does not know: fields and enum values of a newer contract, of another one, or of none.

Protobuf keeps both silently, so a restriction that this server does not know would be left out of what it does. Requests
are refused for an unknown field (decision 0032); what another region hands over is kept until it is known (decision 0047).
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from libs.errors import Violation, reasons

_MOST_LOOKED_AT = 1_000


def refuse_unknown(message: Message, data: bytes) -> None:
    """Raises InvalidArgument FIELD_INVALID that names the unknown fields of ``message``, which was parsed from ``data``.

    A message without any is only measured twice: leaving out an unknown field always makes it shorter.
    """
    whole = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() == whole:
        return
    # The bytes are read again: measuring has taken out what is to be named.
    violations = unknown_fields(type(message).FromString(data))
    raise reasons.field_invalid("the request holds fields that its contract lacks", violations=violations)


def unknown_fields(message: Message) -> tuple[Violation, ...]:
    """Names the fields of ``message`` that its contract lacks, wherever they stand; each once, the first thousand."""
    found = dict.fromkeys(islice(_unknown(message), _MOST_LOOKED_AT))
    return tuple(
        Violation(path, "protobuf.unknown_field", f"{descriptor.full_name} {_fault(descriptor, number)}")
        for path, descriptor, number in found
    )


def unknown_values(message: Message) -> tuple[Violation, ...]:
    """Names the enum fields of ``message`` with a value that its contract lacks, wherever they stand; the first thousand."""
    return tuple(
        Violation(path, "protobuf.unknown_value", f"{kind} has no value {number}")
        for path, kind, number in islice(_unknown_numbers(message), _MOST_LOOKED_AT)
    )


def _unknown_numbers(message: Message) -> Iterator[tuple[str, str, int]]:
    for path, inner in _all(message, ""):
        for field, value in inner.ListFields():
            if field.enum_type is None:
                continue
            for number in value if field.is_repeated else (value,):
                if number not in field.enum_type.values_by_number:
                    yield f"{path}{field.name}", field.enum_type.full_name, number


def _fault(descriptor: Descriptor, number: int) -> str:
    known = descriptor.fields_by_number.get(number)
    return f"has no field {number}" if known is None else f"has another type of field {number}"


def _unknown(message: Message) -> Iterator[tuple[str, Descriptor, int]]:
    """The unknown fields of a message and of all within it: path, the message that does not know it, number."""
    for path, inner in _all(message, ""):
        descriptor: Any = inner.DESCRIPTOR
        fields: Any = UnknownFieldSet(inner)
        for field in fields:
            yield f"{path}{field.field_number}", descriptor, field.field_number


def _all(message: Message, path: str) -> Iterator[tuple[str, Message]]:
    yield path, message
    for field, value in message.ListFields():
        for subscript, each in _messages(field, value):
            yield from _all(each, f"{path}{field.name}{subscript}.")


def _messages(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Message]]:
    if field.message_type is None:
        return
    if field.message_type.GetOptions().map_entry:
        pairs = value.items()
    elif field.is_repeated:
        pairs = enumerate(value)
    else:
        pairs = [(None, value)]
    yield from (("" if key is None else in_brackets(key), each) for key, each in pairs if isinstance(each, Message))


def in_brackets(key: object) -> str:
    """Returns a place in a list, or a key of a map, as paths tell it: ``[3]``, ``["JYXM"]``."""
    return f"[{json.dumps(key, ensure_ascii=False)}]"
