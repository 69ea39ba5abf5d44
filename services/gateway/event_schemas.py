"""What events look like, from the contracts: a JSON Schema for each type, and what a webhook is sent."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf import descriptor_pb2

from libs.events.cloud_event import schema_url
from services.gateway.schemas import Json, Schemas
from tongban.options.v1 import options_pb2

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_COMPONENTS, _DEFS = "#/components/schemas/", "#/$defs/"
_REFERENCE = re.compile(rf'"\$ref": "{_COMPONENTS}([^"]+)"')
_ENVELOPE: Json = {
    "specversion": {"type": "string", "const": "1.0"},
    "id": {"type": "string", "minLength": 1, "description": "Unique within `source`: by it an event is taken once."},
    "source": {"type": "string", "minLength": 1, "format": "uri-reference", "description": "`//<region>/<service>`."},
    "subject": {"type": "string", "minLength": 1, "description": "The name of what it tells of."},
    "time": {"type": "string", "format": "date-time"},
    "dataschema": {"type": "string", "format": "uri"},
    "sequence": {"type": "string", "pattern": "^[0-9]{15}$", "description": "Its number among those of its subject."},
}


@dataclass(frozen=True, slots=True)
class EventMessage:
    """A message of the contracts that is an event: its type, its name (``.tongban.cases.v1.CaseDecided``), who is told."""

    type: str
    name: str
    public: bool


def event_messages(image: descriptor_pb2.FileDescriptorSet) -> list[EventMessage]:
    """Returns all events of the contracts, by their types."""
    return sorted(_events(image.file), key=lambda event: event.type)


def _events(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> Iterator[EventMessage]:
    for file in files:
        for message in file.message_type:
            said = message.options.Extensions[options_pb2.message].event
            if said.type:
                public = said.audience == options_pb2.EVENT_AUDIENCE_PUBLIC
                yield EventMessage(said.type, f".{file.package}.{message.name}", public)


def event_schemas(image: descriptor_pb2.FileDescriptorSet, base_url: str) -> dict[str, Json]:
    """Returns the JSON Schema of the data of every event, by type; its address is the event's ``dataschema``."""
    schemas = Schemas(image)
    roots = {
        event.type: schemas.reference(event.name)["$ref"].removeprefix(_COMPONENTS) for event in event_messages(image)
    }
    known = schemas.used()
    return {kind: _schema(schema_url(base_url, kind), root, known) for kind, root in roots.items()}


def _schema(url: str, root: str, known: Json) -> Json:
    needed = _needed(root, known)
    text = json.dumps({"$schema": _DIALECT, "$id": url, "$ref": f"{_COMPONENTS}{root}", "$defs": needed})
    made: Json = json.loads(_REFERENCE.sub(rf'"$ref": "{_DEFS}\1"', text))
    return made


def _needed(root: str, known: Json) -> Json:
    """The schemas that one refers to, itself among them."""
    found: Json = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = known[name]
            waiting += _REFERENCE.findall(json.dumps(known[name]))
    return dict(sorted(found.items()))


def webhooks(image: descriptor_pb2.FileDescriptorSet, schemas: Schemas) -> Json:
    """Returns what a webhook is sent for each public event: what ListChanges gives, a CloudEvent in JSON."""
    return {event.type: _webhook(event, schemas) for event in event_messages(image) if event.public}


def _webhook(event: EventMessage, schemas: Schemas) -> Json:
    named = {"type": {"type": "string", "const": event.type}, "data": schemas.reference(event.name)}
    schema = {"type": "object", "required": sorted([*_ENVELOPE, *named]), "properties": _ENVELOPE | named}
    content = {"application/cloudevents+json": {"schema": schema}}
    answers = {"2XX": {"description": "Taken; every other answer, and none, has it sent again."}}
    summary = f"{event.type}, as ListChanges gives it."
    return {"post": {"summary": summary, "requestBody": {"required": True, "content": content}, "responses": answers}}
