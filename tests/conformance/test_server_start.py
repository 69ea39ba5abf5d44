"""A server starts with what its contract says and nothing less, and lets in whom it names."""

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.errors import (
    PermissionDenied,
    Unavailable,
)
from libs.rpc.client import neighbour_channel
from libs.rpc.contract import ContractError
from tests.support.backends import HOST
from tests.support.rpc_lab import (
    ACCOUNTS,
    Accounts,
    Lab,
    get_person,
)


async def test_a_server_is_healthy_once_it_serves(lab: Lab) -> None:
    async with lab.serving() as channel:
        request = health_pb2.HealthCheckRequest(service=ACCOUNTS.full_name)
        answer = await health_pb2_grpc.HealthStub(channel).Check(request)  # type: ignore[attr-defined]
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def _undeclared() -> ServiceDescriptor:
    """A gRPC service whose RPC says nothing of access."""
    file = descriptor_pb2.FileDescriptorProto(name="undeclared.proto", package="undeclared", syntax="proto3")
    file.message_type.add(name="Nothing")
    method = file.service.add(name="OpenService").method.add(name="Enter")
    method.input_type = method.output_type = ".undeclared.Nothing"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindServiceByName("undeclared.OpenService")


def test_an_rpc_without_access_stops_the_start(lab: Lab) -> None:
    class Open:
        async def enter(self, request: Any, call: Any) -> Any: ...

    with pytest.raises(ContractError, match=r"undeclared\.OpenService\.Enter declares no"):
        lab.builder().add(_undeclared(), Open())


def test_an_rpc_that_nobody_serves_stops_the_start(lab: Lab) -> None:
    class Half:
        async def get_person(self, request: Any, call: Any) -> Any: ...

    with pytest.raises(ContractError, match="CreatePerson is served 0 times by Half"):
        lab.builder().add(ACCOUNTS, Half())


async def test_an_allowlist_with_an_unknown_service_stops_the_start(lab: Lab) -> None:
    builder = lab.builder(allow={ACCOUNTS.full_name: ["gateway"], "tongban.identity.v1.AcountService": ["gateway"]})
    with pytest.raises(ContractError, match=r"tongban\.identity\.v1\.AcountService"):
        await builder.add(ACCOUNTS, Accounts()).build()


async def test_a_service_without_a_row_is_closed(lab: Lab) -> None:
    server = await lab.builder(allow={}).add(ACCOUNTS, Accounts()).build()
    await server.start()
    async with neighbour_channel(f"{HOST}:{lab.config.grpc.port}", lab.ground.tls("gateway")) as channel:
        with pytest.raises(PermissionDenied) as error:
            await get_person(channel, lab.token())
    await server.stop(None)
    assert error.value.reason == "PEER_NOT_ALLOWED"


async def test_a_peer_without_our_certificate_gets_no_connection(lab: Lab) -> None:
    async with lab.serving():
        authority = grpc.ssl_channel_credentials(lab.ground.tls("gateway").ca.read_bytes())
        async with grpc.aio.secure_channel(f"{HOST}:{lab.config.grpc.port}", authority) as channel:
            with pytest.raises(Unavailable):
                await get_person(channel, lab.token())
