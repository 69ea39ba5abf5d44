"""A service whose exports are operations, and what tests of them share."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libs.audit.integrator import Integrator
from libs.config import OperationsConfig
from libs.db.protocol import begun
from libs.errors import TongbanError
from libs.operations.work import OperationKind
from tests.support.fakes_license import neighbours
from tests.support.operating import Operating
from tests.support.process import command
from tests.support.service import REGION, Ground, Service, serving
from tongban.audit.v1 import audit_service_pb2 as pb
from tongban.common.v1 import common_pb2

STRANGER = "staff/00000000-0000-7000-8000-0000000000d2"
ADMINISTRATOR = "staff/00000000-0000-7000-8000-0000000000d3"
LEASE = 1.5


@pytest_asyncio.fixture
async def service(ground: Ground, request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """A license service whose operations are lost in seconds, or after what a test's mark `lease` says; nobody works on them yet."""
    mark = request.node.get_closest_marker("lease")
    settings = OperationsConfig(most=3, lease_seconds=mark.args[0] if mark else LEASE, look_seconds=0.05)
    async with neighbours() as known, serving(ground, "license", prepare=known.put_into, operations=settings) as found:
        yield found


@pytest.fixture
def mine(service: Service) -> Operating:
    return Operating(service)


async def records(service: Service, number: int) -> list[bytes]:
    """Writes records, puts them under a head, and returns the canonical bytes of all that stand there."""
    process = service.process
    once = command(common_pb2.Date())
    for each in range(number):
        await process.audit.write(once, f"persons/{each}")
    certificate = (process.config.keys.folder / "log.der").read_bytes()
    log = Integrator(process.database, f"//{REGION.id}/license", process.keys.signer("log"), certificate, process.clock)
    async with process.database.own() as connection, begun(connection):
        await log.integrate(connection)
    return await stored(service)


async def stored(service: Service) -> list[bytes]:
    """The canonical bytes of all records, in the order of an export."""
    async with service.process.database.read() as connection:
        found = await connection.driver.fetch("SELECT canonical FROM audit_records ORDER BY record_time, seq")
    return [row["canonical"] for row in found]


def work_of(service: Service, work: Any) -> None:
    """Gives exports another work."""
    service.process.operations.offer(OperationKind(pb.ExportAuditRecordsRequest, work))


async def refusal(work: Any) -> str:
    """With what a call is refused."""
    with pytest.raises(TongbanError) as refused:
        await work
    return refused.value.reason


def content_of(service: Service) -> Any:
    return service.process._content
