"""Case handling and licences of one region, over real streams."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.events import consumer as consumer_module
from libs.events.cloud_event import stream_of
from services.license.core.licenses import licenses
from tests.service.cases.conftest import DEPARTMENT, Town, context
from tests.service.cases.conftest import running as cases_running
from tests.service.license.conftest import License
from tests.support import sql
from tests.support.service import Ground
from tests.support.values import messages, text_type
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

CASES = 6


@dataclass
class Offices:
    """Case handling and licences of one region."""

    cases: Town
    license: License

    @property
    def streams(self) -> list[str]:
        """What lies between them: there, and back."""
        region = self.cases.service.process.config.region.id
        return [stream_of(region, service) for service in ("cases", "license")]

    @property
    def redis(self) -> Any:
        """The Redis of both."""
        return self.cases.service.process.redis

    def tasks(self, *services: Any) -> list[Callable[[], Any]]:
        """Relay and consumer of some services."""
        found: list[Callable[[], Any]] = []
        for service in services:
            process = service.service.process
            found += process._background_tasks()[:1]
            found += [task for task in process._tasks if type(getattr(task, "__self__", None)).__name__ == "Consumer"]
        return found

    def relay(self, service: Any) -> Callable[[], Any]:
        """The relay of a service alone."""
        relay: Callable[[], Any] = service.service.process._background_tasks()[0]
        return relay

    async def decide(self) -> list[str]:
        """Approves some cases that yield a licence; returns their names."""
        kind = await self.license.license_type()
        fields = [
            item_service_pb2.FormField(key="owner", display_name="法定代表人", license_field="FDDBR", type=text_type())
        ]
        item = await self.cases.item(license_type=kind.name, form_fields=fields)
        values = messages(owner="测试甲")
        names = []
        for _ in range(CASES):
            case = await self.cases.review(await self.cases.create(item, form_values=values))
            names.append((await self.cases.step("Decide", case, outcome=pb.OUTCOME_APPROVED)).name)
        return names

    async def more(self) -> list[str]:
        """Approves one more case of the item that there is."""
        request = item_service_pb2.ListServiceItemsRequest()
        answer = item_service_pb2.ListServiceItemsResponse
        found = await self.cases.call(self.cases.items.ListServiceItems, request, answer, self.cases.system)
        case = await self.cases.create(found.service_items[0], form_values=messages(owner="测试甲"))
        decided = await self.cases.step("Decide", await self.cases.review(case), outcome=pb.OUTCOME_APPROVED)
        return [decided.name]

    async def drained(self, service: Any) -> bool:
        """Whether the outbox of a service is empty."""
        async with service.service.process.database.read() as connection:
            return not await sql.scalar(connection, sa.text("SELECT count(*) FROM outbox"))

    async def issued(self) -> bool:
        """Whether every case has its licence."""
        return len(await self.licenses()) == CASES and await self.drained(self.license)

    async def licenses(self) -> list[str]:
        """The cases that licences were issued for."""
        issued = sa.select(licenses.c.case_name).where(licenses.c.state == "ISSUED")
        async with self.license.service.process.database.read() as connection:
            return await sql.scalars(connection, issued)

    async def is_issued(self, license_name: str) -> bool:
        """Whether the licence service has a licence of this name."""
        issued = sa.select(licenses.c.state).where(licenses.c.id == license_name.removeprefix("licenses/"))
        async with self.license.service.process.database.read() as connection:
            return bool(await sql.scalar(connection, issued) == "ISSUED")

    async def case(self, name: str) -> pb.Case:
        """A case as it is now."""
        return await self.cases.get(name, use_context=context())

    async def closed(self, names: list[str]) -> bool:
        """Whether all cases are closed."""
        states = [(await self.cases.get(name, use_context=context())).state for name in names]
        return states == [pb.CASE_STATE_CLOSED] * len(names)

    async def sweep(self) -> None:
        """Two minutes pass, and the sweep looks."""
        sweep = self.cases.part("Sweep")
        await sweep.sweep()
        async with self.cases.service.process.database.transaction() as connection:
            await sql.execute(connection, sa.text("UPDATE retries SET next_attempt = now()"))
        await sweep.sweep()


@pytest_asyncio.fixture
async def offices(ground: Ground, licensing: License, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Offices]:
    """Both services, on streams that are empty."""
    monkeypatch.setattr(consumer_module, "_BLOCK_MS", 50)
    monkeypatch.setattr(consumer_module, "_LOOK_BEHIND_SECONDS", 0.0)
    async with cases_running(ground) as town:
        licensing.known.department = licensing.known.seal_owner = DEPARTMENT
        found = Offices(town, licensing)
        await found.redis.delete(*found.streams)
        yield found
        await found.redis.delete(*found.streams)
