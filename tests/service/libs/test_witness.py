"""A service notices that its database was put back from an older copy."""

import json
from collections.abc import AsyncIterator

import pytest_asyncio
from prometheus_client import REGISTRY

from libs.audit.heads import head_from_json
from libs.audit.integrator import Integrator
from libs.audit.witness import Witness
from libs.db.protocol import begun
from libs.errors import TongbanError
from libs.process import Process
from tests.support import sql
from tests.support.copies import copy_of_process
from tests.support.process import command, process_of, until
from tests.support.service import REGION, Ground
from tongban.common.v1 import common_pb2

_NAME = f"//{REGION.id}/license"


@pytest_asyncio.fixture
async def process(ground: Ground) -> AsyncIterator[Process]:
    async with process_of(ground) as made:
        yield made


async def _write(process: Process, number: int) -> None:
    """Writes records, and gives them their places."""
    once = command(common_pb2.Date())
    for each in range(number):
        await process.audit.write(once, f"persons/{each}")
    certificate = (process.config.keys.folder / "log.der").read_bytes()
    integrator = Integrator(process.database, _NAME, process.keys.signer("log"), certificate, process.clock)
    async with process.database.own() as connection, begun(connection):
        assert await integrator.integrate(connection) == number


def _witness(process: Process) -> Witness:
    """As the process has it when it starts."""
    return Witness(process.database, _NAME, process.config.keys.folder)


def _lost() -> float | None:
    return REGISTRY.get_sample_value("tongban_audit_records_lost")


async def _until_connected(process: Process) -> None:
    async def connected() -> bool:
        try:
            async with process.database.read() as connection:
                await sql.execute(connection, "SELECT 1")
        except TongbanError:
            return False
        return True

    await until(connected)


async def test_an_older_copy_is_told_once_and_stays_told(process: Process, ground: Ground) -> None:
    witness = _witness(process)
    await witness.look()
    await _write(process, 3)
    await witness.look()
    copy = copy_of_process(ground, process)
    await copy.make()
    await _until_connected(process)
    await _write(process, 4)
    await witness.look()
    assert _lost() == 0
    await copy.put_back()
    await _until_connected(process)
    await witness.look()
    assert _lost() == 4
    await _write(process, 6)
    await witness.look()
    await _witness(process).look()
    assert _lost() == 4, "it is told until somebody has seen to it"
    lines = (process.config.keys.folder / "log.lost").read_text().splitlines()
    assert [head_from_json(json.loads(line)["head"]).tree_size for line in lines] == [7]


async def test_a_log_that_went_on_after_the_copy_is_another_one(process: Process, ground: Ground) -> None:
    """Nobody looked in between: only the root tells."""
    await _write(process, 3)
    copy = copy_of_process(ground, process)
    await copy.make()
    await _until_connected(process)
    await _write(process, 2)
    await _witness(process).look()
    await copy.put_back()
    await _until_connected(process)
    await _write(process, 2)
    await _witness(process).look()
    assert _lost() == 1


async def test_a_service_that_starts_on_its_own_database_tells_nothing(process: Process) -> None:
    await _write(process, 3)
    for _ in range(2):
        await _witness(process).look()
    await _write(process, 1)
    await _witness(process).look()
    assert _lost() == 0
