"""What the contracts of all services ask of who calls: read once from their image."""

from collections.abc import Mapping

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from libs.rpc.images import image_path
from tongban.options.v1 import options_pb2

AccessOf = Mapping[str, options_pb2.Access]
"""By the full name of an RPC, `tongban.cases.v1.CaseService.AcceptCase`."""


def declared_access() -> AccessOf:
    """Reads what every RPC of ours declares."""
    image = FileDescriptorSet.FromString(image_path().read_bytes())
    return {
        f"{file.package}.{service.name}.{method.name}": _own(method.options.Extensions[options_pb2.rpc].access)
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
