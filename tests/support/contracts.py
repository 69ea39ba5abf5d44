"""The contracts as the conformance tests walk them: every element of every descriptor, with what was written of it."""

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, ServiceDescriptor

from buf.validate import validate_pb2
from libs.access import rights
from libs.rpc.contract import Method
from libs.rpc.images import image_path
from services.cases.core.exchange import Payload
from services.gateway.contracts import read_image, services
from tongban.options.v1 import options_pb2

OWNERS = tuple(sorted(rights.SERVICES))
"""The five services; each serves AuditService and ParkedEventService besides its own."""
_OURS = "tongban."
_SERVERS_OWN = {field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER}


@cache
def files() -> tuple[FileDescriptor, ...]:
    """All files of the contracts, loaded."""
    folder = image_path().parent
    paths = sorted(Path(folder, "tongban").rglob("*_pb2.py"))
    modules = [importlib.import_module(".".join(path.relative_to(folder).with_suffix("").parts)) for path in paths]
    return tuple(module.DESCRIPTOR for module in modules)


@cache
def grpc_services() -> tuple[ServiceDescriptor, ...]:
    """All gRPC services, in the order of their names."""
    found = (service for file in files() for service in file.services_by_name.values())
    return tuple(sorted(found, key=lambda service: str(service.full_name)))


@cache
def methods() -> tuple[Method, ...]:
    """All RPCs."""
    return tuple(Method(method) for service in grpc_services() for method in service.methods)


def methods_of_owner(owner: str) -> list[Method]:
    """The RPCs of the gRPC services that ``owner`` declares, without those that all serve."""
    return [method for method in methods() if owner_of(method) == owner]


def methods_of_shared() -> list[Method]:
    """The RPCs that every service serves over its own records."""
    return [method for method in methods() if owner_of(method) not in OWNERS]


def owner_of(method: Method) -> str:
    """The process that serves an RPC: ``cases`` of ``tongban.cases.v1.CaseService.GetCase``."""
    return method.name.split(".")[1]


def find_message(full_name: str) -> Descriptor:
    """A message by its full name."""
    files()
    return descriptor_pool.Default().FindMessageTypeByName(full_name)


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """What ``buf.validate`` says of a field; empty where it says nothing."""
    return field.GetOptions().Extensions[validate_pb2.field]


def behaviors(field: FieldDescriptor) -> set[int]:
    """The field's ``google.api.field_behavior``."""
    return set(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def output_only(field: FieldDescriptor) -> bool:
    """Whether what a caller writes there counts for nothing."""
    return not _SERVERS_OWN.isdisjoint(behaviors(field))


def message_of(field: FieldDescriptor) -> Descriptor:
    """The message that a field holds; only for fields that hold one."""
    assert field.message_type is not None
    return field.message_type


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """The enum of a field; only for fields that have one."""
    assert field.enum_type is not None
    return field.enum_type


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def is_ours(message: Descriptor | None) -> bool:
    """Whether a message is of our contracts."""
    return message is not None and str(message.full_name).startswith(_OURS)


@cache
def request_messages() -> tuple[Descriptor, ...]:
    """Every message that can stand in a request: the requests, what their writable fields hold, and what travels as bytes."""
    found: dict[str, Descriptor] = {}

    def visit(message: Descriptor) -> None:
        if message.full_name in found or not is_ours(message):
            return
        found[message.full_name] = message
        for field in message.fields:
            if field.message_type is not None and not output_only(field):
                visit(field.message_type)

    for method in methods():
        visit(method.descriptor.input_type)
    for payload in payload_messages():
        visit(payload)
    return tuple(found.values())


def payload_messages() -> tuple[Descriptor, ...]:
    """The messages that travel between regions as bytes in an envelope."""
    return tuple(find_message(str(kind)) for kind in Payload)


def envelope() -> Descriptor:
    """The envelope that they travel in."""
    return find_message("tongban.cases.v1.TransferMessage")


def request_fields() -> list[FieldDescriptor]:
    """Every field that a caller can fill, map entries' own aside."""
    return [field for message in request_messages() if not message.GetOptions().map_entry for field in message.fields]


def access_of(method: Method) -> options_pb2.Access:
    """The RPC's access option, empty where it is missing."""
    return method.descriptor.GetOptions().Extensions[options_pb2.rpc].access


@dataclass(frozen=True)
class Element:
    """One thing that a contract declares, and the comment above it."""

    kind: str
    full_name: str
    comment: str


@cache
def elements() -> tuple[Element, ...]:
    """Every service, RPC, message, field, enum and enum value of ours, from the image's source information."""
    ours = (file for file in read_image().file if file.package.startswith(_OURS))
    return tuple(element for file in ours for element in _File(file).elements())


def comment_of(full_name: str) -> str:
    """The comment above the element with this full name."""
    return _comments()[full_name]


@cache
def _comments() -> dict[str, str]:
    return {element.full_name: element.comment for element in elements()}


class _File:
    """One file's elements with their comments, found by their place in the source information."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self._file = file
        self._said = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}

    def elements(self) -> Iterator[Element]:
        """Every element."""
        package = self._file.package
        for place, service in enumerate(self._file.service):
            yield self._element("service", f"{package}.{service.name}", (6, place))
            for index, method in enumerate(service.method):
                yield self._element("rpc", f"{package}.{service.name}.{method.name}", (6, place, 2, index))
        yield from self._messages(self._file.message_type, package, (4,))
        yield from self._enums(self._file.enum_type, package, (5,))

    def _element(self, kind: str, full_name: str, path: tuple[int, ...]) -> Element:
        return Element(kind, full_name, self._said.get(path, ""))

    def _enums(
        self, items: Iterable[descriptor_pb2.EnumDescriptorProto], scope: str, path: tuple[int, ...]
    ) -> Iterator[Element]:
        for place, enum in enumerate(items):
            yield self._element("enum", f"{scope}.{enum.name}", (*path, place))
            for index, value in enumerate(enum.value):
                yield self._element("enum value", f"{scope}.{enum.name}.{value.name}", (*path, place, 2, index))

    def _messages(
        self, items: Iterable[descriptor_pb2.DescriptorProto], scope: str, path: tuple[int, ...]
    ) -> Iterator[Element]:
        for place, message in enumerate(items):
            if message.options.map_entry:
                continue
            name, here = f"{scope}.{message.name}", (*path, place)
            yield self._element("message", name, here)
            for index, field in enumerate(message.field):
                yield self._element("field", f"{name}.{field.name}", (*here, 2, index))
            yield from self._messages(message.nested_type, name, (*here, 3))
            yield from self._enums(message.enum_type, name, (*here, 4))


def http_mappings() -> dict[str, list[tuple[str, str, str]]]:
    """The HTTP mappings of every RPC by its full name: verb, path template, body."""
    return {f"{rpc.service}.{rpc.name}": rpc.http for service in services(read_image()) for rpc in service.rpcs}
