"""What the portal asks the services behind the gateway."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.rpc.client import invoke, neighbour_channel
from services.gateway.circuits import Ask, any_of, asking
from services.gateway.config import GatewayConfig
from tongban.license.v1 import verification_service_pb2, verification_service_pb2_grpc

_HEALTH_SECONDS = 2.0
_DEPENDENCIES = ("database", "redis", "disk", "keys")


class Neighbours:
    """Channels to the five services, with the gateway's certificate."""

    def __init__(self, config: GatewayConfig) -> None:
        self._replicas = {
            name: [neighbour_channel(address, config.tls) for address in addresses.split(",")]
            for name, addresses in sorted(config.neighbours.items())
        }
        self._services = {
            name: neighbour_channel(addresses, config.tls, f"{name}.{config.region.id}.{config.tls.domain}")
            for name, addresses in config.neighbours.items()
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
        """Tells whether each service serves, and each of its replicas where it has several; and which dependency is away."""
        answers = await asyncio.gather(*(self._of_service(*each) for each in self._replicas.items()))
        return {name: up for states in answers for name, up in states.items()}

    async def _of_service(self, name: str, replicas: Sequence[grpc.aio.Channel]) -> dict[str, bool]:
        """The states of a service's replicas (``cases-1``), and of the service: whether one of them serves."""
        if len(replicas) == 1:
            return await self._states(name, replicas[0])
        names = [f"{name}-{number}" for number in range(1, len(replicas) + 1)]
        found = await asyncio.gather(*(self._states(*each) for each in zip(names, replicas, strict=True)))
        states = {each: up for one in found for each, up in one.items()}
        return {name: any(states[each] for each in names)} | states

    def asking(self) -> dict[str, Ask]:
        """Ways to ask each service whether it lives."""
        return {name: any_of([asking(each) for each in replicas]) for name, replicas in self._replicas.items()}

    def service(self, name: str) -> grpc.aio.Channel | None:
        """Returns the channel to a service, whichever of its replicas answers; None where there is no such service."""
        return self._services.get(name)

    async def verify(
        self, request: verification_service_pb2.VerifyLicenseRequest
    ) -> verification_service_pb2.VerifyLicenseResponse:
        """Asks whether a licence is good; raises TongbanError."""
        stub = verification_service_pb2_grpc.VerificationServiceStub(self._services["license"])
        answer = verification_service_pb2.VerifyLicenseResponse
        return await invoke(stub.VerifyLicense, request, answer, to="license", token="")

    async def close(self) -> None:
        """Closes the channels."""
        channels = [each for replicas in self._replicas.values() for each in replicas]
        await asyncio.gather(*(channel.close() for channel in (*channels, *self._services.values())))
