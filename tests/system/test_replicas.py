"""Two replicas of every service on one set of databases: both serve, one leads, and one that stops costs nobody a call."""

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.demo.people import Registry
from deploy.local.probes import HealthProbe
from deploy.local.regions import SERVICES, TIANNING, replicas_of
from deploy.local.settings import SUPERVISOR
from libs.errors import TongbanError
from tests.support.case_runs import application
from tests.support.faults import back, frozen, kill
from tests.support.process import until
from tests.support.regions import PLAIN, REPLICAS, Regions
from tests.support.replicas import leader
from tongban.cases.v1 import resources_pb2 as cases

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

_CODE = TIANNING.code
_READERS, _PATIENCE = 2, 60.0
_UP, _DOWN = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def _head(service: str) -> str:
    return f"/v1/audit/{service}/auditHead"


async def _served(regions: Regions, replica: str) -> float:
    """How many calls for the head of its log a replica has answered."""
    port = regions.cluster.snapshot.process(_CODE, replica).ports["metrics"]
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    calls = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(
        each.value
        for each in calls
        if each.name == "tongban_calls_total" and each.labels["method"].endswith("AuditService.GetAuditHead")
    )


async def test_reads_are_spread_over_both(regions: Regions) -> None:
    http = regions.handling.gateway.http
    for service in SERVICES:
        names = replicas_of(service, REPLICAS)
        before = [await _served(regions, name) for name in names]
        for _ in range(20):
            await http.get(_head(service))
        after = [await _served(regions, name) for name in names]
        assert all(now > then for now, then in zip(after, before, strict=True)), (service, before, after)
        assert sum(after) - sum(before) == 20, "one answered each, and none twice"


async def _until_led(regions: Regions, task: str, by: Callable[[str], bool]) -> str:
    leading = ""

    async def led() -> bool:
        nonlocal leading
        leading = await leader(regions, _CODE, "cases", task)
        return by(leading)

    await until(led, _PATIENCE)
    return leading


@pytest.mark.parametrize("task", [f"relay://{_CODE}/cases", "consumer:cases", "cases:deliverer"])
async def test_one_leads_and_the_other_takes_over(regions: Regions, task: str) -> None:
    first = await _until_led(regions, task, bool)
    restarts = kill(regions, _CODE, first)
    second = await _until_led(regions, task, lambda name: name not in ("", first))
    assert {first, second} == set(replicas_of("cases", REPLICAS))
    await back(regions, _CODE, first, restarts)
    assert await leader(regions, _CODE, "cases", task) == second, "whoever leads goes on leading"


class Load:
    """Calls of every service, and applications taken, without a repeat by the caller; what each came to."""

    def __init__(self, regions: Regions, create: Callable[[], Coroutine[Any, Any, str]]) -> None:
        self._regions = regions
        self._create = create
        self.results: Counter[str] = Counter()
        self.made: list[str] = []
        self._over = asyncio.Event()

    async def _read(self, offset: int) -> None:
        http = self._regions.handling.gateway.http
        for place in itertools.count(offset):
            if self._over.is_set():
                return
            service = SERVICES[place % len(SERVICES)]
            try:
                self.results[f"{service} {(await http.get(_head(service))).status_code}"] += 1
            except httpx.HTTPError as error:
                self.results[f"{service} {type(error).__name__}"] += 1

    async def _write(self) -> None:
        while not self._over.is_set():
            try:
                self.made.append(await self._create())
                self.results["create OK"] += 1
            except grpc.aio.AioRpcError as error:
                self.results[f"create {error.code().name} {error.details()}"] += 1

    async def _tokens(self) -> None:
        office = self._regions.handling
        while not self._over.is_set():
            administrator = office.gateway.machine(office.admin)
            administrator.caller.tokens.expire()
            try:
                await administrator.token()  # asked once: a token by itself is not tried again
                self.results["token OK"] += 1
            except TongbanError as error:
                self.results[f"token {error}"] += 1

    async def reached(self, count: int) -> None:
        """Waits until so many more calls have been answered."""
        goal = self.results.total() + count

        async def there() -> bool:
            return self.results.total() >= goal

        await until(there, _PATIENCE)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Calls for the length of the block."""
        async with asyncio.TaskGroup() as group:
            for number in range(_READERS):
                group.create_task(self._read(number))
            group.create_task(self._write())
            group.create_task(self._tokens())
            try:
                yield
            finally:
                self._over.set()


async def _creating(regions: Regions, seed: int = 4040) -> Callable[[], Coroutine[Any, Any, str]]:
    """Takes an application at 天宁's window, by one call that nobody here repeats; of people drawn by the seed, which no other test's is."""
    office = regions.handling
    registry = Registry(office, seed)
    firm = await registry.firm(await registry.person())
    method: Any = office.gateway.channel.unary_unary(
        "/tongban.cases.v1.CaseService/CreateCase",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=cases.Case.FromString,
    )

    async def create() -> str:
        token = await office.token_of("receiving")
        case = await method(
            application(office, PLAIN, firm), timeout=30, metadata=[("authorization", f"Bearer {token}")]
        )
        return str(case.name)

    return create


async def _says(regions: Regions, replica: str, heard: asyncio.Event) -> list[int]:
    """What a replica says of its health from now until its end, each once; ``heard`` is set with the first."""
    address = f"127.0.0.1:{regions.cluster.snapshot.process(_CODE, replica).ports['grpc']}"
    probe = HealthProbe(address, regions.state / _CODE / "pki", SUPERVISOR)
    said: list[int] = []
    async with grpc.aio.secure_channel(address, probe.credentials()) as channel:
        watch: Any = health_pb2_grpc.HealthStub(channel).Watch  # type: ignore[attr-defined]
        with suppress(grpc.aio.AioRpcError):  # its end
            async for answer in watch(health_pb2.HealthCheckRequest()):
                said += [answer.status]
                heard.set()
    return said


async def test_one_that_stops_says_so_and_fails_no_call(regions: Regions) -> None:
    load = Load(regions, await _creating(regions))
    usual = {
        f"{service} {(await regions.handling.gateway.http.get(_head(service))).status_code}" for service in SERVICES
    }
    async with load.running():
        await load.reached(40)
        for place, service in enumerate(SERVICES):
            replica = replicas_of(service, REPLICAS)[place % REPLICAS]
            heard = asyncio.Event()
            saying = asyncio.create_task(_says(regions, replica, heard))
            await load.reached(20)
            async with asyncio.timeout(_PATIENCE):
                await heard.wait()  # who listens too late hears nothing
            restarts = kill(regions, _CODE, replica, signal.SIGTERM)
            async with asyncio.timeout(_PATIENCE):
                assert await saying == [_UP, _DOWN], replica
            await back(regions, _CODE, replica, restarts)
            await load.reached(20)
    print(f"\n{load.results.total()} calls while a replica of each service was stopped: {dict(load.results)}")
    assert set(load.results) == usual | {"create OK", "token OK"}
    assert len(set(load.made)) == load.results["create OK"]


async def test_one_that_hangs_is_left_out(regions: Regions) -> None:
    """What it had taken up ends at its deadline or is sent again; after that all calls go to the other."""
    http = regions.handling.gateway.http
    usual = (await http.get(_head("cases"))).status_code
    async with frozen(regions, _CODE, "cases-2"):
        await until(_told(http, "cases-2", "NOT_SERVING"), _PATIENCE)
        services = (await http.get("/healthz")).json()["services"]
        assert services["cases"] == services["cases-1"] == "SERVING"
        in_a_row = 0
        async with asyncio.timeout(_PATIENCE):
            while in_a_row < 20:
                answer = await http.get(_head("cases"))
                in_a_row = in_a_row + 1 if answer.status_code == usual else 0
    await until(_told(http, "cases-2", "SERVING"), _PATIENCE)


def _told(http: httpx.AsyncClient, replica: str, state: str) -> Callable[[], Awaitable[bool]]:
    async def told() -> bool:
        return bool((await http.get("/healthz")).json()["services"].get(replica) == state)

    return told
