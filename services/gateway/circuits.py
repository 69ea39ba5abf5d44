"""Opens Envoy's circuit to a service that hangs, so that calls are told within seconds, and closes it when it answers.

Envoy's own health check can't tell a service that is started again, for which calls shall wait, from one that hangs, for
which nobody should: both are misses. Here they are different things: a restart refuses connections, a hang answers nothing.
What is open stands in a file of limits that Envoy follows (RTDS); it is written anew at every start, so that nothing stays
open that nobody watches.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.background import forever
from libs.observability.logs import logger
from services.gateway.config import GatewayConfig
from services.gateway.envoy_clusters import Json, typed

_log = logger(__name__)
_EVERY_SECONDS = 0.4
_ANSWER_SECONDS = 1.5
_MISSES = 4
"""So many in a row: seven to eight seconds, in which no process is merely slow."""
_NAME = "circuits"
_FURTHER = {"identity": ("identity_http",)}
"""The same process at another port."""
_LIMITS = ("max_requests", "max_pending_requests", "max_retries")

Ask = Callable[[], Awaitable[bool]]
"""Asks one service; tells False where it hangs. One that refuses connections does not hang."""


def runtime(config: GatewayConfig) -> Json:
    """Returns the part of Envoy's configuration that has it follow the file."""
    source = {"path_config_source": {"path": str(config.envoy.circuits)}, "resource_api_version": "V3"}
    return {"layers": [{"name": _NAME, "rtds_layer": {"name": _NAME, "rtds_config": source}}]}


def write(config: GatewayConfig, opened: Iterable[str]) -> None:
    """Writes the file: no call goes to a service that is ``opened``."""
    clusters = [cluster for name in sorted(opened) for cluster in (name, *_FURTHER.get(name, ()))]
    limits = {f"circuit_breakers.{cluster}.default.{limit}": 0 for cluster in clusters for limit in _LIMITS}
    layer = typed("envoy.service.runtime.v3.Runtime", name=_NAME, layer=limits)
    unfinished = config.envoy.circuits.with_suffix(".new")
    unfinished.write_text(json.dumps({"resources": [layer]}), encoding="utf-8")
    unfinished.replace(config.envoy.circuits)


def asking(channel: grpc.aio.Channel) -> Ask:
    """Asks over ``channel`` whether a service lives, whatever it says of its health."""
    check: Any = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]

    async def ask() -> bool:
        try:
            await check(health_pb2.HealthCheckRequest(), timeout=_ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            hangs = error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
            return not hangs or "refused" in (error.details() or "")
        return True

    return ask


def any_of(replicas: Sequence[Ask]) -> Ask:
    """Asks all replicas of a service: it hangs only where none of them lives; Envoy leaves a single one out by itself."""

    async def ask() -> bool:
        return any(await asyncio.gather(*(replica() for replica in replicas)))

    return ask


class Circuits:
    """Watches the services."""

    def __init__(self, config: GatewayConfig, services: Mapping[str, Ask]) -> None:
        self._config = config
        self._services = services
        self._misses = dict.fromkeys(services, 0)

    @property
    def opened(self) -> set[str]:
        """The services that hang."""
        return {name for name, misses in self._misses.items() if misses >= _MISSES}

    async def run(self) -> None:
        """Watches for ever; each by itself, so that one that hangs holds up no other."""
        write(self._config, ())
        try:
            await asyncio.gather(
                *(forever(f"circuit:{name}", partial(self.look, name), _EVERY_SECONDS) for name in self._services)
            )
        finally:
            write(self._config, ())

    async def look(self, name: str) -> None:
        """Asks one service once, and opens or closes its circuit where that has come of it."""
        before = self.opened
        self._misses[name] = 0 if await self._services[name]() else self._misses[name] + 1
        if (now := self.opened) != before:
            _log.error("a service hangs" if name in now else "a service answers again", service=name)
            write(self._config, now)
