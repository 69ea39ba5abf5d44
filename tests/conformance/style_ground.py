"""What the rules of docs/api-style.md look at in the contracts."""

import re
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from libs.rpc.contract import Method
from tests.support import contracts

Found = Iterator[str]
READING = (
    "Get",
    "List",
    "Lookup",
    "Count",
    "Prove",
    "Check",
    "Compare",
    "Query",
    "Verify",
    "Validate",
    "Resolve",
    "Read",
    "Reveal",
    "Explain",
    "Download",
    "BatchGet",
)
"""The verbs of RPCs that only read."""


def all_messages() -> Iterator[Descriptor]:
    for file in contracts.files():
        if file.package.startswith("tongban.") and file.package != "tongban.options.v1":
            for message in file.message_types_by_name.values():
                yield message
                yield from (inner for inner in message.nested_types if not inner.GetOptions().map_entry)


def all_fields() -> Iterator[FieldDescriptor]:
    return (field for message in all_messages() for field in message.fields)


def methods(*verbs: str) -> Iterator[Method]:
    """The RPCs that one of the verbs begins; all where none is said."""
    return (method for method in contracts.methods() if not verbs or begins(str(method.descriptor.name), verbs))


def begins(name: str, verbs: Iterable[str]) -> bool:
    return any(re.match(rf"{verb}(?=[A-Z]|$)", name) for verb in verbs)


def owner(field: FieldDescriptor) -> Descriptor:
    assert field.containing_type is not None
    return field.containing_type


def kind_of(field: FieldDescriptor) -> str:
    return str(field.message_type.full_name) if field.message_type is not None else ""


def all_resources() -> Iterator[Descriptor]:
    """What has a name of its own: what RPCs answer with, and what lists hold."""
    shown = {str(message.full_name) for method in contracts.methods() for message in shown_by(method)}
    for message in all_messages():
        if message.full_name in shown and "name" in message.fields_by_name:
            yield message


def shown_by(method: Method) -> Iterator[Descriptor]:
    answer = method.descriptor.output_type
    yield answer
    yield from (field.message_type for field in answer.fields if field.message_type is not None)


def fields_of_resources() -> Iterator[FieldDescriptor]:
    return (field for resource in all_resources() for field in resource.fields)


def paths_of(method: Method) -> list[tuple[str, str, str]]:
    return contracts.http_mappings()[method.name]


def says(field: FieldDescriptor, sentence: str) -> bool:
    return sentence in " ".join(contracts.comment_of(str(field.full_name)).split())


def wrapped(method: MethodDescriptor) -> bool:
    answer = method.output_type
    first = answer.fields[0]
    held = first.message_type is not None and "name" in first.message_type.fields_by_name and not first.is_repeated
    return bool(answer.name == f"{method.name}Response" and held)
