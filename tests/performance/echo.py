"""The empty RPC that everything is compared with: its descriptor is made here, so no contract of ours carries it."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2
from google.protobuf.descriptor import ServiceDescriptor

from tongban.options.v1 import options_pb2

SERVICE = "bench.Echo"
PATH = f"/{SERVICE}/Echo"
NAME = "echo"
"""The process's name, in its certificate too."""


def descriptor() -> ServiceDescriptor:
    """Builds the service: one RPC from google.protobuf.Empty to google.protobuf.Empty, behind a permission as ours are."""
    file = descriptor_pb2.FileDescriptorProto(
        name="bench.proto", package="bench", syntax="proto3", dependency=[empty_pb2.DESCRIPTOR.name]
    )
    empty = ".google.protobuf.Empty"
    method = file.service.add(name="Echo").method.add(name="Echo", input_type=empty, output_type=empty)
    method.options.Extensions[options_pb2.rpc].access.permission = "identity.organizations.get"
    pool = descriptor_pool.Default()
    pool.Add(file)
    return pool.FindServiceByName(SERVICE)


class EchoApi:
    """Answers."""

    async def echo(self, request: empty_pb2.Empty, call: Any) -> empty_pb2.Empty:
        """Answers nothing."""
        return empty_pb2.Empty()
