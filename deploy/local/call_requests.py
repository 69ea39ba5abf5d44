"""Requests from words on a command line: ``post.display_name=收件``, ``filter=…``, as the JSON mapping of the contracts reads them."""

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Request = TypeVar("Request", bound=Message)
_WRITTEN_AS_TEXT = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Timestamp",
        "Duration",
        "FieldMask",
        "StringValue",
        "BytesValue",
        "Int32Value",
        "Int64Value",
        "UInt32Value",
        "UInt64Value",
        "DoubleValue",
        "FloatValue",
    )
)
"""Messages that JSON writes as a string (ProtoJSON)."""


class NoSuchField(ValueError):
    """A word names what the request does not have, or gives what can't stand there."""


def request_of(kind: type[Request], words: Iterable[str], body: str = "") -> Request:
    """Makes a request.

    Args:
        kind: its class.
        words: ``field=value``, a dotted path for what lies deeper; a repeated field is given once for each of its values. Messages and
            maps, and lists at once, are written in JSON.
        body: JSON that the words are added to; empty for none.

    Raises:
        NoSuchField: with the word, and what is wrong with it.
    """
    asked = _object(body) if body.strip() else {}
    described: Any = kind.DESCRIPTOR
    for word in words:
        _put(asked, described, word)
    try:
        return json_format.ParseDict(asked, kind())
    except json_format.ParseError as error:
        raise NoSuchField(str(error)) from None


def _object(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise NoSuchField(f"the request is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise NoSuchField("the request is no JSON object")
    return found


def _put(asked: dict[str, Any], kind: Descriptor, word: str) -> None:
    path, equals, text = word.partition("=")
    if not equals:
        raise NoSuchField(f"{word}: written as field=value")
    *outer, last = path.split(".")
    for name in outer:
        field = _field(kind, name, word)
        if field.message_type is None or _is_repeated(field):
            raise NoSuchField(f"{word}: {name} has no fields by names")
        kind, asked = field.message_type, asked.setdefault(field.json_name, {})
    field = _field(kind, last, word)
    value = _value(field, text, word)
    if _is_repeated(field) and not isinstance(value, list | dict):
        asked.setdefault(field.json_name, []).append(value)
    else:
        asked[field.json_name] = value


def _field(kind: Descriptor, name: str, word: str) -> FieldDescriptor:
    found = kind.fields_by_name.get(name) or kind.fields_by_camelcase_name.get(name)
    if found is None:
        has = ", ".join(kind.fields_by_name)
        raise NoSuchField(f"{word}: {kind.name} has no field {name}; it has {has or 'none'}")
    return found


def _value(field: FieldDescriptor, text: str, word: str) -> Any:
    if not _is_json(field, text):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        raise NoSuchField(f"{word}: {field.name} is written in JSON") from None
    if field.message_type is not None and not isinstance(found, dict) and not _is_repeated(field):
        raise NoSuchField(f"{word}: {field.name} is a JSON object")
    return found


def _is_json(field: FieldDescriptor, text: str) -> bool:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.message_type is not None and field.message_type.full_name not in _WRITTEN_AS_TEXT:
        return True
    return _is_repeated(field) and text.startswith("[")


def _is_repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)
