"""Which services count as hanging."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from services.gateway import circuits
from services.gateway.circuits import Circuits, any_of, asking
from services.gateway.config import GatewayConfig
from tests.unit.gateway.test_envoy_config import config

__all__ = ["config"]


class Service:
    """One that answers as it is told."""

    def __init__(self) -> None:
        self.lives = True

    async def __call__(self) -> bool:
        return self.lives


class Channel:
    """A channel over which a check ends as it is told."""

    def __init__(self, ending: grpc.StatusCode, details: str = "") -> None:
        self._ending = ending
        self._details = details

    def unary_unary(self, *_args: Any, **_more: Any) -> Any:
        async def check(_request: Any, timeout: float) -> Any:
            if self._ending is grpc.StatusCode.OK:
                return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)
            none = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(self._ending, none, none, self._details)

        return check

    unary_stream = unary_unary


def _limits(config: GatewayConfig) -> dict[str, int]:
    """The limits that Envoy reads."""
    limits: dict[str, int] = json.loads(Path(config.envoy.circuits).read_text())["resources"][0]["layer"]
    return limits


async def test_a_service_hangs_after_four_misses_in_a_row_and_until_it_answers(config: GatewayConfig) -> None:
    license_, cases = Service(), Service()
    watched = Circuits(config, {"license": license_, "cases": cases})
    circuits.write(config, ())
    license_.lives = False
    for _ in range(3):
        await watched.look("license")
    await watched.look("cases")
    assert _limits(config) == {}
    await watched.look("license")
    assert _limits(config) == {
        f"circuit_breakers.license.default.{limit}": 0
        for limit in ("max_requests", "max_pending_requests", "max_retries")
    }
    license_.lives = True
    await watched.look("license")
    assert _limits(config) == {}


async def test_misses_count_in_a_row_only(config: GatewayConfig) -> None:
    service = Service()
    watched = Circuits(config, {"license": service})
    for lives in (False, False, False, True, False, False, False):
        service.lives = lives
        await watched.look("license")
    assert watched.opened == set()


@pytest.mark.parametrize(
    ("code", "details", "lives"),
    [
        (grpc.StatusCode.OK, "", True),
        (grpc.StatusCode.NOT_FOUND, "", True),
        (grpc.StatusCode.UNAVAILABLE, "failed to connect: Connection refused (111)", True),
        (grpc.StatusCode.UNAVAILABLE, "Handshake read failed (Endpoint closing)", False),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", False),
    ],
)
async def test_what_refuses_connections_is_started_again_and_does_not_hang(
    code: grpc.StatusCode, details: str, lives: bool
) -> None:
    channel: Any = Channel(code, details)
    assert await asking(channel)() is lives


@pytest.mark.parametrize(("lives", "hangs"), [((True, False), False), ((False, False), True)])
async def test_a_service_hangs_only_where_all_its_replicas_do(lives: tuple[bool, bool], hangs: bool) -> None:
    replicas = [Service(), Service()]
    for replica, state in zip(replicas, lives, strict=True):
        replica.lives = state
    assert await any_of(replicas)() is not hangs
