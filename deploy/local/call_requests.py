"""Requests from words on a command line: ``post.display_name=收件``, ``filter=…``, as the JSON mapping of the contracts reads them."""

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Request = TypeVar("Request", bound=Message)
Standing = TypeVar("Standing", dict[str, Any], list[Any])
_WRITTEN_AS_TEXT = frozenset(f"google.protobuf.{name}" for name in ("Timestamp", "Duration", "FieldMask"))
"""The messages of the contracts that JSON writes as a string (ProtoJSON)."""


class NoSuchField(ValueError):
    """A word names what the request does not have, or gives what can't stand there."""


def request_of(kind: type[Request], words: Iterable[str], body: str = "") -> Request:
    """Makes a request.

    Args:
        kind: its class.
        words: ``field=value``, a dotted path for what lies deeper; a repeated field is given once for each of its values, or a list of
            them. Messages, maps and lists are written in JSON.
        body: JSON that the words are added to, and of which they replace what is no list; empty for none.

    Raises:
        NoSuchField: with the word, and what is wrong with it.
    """
    asked = _object(body) if body.strip() else {}
    described: Any = kind.DESCRIPTOR
    single = set[str]()
    for word in words:
        path, field = _put(asked, described, word)
        if path in single:
            raise NoSuchField(f"{word}: {path} is given twice")
        if not _is_list(field):
            single.add(path)
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


def _put(asked: dict[str, Any], kind: Descriptor, word: str) -> tuple[str, FieldDescriptor]:
    """Adds what a word says; returns the path of JSON names that it goes by, and the field at its end."""
    path, equals, text = word.partition("=")
    if not equals:
        raise NoSuchField(f"{word}: written as field=value")
    *outer, last = path.split(".")
    way = list[str]()
    for name in outer:
        field = _field(kind, name, word)
        if field.message_type is None or field.is_repeated:
            raise NoSuchField(f"{word}: {name} has no fields by names")
        kind, asked = field.message_type, _there(asked, field, dict, word)
        way.append(field.json_name)
    field = _field(kind, last, word)
    value = _value(field, text, word)
    if not _is_list(field):
        asked[field.json_name] = value
    else:
        _there(asked, field, list, word).extend(value if isinstance(value, list) else [value])
    return ".".join([*way, field.json_name]), field


def _there(asked: dict[str, Any], field: FieldDescriptor, kind: type[Standing], word: str) -> Standing:
    """What stands in a field already, made where nothing does; raises NoSuchField where the body has something else there."""
    found: Any = asked.setdefault(field.json_name, kind())
    if not isinstance(found, kind):
        raise NoSuchField(f"{word}: the request has {json.dumps(found, ensure_ascii=False)} as its {field.json_name}")
    return found


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
    if field.message_type is not None and not isinstance(found, dict | (list if _is_list(field) else dict)):
        raise NoSuchField(f"{word}: {field.name} is a JSON object")
    return found


def _is_json(field: FieldDescriptor, text: str) -> bool:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.message_type is not None and field.message_type.full_name not in _WRITTEN_AS_TEXT:
        return True
    return _is_list(field) and text.startswith("[")


def _is_list(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated) and not _is_map(field)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
