"""What the portal asks the services behind the gateway."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.rpc.client import invoke, neighbour_channel
from services.gateway.circuits import Ask, asking
from services.gateway.config import GatewayConfig
from tongban.license.v1 import verification_service_pb2, verification_service_pb2_grpc

_HEALTH_SECONDS = 2.0
_DEPENDENCIES = ("database", "redis")


class Neighbours:
    """Channels to the five services, with the gateway's certificate."""

    def __init__(self, config: GatewayConfig) -> None:
        self._channels = {
            name: neighbour_channel(address, config.tls) for name, address in sorted(config.neighbours.items())
        }

    async def _serving(self, channel: grpc.aio.Channel, what: str = "") -> bool:
        check: Any = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        try:
            answer = await check(health_pb2.HealthCheckRequest(service=what), timeout=_HEALTH_SECONDS)
        except grpc.aio.AioRpcError as error:
            return what != "" and error.code() is grpc.StatusCode.NOT_FOUND  # a dependency that it does without
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def _states(self, name: str, channel: grpc.aio.Channel) -> dict[str, bool]:
        serving, *standing = await asyncio.gather(
            self._serving(channel), *(self._serving(channel, each) for each in _DEPENDENCIES)
        )
        away = [each for each, up in zip(_DEPENDENCIES, standing, strict=True) if not up]
        return {name: serving} | {f"{name}/{each}": False for each in away}

    async def health(self) -> dict[str, bool]:
        """Tells of each service whether it serves, and of each whose dependency is away which that is."""
        answers = await asyncio.gather(*(self._states(*each) for each in self._channels.items()))
        return {name: up for states in answers for name, up in states.items()}

    def asking(self) -> dict[str, Ask]:
        """Ways to ask each service whether it lives."""
        return {name: asking(channel) for name, channel in self._channels.items()}

    async def verify(
        self, request: verification_service_pb2.VerifyLicenseRequest
    ) -> verification_service_pb2.VerifyLicenseResponse:
        """Asks whether a licence is good; raises TongbanError."""
        stub = verification_service_pb2_grpc.VerificationServiceStub(self._channels["license"])
        answer = verification_service_pb2.VerifyLicenseResponse
        return await invoke(stub.VerifyLicense, request, answer, to="license", token="")

    async def close(self) -> None:
        """Closes the channels."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))
