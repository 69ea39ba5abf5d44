"""The rules of docs/api-style.md on names, resources and standard methods (N, R, S): each yields what breaks it."""

import re

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

from tests.conformance.style_ground import (
    READING,
    Found,
    all_fields,
    all_resources,
    begins,
    fields_of_resources,
    kind_of,
    methods,
    owner,
    paths_of,
    wrapped,
)
from tests.support import contracts

_NAMES_OF_PEOPLE = re.compile(
    r"(?:.*_)?(?:display_name|full_name|file_name|holder_name|recipient_name|contact_name)|organization_names"
)


def times_and_dates() -> Found:
    endings = {
        "google.protobuf.Timestamp": r"(?:.*_)?times?$",
        "tongban.common.v1.Date": r"(?:.*_)?dates?$",
    }
    for field in all_fields():
        if owner(field).name in ("Date", "Value"):
            continue
        for kind, ending in endings.items():
            if bool(re.fullmatch(ending, field.name)) != (kind_of(field) == kind):
                yield str(field.full_name)


def references() -> Found:
    for field in all_fields():
        named = re.fullmatch(r".+_names?", field.name) and not _NAMES_OF_PEOPLE.fullmatch(field.name)
        if named and field.type == FieldDescriptor.TYPE_STRING:
            yield str(field.full_name)


def bools() -> Found:
    for field in all_fields():
        if field.type == FieldDescriptor.TYPE_BOOL and re.match(r"(?:is|has)_", field.name):
            yield str(field.full_name)


def verbs() -> Found:
    for method in methods():
        gets = {verb for verb, _, _ in paths_of(method)} == {"GET"}
        if gets and not begins(str(method.descriptor.name), READING):
            yield method.name


def names_first() -> Found:
    for resource in all_resources():
        first = resource.fields[0]
        if first.name != "name" or field_behavior_pb2.IDENTIFIER not in contracts.behaviors(first):
            yield str(resource.full_name)


def behaviors() -> Found:
    for field in fields_of_resources():
        if not contracts.behaviors(field):
            yield str(field.full_name)


def states() -> Found:
    for resource in all_resources():
        for field in resource.fields:
            if field.name == "state" and (
                contracts.enum_of(field).name != f"{resource.name}State" or not contracts.output_only(field)
            ):
                yield str(field.full_name)
            if re.match(r"replaced_by|replacement", field.name):
                yield str(field.full_name)
    for file in contracts.files():
        for enum in file.enum_types_by_name.values():
            yield from (
                f"{file.package}.{value.name}"
                for value in enum.values
                if str(enum.name).endswith("State") and value.name.endswith("_REPLACED")
            )


def etags() -> Found:
    for resource in all_resources():
        if "etag" in resource.fields_by_name and "create_time" not in resource.fields_by_name:
            yield str(resource.full_name)


def gets() -> Found:
    for method in methods("Get"):
        request, noun = method.descriptor.input_type, method.descriptor.name.removeprefix("Get")
        answers = method.descriptor.output_type.name in (noun, "HttpBody") or not request.fields
        if [str(field.name) for field in request.fields][:1] not in (["name"], []) or not answers:
            yield method.name


def lists() -> Found:
    for method in methods("List"):
        answer = method.descriptor.output_type
        if not any(field.is_repeated for field in answer.fields) or answer.name != f"{method.descriptor.name}Response":
            yield method.name


def creates() -> Found:
    for method in methods("Create"):
        noun = method.descriptor.name.removeprefix("Create")
        field = re.sub(r"(?<!^)(?=[A-Z])", "_", noun).lower()
        taken = method.descriptor.input_type.fields_by_name.get(field)
        path = next((path for _, path, _ in paths_of(method)), "")
        if taken is None or taken.message_type is None or taken.message_type.name != noun or ":" in path.split("}")[-1]:
            yield method.name


def updates() -> Found:
    for method in methods("Update"):
        fields = method.descriptor.input_type.fields_by_name
        if "update_mask" not in fields or {verb for verb, _, _ in paths_of(method)} != {"PATCH"}:
            yield method.name
    for method in methods("Delete"):
        if {verb for verb, _, _ in paths_of(method)} != {"DELETE"}:
            yield method.name


def answers() -> Found:
    for method in methods():
        kept = [field.name for field in method.descriptor.output_type.fields]
        if len(kept) == 1 and wrapped(method.descriptor):
            yield method.name
