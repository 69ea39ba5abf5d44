"""The parts of a service process without its server: for tests of what all services stand on."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message

from libs.clock import Clock
from libs.config import ServiceConfig
from libs.db.command import Command, digest_of
from libs.process import Process, end
from tests.support import sql
from tests.support.service import Ground, configured
from tongban.common.v1 import common_pb2

_PATIENCE = 20.0


@asynccontextmanager
async def process_of(ground: Ground, service: str = "license", clock: Clock | None = None) -> AsyncIterator[Process]:
    """Lends a process on a fresh database of ``service``."""
    async with configured(ground, service, ServiceConfig, {}) as config:
        process = Process(service, config, clock)
        try:
            yield process
        finally:
            await process.close()


def command(request: Message, response_type: type[Message] = common_pb2.Date, **changes: Any) -> Command:
    """A command as a handler would build it."""
    given: dict[str, Any] = {
        "caller": "staff/1",
        "method": "test.Do",
        "request_id": str(uuid.uuid4()),
        "digest": digest_of(request),
        "response_type": response_type,
        "actor": "staff/1",
        **changes,
    }
    return Command(**given)


async def count(process: Process, table: sa.Table) -> int:
    """How many rows ``table`` has."""
    async with process.database.read() as connection:
        return int(await sql.scalar(connection, sa.select(sa.func.count()).select_from(table)) or 0)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = _PATIENCE) -> None:
    """Waits until ``condition`` holds; raises TimeoutError where it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in PostgreSQL or Redis
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(*tasks: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Runs ``tasks`` beside the block; one that fails fails the block."""
    started = [asyncio.create_task(task()) for task in tasks]
    try:
        yield
    finally:
        failed = [task.exception() for task in started if task.done() and not task.cancelled()]
        await end(started)
        assert failed == []
