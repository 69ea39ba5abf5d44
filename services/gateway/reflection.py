"""gRPC reflection over all public services of the region, version 1 and 1alpha, for ``buf curl`` and its like."""

from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from libs.config import TlsConfig
from libs.rpc.server import server_credentials
from services.gateway.contracts import services

_VERSION_1 = "grpc.reflection.v1.ServerReflection"


class ContractPool:
    """Every file of the image, options included: what a reflection servicer asks of a descriptor pool."""

    def __init__(self, image: descriptor_pb2.FileDescriptorSet) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for file in image.file:
            self._pool.Add(file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802
        """Finds the file of a symbol, of a method too; raises KeyError where there is none.

        The protocol allows ``<package>.<service>.<method>``, and ghz asks so; protobuf's own pool knows no methods here.
        """
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file


def _also_as_version_1(server: grpc.aio.Server, servicer: Any) -> None:
    # The messages of both versions are the same on the wire; grpcio-reflection serves 1alpha only.
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler(_VERSION_1, {"ServerReflectionInfo": handler})
    server.add_generic_rpc_handlers((handlers,))


def reflection_server(image: descriptor_pb2.FileDescriptorSet, address: str, tls: TlsConfig) -> grpc.aio.Server:
    """Builds the server, bound but not started; it takes mTLS only."""
    # Reflection does not list itself: its own file is not among the contracts, and buf looks every listed name up.
    names = [service.full_name for service in services(image) if service.public_rpcs]
    server = grpc.aio.server()
    servicer = reflection.aio.ReflectionServicer(names, pool=ContractPool(image))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    _also_as_version_1(server, servicer)
    alive: Any = health.aio.HealthServicer()
    # Set before the start: its own setter is a coroutine.
    alive._server_status = {"": health_pb2.HealthCheckResponse.SERVING}  # noqa: SLF001
    health_pb2_grpc.add_HealthServicer_to_server(alive, server)
    server.add_secure_port(address, server_credentials(tls))
    return server
