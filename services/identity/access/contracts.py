"""What the contracts of all services ask of who calls: read once from their image."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from libs.access.rights import READING
from libs.rpc.images import image_path
from tongban.options.v1 import options_pb2


@dataclass(frozen=True, slots=True)
class Declared:
    """What an RPC declares.

    Attributes:
        access: who may call.
        reads: whether it only reads, be it on record; false of what is public, which asks nobody for a right.
    """

    access: options_pb2.Access
    reads: bool


AccessOf = Mapping[str, Declared]
"""By the full name of an RPC, `tongban.cases.v1.CaseService.AcceptCase`."""


def declared_access() -> AccessOf:
    """Reads what every RPC of ours declares."""
    image = FileDescriptorSet.FromString(image_path().read_bytes())
    return {
        f"{file.package}.{service.name}.{method.name}": Declared(
            _own(access := method.options.Extensions[options_pb2.rpc].access), access.permission in READING
        )
        for file in image.file
        if file.package.startswith("tongban.")
        for service in file.service
        for method in service.method
    }


def _own(access: options_pb2.Access) -> options_pb2.Access:
    """Returns a copy: a part of the image would keep all of it, comments included, for as long as the process lives."""
    copy = options_pb2.Access()
    copy.CopyFrom(access)
    return copy
