"""What a service stands on, asked every second; what it says of its health follows within seconds (decisions 0013, 0040)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from redis.asyncio import Redis

from libs.background import forever
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.statement import ping
from libs.errors import reasons
from libs.observability import metrics
from libs.observability.logs import logger
from libs.process.checks import CheckFailed
from libs.rpc.client import TAKES_CALLS

_log = logger(__name__)
_EVERY_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_MISSES = 2
"""So many in a row count: one may be the machine's hiccup, and a state that flaps helps nobody."""

_DATABASE = "database"
_WRITE_AGAIN_SECONDS = 30.0

Check = Callable[[], Awaitable[None]]
"""Asks one dependency; raises where it does not answer."""


class DatabaseCheck:
    """Asks the database over a connection of its own: that all others are in use says nothing about the server."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held = AsyncExitStack()
        self._connection: DatabaseConnection | None = None

    async def __call__(self) -> None:
        """Raises where no answer comes; the connection is opened anew then."""
        try:
            if self._connection is None:
                self._connection = await self._held.enter_async_context(self._database.own())
            await ping(self._connection)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Closes the connection."""
        self._connection = None
        await self._held.aclose()


def redis_check(redis: Redis) -> Check:
    """Asks Redis."""

    async def check() -> None:
        await redis.ping()

    return check


class Health:
    """What ``grpc.health.v1`` says of a service.

    The empty name, and those of the gRPC services, follow what is needed for any call at all (the database, the keys), and
    that the process isn't about to stop; those of services that write follow what writing needs too (the disk). Each
    dependency has its name (``database``, ``redis``, ``disk``, ``keys``), for whoever looks closer. ``calls`` says whether
    to send it a call now: one without its keys answers still, by those that it opened when it started.
    """

    def __init__(self) -> None:
        self._servicer = health.aio.HealthServicer()
        self._needed: dict[str, Check] = {}
        self._writing: dict[str, Check] = {}
        self._further: dict[str, Check] = {}
        self._names: dict[str, bool] = {"": False}
        self._misses: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._stopping = False

    def watch(
        self, needed: Mapping[str, Check], further: Mapping[str, Check], writing: Mapping[str, Check] | None = None
    ) -> None:
        """Says what is to be asked: what every call needs, what some do without, and what calls that write need."""
        self._needed, self._further, self._writing = dict(needed), dict(further), dict(writing or {})

    async def serve(self, server: grpc.aio.Server, names: Mapping[str, bool]) -> None:
        """Answers on ``server`` for the gRPC services ``names``, each with whether it writes."""
        self._names = {"": False, **names}
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        await self._tell()

    async def run(self) -> None:
        """Asks for ever."""
        await forever("health", self.look, _EVERY_SECONDS)

    async def look(self) -> None:
        """Asks every dependency once, and tells what follows from it."""
        checks = self._all
        await asyncio.gather(*(self._ask(name, check) for name, check in checks.items()))
        await self._tell()

    @property
    def _all(self) -> dict[str, Check]:
        return self._needed | self._writing | self._further

    def require_writing(self) -> None:
        """Raises DEPENDENCY_UNAVAILABLE where something that writing needs is away."""
        for name in self._writing:
            if not self.is_up(name):
                raise reasons.dependency_unavailable(
                    f"nothing can be written now: {name}", retry_after=_WRITE_AGAIN_SECONDS, dependency=name
                )

    async def stop(self) -> None:
        """From now on the process is about to stop: nobody shall send it a new call."""
        self._stopping = True
        await self._tell()

    def is_up(self, name: str) -> bool:
        """Whether a dependency answers."""
        return self._misses.get(name, 0) < _MISSES

    async def _ask(self, name: str, check: Check) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the dependency does not answer
            self._missed(name, error)
        else:
            self._answered(name)

    def _missed(self, name: str, error: Exception) -> None:
        self._misses[name] = self._misses.get(name, 0) + 1
        self._since.setdefault(name, time.monotonic())
        if self._misses[name] == _MISSES:
            why = {"why": str(error)} if isinstance(error, CheckFailed) else {}
            _log.error("dependency away", dependency=name, error=type(error).__name__, **why)
        metrics.DEPENDENCY_UP.labels(name).set(self.is_up(name))
        if not self.is_up(name):
            metrics.DEPENDENCY_AWAY_SINCE.labels(name).set(time.time() - (time.monotonic() - self._since[name]))

    def _answered(self, name: str) -> None:
        since = self._since.pop(name, None)
        if not self.is_up(name) and since is not None:
            seconds = time.monotonic() - since
            metrics.DEPENDENCY_AWAY_SECONDS.labels(name).inc(seconds)
            _log.warning("dependency back", dependency=name, seconds=round(seconds, 1))
        self._misses[name] = 0
        metrics.DEPENDENCY_UP.labels(name).set(1)
        metrics.DEPENDENCY_AWAY_SINCE.labels(name).set(0)

    async def _tell(self) -> None:
        serving = not self._stopping and all(map(self.is_up, self._needed))
        writing = serving and all(map(self.is_up, self._writing))
        for name, writes in self._names.items():
            await self._set(name, writing if writes else serving)
        for name in self._all:
            await self._set(name, self.is_up(name))
        await self._set(TAKES_CALLS, not self._stopping and self.is_up(_DATABASE))

    async def _set(self, name: str, serving: bool) -> None:
        states = health_pb2.HealthCheckResponse
        await self._servicer.set(name, states.SERVING if serving else states.NOT_SERVING)
