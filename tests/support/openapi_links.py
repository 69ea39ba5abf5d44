"""Links for a document of ours, made from the names of resources: from each answer to whatever is done with what it names.

They stand here and not in the document: OpenAPI's own expressions can't cut a part of a path out of a name, only schemathesis' can.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.api import resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from libs.rpc.contract import Method
from services.gateway.http_paths import VARIABLE, path_of
from services.gateway.openapi import operations
from tests.support import contracts

Json = dict[str, Any]
_OPERATION, _OPERATIONS = "google.longrunning.Operation", "operations/*/*"
"""What takes longer than a call: Google's message, which says of no resource that it is one."""


@dataclass(frozen=True)
class Named:
    """A name within an answer: where it stands, of what type of resource it is, and where that one's etag stands (or nowhere).

    ``own`` of what the answer is about, and not of what that refers to.
    """

    pointer: str
    type: str
    own: bool = False
    etag: str = ""


@dataclass(frozen=True)
class Place:
    """Where an operation takes a name: in its path, by these parameters, or in a field of its body."""

    type: str
    parameters: tuple[tuple[str, str], ...] = ()
    field: str = ""


@cache
def _resources() -> dict[str, Descriptor]:
    """Our resources by their types."""
    found = {_resource(message).type: message for message in _messages()}
    return {kind: message for kind, message in found.items() if kind}


@cache
def _messages() -> tuple[Descriptor, ...]:
    return tuple(message for file in contracts.files() for message in file.message_types_by_name.values())


def _resource(message: Descriptor) -> resource_pb2.ResourceDescriptor:
    return message.GetOptions().Extensions[resource_pb2.resource]


def _forms(kind: str) -> list[str]:
    """The forms of a type's names, ``departments/*/posts/*``."""
    if kind == _OPERATION:
        return [_OPERATIONS]
    return [re.sub(r"\{[^}]*\}", "*", each) for each in _resource(_resources()[kind]).pattern]


def _is_text(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated


def _refers(field: FieldDescriptor) -> str:
    """The type of the resource that a text names; empty where it names none."""
    kind = field.GetOptions().Extensions[resource_pb2.resource_reference].type if _is_text(field) else ""
    return kind if kind in _resources() else ""


def _in_thing(message: Descriptor, at: str) -> Iterator[Named]:
    """What a resource says of names: its own, and those of what it refers to."""
    if message.full_name == _OPERATION:
        yield Named(f"{at}/name", _OPERATION, own=True)
    elif kind := _resource(message).type:
        etag = f"{at}/etag" if "etag" in message.fields_by_name else ""
        yield Named(f"{at}/name", kind, own=True, etag=etag)
        for field in message.fields:
            if refers := _refers(field):
                yield Named(f"{at}/{field.json_name}", refers)


def named_in(message: Descriptor) -> Iterator[Named]:
    """The names that an answer holds: of a list those of its first row."""
    yield from _in_thing(message, "")
    for field in message.fields:
        if field.message_type is not None:
            yield from _in_thing(field.message_type, f"/{field.json_name}" + ("/0" if field.is_repeated else ""))


def _of_form(form: str) -> Iterator[str]:
    return (kind for kind in (*_resources(), _OPERATION) if form in _forms(kind))


def _field(message: Descriptor, path: str) -> FieldDescriptor:
    first, _, rest = path.partition(".")
    field = message.fields_by_name[first]
    return _field(contracts.message_of(field), rest) if rest else field


def places_in(method: Method, template: str, body: str) -> Iterator[Place]:
    """Where an operation takes names."""
    names = path_of(template)[1]
    for path, form in VARIABLE.findall(template):
        parts = (form or "*").split("/")
        mine, names = names[: parts.count("*")], names[parts.count("*") :]
        said = _refers(_field(method.descriptor.input_type, path))
        for kind in _of_form(form) if form else [said] * bool(said):
            yield Place(kind, tuple((each, _cut(parts, place)) for place, each in enumerate(mine)))
    if body:
        for field in method.descriptor.input_type.fields:
            if (kind := _refers(field)) and field.name not in path_of(template)[2]:
                yield Place(kind, field=field.json_name)


def _cut(parts: list[str], place: int) -> str:
    """The expression that takes the part at the ``place``-th star out of a name."""
    stars = [at for at, part in enumerate(parts) if part == "*"]
    return (
        "^"
        + "/".join(
            "([^/]+)" if at == stars[place] else "[^/]+" * (part == "*") or part for at, part in enumerate(parts)
        )
        + "$"
    )


def _link(operation: str, place: Place, named: Named, etag: str) -> Json:
    """``etag`` is where the operation takes one: in its body, its query, or nowhere."""
    said = f"$response.body#{named.pointer}"
    parameters = {f"path.{name}": f"{said}#regex:{cut}" for name, cut in place.parameters}
    body: Json = {place.field: said} if place.field else {}
    if named.etag and place.parameters:
        read = f"$response.body#{named.etag}"
        parameters |= {"query.etag": read} if etag == "query" else {}
        body |= {"etag": read} if etag == "body" else {}
    said_so = {"parameters": parameters, "requestBody": body}
    return {"operationId": operation} | {key: each for key, each in said_so.items() if each}


def _goes(named: Named, place: Place, target: Method) -> bool:
    """Whether a link is worth its while: of what a thing refers to it is enough to look at it."""
    return place.type == named.type and (named.own or (bool(place.parameters) and not target.writes))


@dataclass(frozen=True)
class _Operation:
    """An operation of the document, with what it is in the contracts."""

    id: str
    method: Method
    answer: Json
    places: tuple[Place, ...]
    etag: str


def _known(document: Json) -> Iterator[_Operation]:
    methods = {each.path[1:]: each for each in contracts.methods()}
    mappings = {
        (method.path, path_of(template)[0], verb): (template, body)
        for method in methods.values()
        for verb, template, body in contracts.http_mappings().get(method.name, ())
    }
    for path, verb, operation in operations(document):
        method = methods[operation["x-grpc-method"]]
        template, body = mappings.get((method.path, path, verb), ("", ""))
        places = tuple(places_in(method, template, body)) if template else ()
        takes_etag = "etag" in method.descriptor.input_type.fields_by_name
        etag = ("body" if body else "query") if takes_etag else ""
        answer = operation["responses"].get("200")
        if answer is not None:
            yield _Operation(operation["operationId"], method, answer, places, etag)


def linked(document: Json) -> Json:
    """Puts the links into a document, and returns it."""
    known = list(_known(document))
    for source in known:
        if source.method.descriptor.server_streaming:
            continue
        for named in named_in(source.method.descriptor.output_type):
            for target in known:
                for place in (each for each in target.places if _goes(named, each, target.method)):
                    name = f"{target.id}.{place.field or 'path'}.{named.pointer[1:].replace('/', '.')}"
                    link = _link(target.id, place, named, target.etag)
                    source.answer.setdefault("links", {})[name] = link
    return document
