"""Protobuf's bytes as an independent hand reads and writes them: another library's order of fields, and what order there is."""

from collections.abc import Iterator
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

_LENGTH_DELIMITED = 2


def reversed_fields(message: Message) -> bytes:
    """The same message as a library might send it that writes the last field first, in nested messages too."""
    pieces = []
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            alone = type(message)()
            alone.MergeFrom(message)
            for other, _ in message.ListFields():
                if other.name != field.name:
                    alone.ClearField(other.name)
            pieces.append(alone.SerializeToString())
        else:
            each = value if field.is_repeated else (value,)
            pieces.append(b"".join(_delimited(field.number, reversed_fields(one)) for one in each))
    return b"".join(reversed(pieces))


_VALUES: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_STRING: "字",
    FieldDescriptor.CPPTYPE_BOOL: True,
}


def filled(descriptor: Descriptor, depth: int = 4) -> Message:
    """A message with something in every field, whatever its rules say; of a oneof in its last, of a list two."""
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            _fill_map(message, field, depth)
        elif inner is not None and depth:
            given = filled(inner, depth - 1)
            target = getattr(message, field.name)
            target.extend([given, given]) if field.is_repeated else target.CopyFrom(given)
        elif inner is None:
            value = _value(field)
            getattr(message, field.name).extend([value, value]) if field.is_repeated else setattr(
                message, field.name, value
            )
    return message


def _fill_map(message: Message, field: FieldDescriptor, depth: int) -> None:
    assert field.message_type is not None
    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    target = getattr(message, field.name)
    if value.message_type is None:
        target[_value(key)] = _value(value)
    elif depth:
        target[_value(key)].CopyFrom(filled(value.message_type, depth - 1))


def _value(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"bytes"
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    return _VALUES.get(field.cpp_type, 7)


def disorder(data: bytes, descriptor: Any, inside: str = "") -> Iterator[str]:
    """Names the fields of serialised bytes that stand before one of a lower number, or map entries out of order."""
    before, keys = 0, b""
    for number, content in _fields(data):
        field = descriptor.fields_by_number.get(number)
        if number < before:
            yield f"{inside}{number}"
        is_map = field is not None and field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map and number == before and content < keys:
            yield f"{inside}{number}: entries"
        if field is not None and field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type is not None:
            yield from disorder(content, field.message_type, f"{inside}{number}.")
        before, keys = number, content if is_map else b""


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        start = place
        if tag & 7 == _LENGTH_DELIMITED:
            length, start = _varint(data, place)
            place = start + length
        elif tag & 7 == 0:
            _, place = _varint(data, place)
        else:
            place += {1: 8, 5: 4}[tag & 7]
        yield tag >> 3, data[start:place]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _delimited(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _LENGTH_DELIMITED) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
