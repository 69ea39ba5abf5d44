"""A service's calls to a neighbour with two replicas go to both, and past one that stops, is away, or says that it stops."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.process.health import Health
from libs.rpc.client import invoke, neighbour_channel
from libs.rpc.server import server_credentials
from tests.support.backends import HOST, free_port
from tests.support.process import until
from tests.support.service import REGION, Ground
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1 import resources_pb2 as identity

_NAME = f"license.{REGION.id}.tongban.internal"


async def _answers() -> None:
    """Its database answers."""


class Replica:
    """A process that only counts its calls."""

    def __init__(self, ground: Ground, name: str, seen: Counter[str]) -> None:
        self.port, self.name = free_port(), name
        self._ground, self._seen = ground, seen
        self.health = Health()

    async def start(self) -> None:
        """Serves from now on."""
        self.health = Health()
        self.health.watch({"database": _answers}, {})
        self._server = grpc.aio.server()
        handler: Any = grpc.unary_unary_rpc_method_handler(self._serve)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("any", {"Call": handler}),))
        await self.health.serve(self._server, {})
        self._server.add_secure_port(f"{HOST}:{self.port}", server_credentials(self._ground.tls("license")))
        await self._server.start()

    async def _serve(self, _request: bytes, _context: object) -> bytes:
        self._seen[self.name] += 1
        return b""

    async def stop(self) -> None:
        """Is away from now on."""
        await self._server.stop(None)


class Pair:
    """Two replicas, and a neighbour's channel to them."""

    def __init__(self, ground: Ground) -> None:
        self.seen: Counter[str] = Counter()
        self.one, self.two = Replica(ground, "one", self.seen), Replica(ground, "two", self.seen)
        addresses = ",".join(f"{HOST}:{each.port}" for each in (self.one, self.two))
        self.channel = neighbour_channel(addresses, ground.tls("cases"), _NAME)

    async def call(self, count: int) -> Counter[str]:
        """Makes so many calls; returns who served them."""
        before = self.seen.copy()
        method: Any = self.channel.unary_unary("/any/Call", lambda _: b"", lambda _: identity.Organization())
        request = accounts.GetOrganizationRequest(name="organizations/one")
        for _ in range(count):
            await invoke(method, request, identity.Organization, to="license", token="")
        return self.seen - before

    async def until_served_by(self, *names: str) -> None:
        """Waits until the calls go to these."""

        async def served() -> bool:
            return set(await self.call(8)) == set(names)

        await until(served)


@pytest_asyncio.fixture
async def pair(ground: Ground) -> AsyncIterator[Pair]:
    made = Pair(ground)
    for each in (made.one, made.two):
        await each.start()
    await made.until_served_by("one", "two")
    yield made
    await made.channel.close()
    for each in (made.one, made.two):
        await each.stop()


async def test_calls_go_to_both_in_turn(pair: Pair) -> None:
    assert await pair.call(20) == {"one": 10, "two": 10}


async def test_one_that_says_that_it_stops_gets_no_more_calls_and_none_fails(pair: Pair) -> None:
    await pair.one.health.stop()
    await pair.until_served_by("two")
    await pair.one.stop()
    assert await pair.call(20) == {"two": 20}
    await pair.one.start()
    await pair.until_served_by("one", "two")


@pytest.mark.parametrize("both", [False, True])
async def test_one_that_is_away_costs_no_call(pair: Pair, both: bool) -> None:
    await pair.one.stop()
    if both:
        await pair.two.stop()
        await pair.two.start()
    assert await pair.call(20) == {"two": 20}
    await pair.one.start()
    await pair.until_served_by("one", "two")


async def test_a_replica_is_known_by_its_name(pair: Pair, ground: Ground) -> None:
    """Another process of the region at a replica's address is not taken for it."""
    stranger = neighbour_channel(
        f"{HOST}:{pair.one.port},{HOST}:{pair.two.port}", ground.tls("cases"), f"seal.{REGION.id}.x"
    )
    method: Any = stranger.unary_unary("/any/Call", lambda _: b"", lambda _: identity.Organization())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await method(accounts.GetOrganizationRequest(), timeout=3)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    await stranger.close()
