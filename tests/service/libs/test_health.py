"""What a service says of its health follows what it stands on, and its own end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.db.engine import Database, read_dsn
from libs.events.connection import redis_of
from libs.process import Process, health
from libs.process.health import DatabaseCheck, redis_check
from tests.support.service import Ground, Service, serving
from tests.support.wire import Wire, wire_to

_UP, _DOWN = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICE = "tongban.license.v1.LicenseService"


class Office:
    """A service that reaches its database and Redis over wires."""

    def __init__(self, service: Service, database: Wire, redis: Wire) -> None:
        self.service, self.database, self.redis = service, database, redis

    @property
    def process(self) -> Process:
        return self.service.process

    async def says(self, name: str = "") -> Any:
        check: Any = health_pb2_grpc.HealthStub(self.service.channel).Check  # type: ignore[attr-defined]
        return (await check(health_pb2.HealthCheckRequest(service=name))).status


@pytest_asyncio.fixture
async def office(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr(health, "_ANSWER_SECONDS", 0.5)
    async with serving(ground, "license") as service:
        dsn, url = read_dsn(service.process.config.database.dsn_file), service.process.config.redis.url
        async with wire_to(dsn) as database_wire, wire_to(url) as redis_wire:
            database, redis = Database(database_wire.dsn(dsn)), redis_of(redis_wire.dsn(url))
            check = DatabaseCheck(database)
            service.process.health.watch({"database": check}, {"redis": redis_check(redis)})
            yield Office(service, database_wire, redis_wire)
            await check.close()
            await redis.aclose()
            await database.close()


async def test_it_serves_while_all_answers(office: Office) -> None:
    await office.process.health.look()
    assert [await office.says(name) for name in ("", _SERVICE, "database", "redis")] == [_UP] * 4


async def test_a_database_that_does_not_answer_is_told_after_two_looks(office: Office) -> None:
    await office.process.health.look()
    office.database.hold = True
    office.database.fall_silent()
    await office.process.health.look()
    assert await office.says() == _UP, "one miss may be a hiccup"
    await office.process.health.look()
    assert [await office.says(name) for name in ("", _SERVICE, "database", "redis")] == [_DOWN, _DOWN, _DOWN, _UP]
    office.database.hold = False
    await office.process.health.look()
    assert [await office.says(name) for name in ("", _SERVICE, "database")] == [_UP] * 3


async def test_redis_away_is_told_and_does_not_stop_what_does_without(office: Office) -> None:
    await office.process.health.look()
    office.redis.hold = True
    office.redis.fall_silent()
    for _ in range(2):
        await office.process.health.look()
    assert [await office.says(name) for name in ("", "database", "redis")] == [_UP, _UP, _DOWN]
    office.redis.hold = False
    await office.process.health.look()
    assert await office.says("redis") == _UP


async def test_who_is_about_to_stop_says_so_and_stays_with_it(office: Office) -> None:
    await office.process.health.stop()
    await office.process.health.look()
    assert [await office.says(name) for name in ("", _SERVICE, "database")] == [_DOWN, _DOWN, _UP]
