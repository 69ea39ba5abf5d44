"""The states of services that anybody may see: what each is in, since when, asked for once, and nothing else told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from libs.clock import FakeClock
from services.gateway.config import GatewayConfig
from services.gateway.service_states import ServiceState, ServiceStates, states_of
from services.gateway.status_pages import StatusPages, worst_of

NOW = datetime(2026, 11, 27, 4, 0, 0, tzinfo=UTC)
SERVING, LIMITED, AWAY = ServiceState.SERVING, ServiceState.LIMITED, ServiceState.NOT_SERVING


class Watched:
    """The services, as the gateway finds them."""

    def __init__(self) -> None:
        self.health = {"identity": True, "license": True}
        self.asked = 0

    async def __call__(self) -> dict[str, bool]:
        self.asked += 1
        await asyncio.sleep(0)
        return self.health


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
async def client(watched: Watched, clock: FakeClock, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    config = GatewayConfig.model_validate(
        {
            "region": {"id": "341500", "name": "六安市"},
            "http": {"port": 1},
            "tls": {"ca": tmp_path, "cert": tmp_path, "key": tmp_path},
            "identity": {"address": "127.0.0.1:1", "issuer": "http://gw", "jwks_url": "http://127.0.0.1:1/"},
            "pages": {"port": 1, "reflection_port": 1},
            "envoy": {"admin_port": 1, "file": tmp_path / "envoy.json"},
            "public": {"base_url": "http://gw"},
            "neighbours": {},
        }
    )
    pages = StatusPages(config, ServiceStates(watched, clock))
    transport = httpx.ASGITransport(Starlette(routes=pages.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gw") as opened:
        yield opened


@pytest.mark.parametrize(
    ("health", "state"),
    [
        ({"cases": True}, SERVING),
        ({"cases": False}, AWAY),
        ({"cases": True, "cases/redis": False}, LIMITED),
        ({"cases": False, "cases/database": False}, AWAY),
        ({"cases": True, "cases-1": True, "cases-2": False}, SERVING),
        ({"cases": True, "cases-1": True, "cases-2": True, "cases-2/redis": False}, SERVING),
        ({"cases": True, "cases-1": True, "cases-1/redis": False, "cases-2": False, "cases-2/redis": False}, LIMITED),
        ({"cases": False, "cases-1": False, "cases-2": False}, AWAY),
        ({"cases": True, "license": True, "license/redis": False}, SERVING),
    ],
)
def test_a_service_is_one_thing_however_many_replicas_it_has(health: dict[str, bool], state: ServiceState) -> None:
    assert states_of(health)["cases"] is state
    assert not {each for each in states_of(health) if "-" in each or "/" in each}


async def test_since_is_when_the_state_was_first_seen_without_a_break(watched: Watched, clock: FakeClock) -> None:
    states = ServiceStates(watched, clock)
    first = await states.seen()
    assert {each.since for each in first.services.values()} == {NOW}
    clock.advance(timedelta(seconds=10))
    watched.health = {"identity": True, "license": False}
    seen = await states.seen()
    assert (seen.services["identity"].since, seen.services["license"].since) == (NOW, NOW + timedelta(seconds=10))
    assert (seen.services["license"].state, worst_of(seen.services), worst_of(first.services)) == (AWAY, AWAY, SERVING)
    clock.advance(timedelta(seconds=10))
    watched.health = {"identity": True, "license": True}
    assert (await states.seen()).services["license"].since == NOW + timedelta(seconds=20)


async def test_however_many_look_the_services_are_asked_once_in_five_seconds(
    client: httpx.AsyncClient, watched: Watched, clock: FakeClock
) -> None:
    await asyncio.gather(*(client.get("/status") for _ in range(20)), client.get("/status.json"))
    clock.advance(timedelta(seconds=4.9))
    await client.get("/status")
    assert watched.asked == 1
    clock.advance(timedelta(seconds=0.1))
    await client.get("/status")
    assert watched.asked == 2


async def test_what_can_not_be_looked_at_is_not_told_to_be_well(watched: Watched, clock: FakeClock) -> None:
    states = ServiceStates(watched, clock)
    await states.seen()
    clock.advance(timedelta(seconds=5))

    async def broken() -> dict[str, bool]:
        raise OSError("away")

    states._health = broken
    with pytest.raises(OSError, match="away"):
        await states.seen()
    states._health = watched
    assert (await states.seen()).time == clock.now()


async def test_the_page_says_it_in_the_readers_language(client: httpx.AsyncClient, watched: Watched) -> None:
    watched.health = {"identity": True, "license": False, "license/database": False, "seal": True, "seal/redis": False}
    page = await client.get("/status")
    assert 'lang="zh-CN"' in page.text
    for words in ("部分服务暂停", "电子证照", "暂停服务", "部分功能受限", "2026-11-27 12:00:00"):
        assert words in page.text
    for each in (
        await client.get("/status", headers={"accept-language": "en-GB"}),
        await client.get("/status", params={"lang": "en"}),
    ):
        assert 'lang="en"' in each.text
        assert "Some services are not serving" in each.text
        assert "Licences" in each.text
    assert (page.headers["cache-control"], page.headers["vary"]) == ("public, max-age=5", "accept-language")
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_nothing_of_the_inside_is_told(client: httpx.AsyncClient, watched: Watched) -> None:
    watched.health = {"cases": True, "cases-1": True, "cases-2": False, "cases-1/redis": False, "cases-2/disk": False}
    said = (await client.get("/status.json")).json()
    assert said == {
        "region": "341500",
        "observeTime": "2026-11-27T04:00:00Z",
        "services": [{"service": "cases", "state": "LIMITED", "sinceTime": "2026-11-27T04:00:00Z"}],
    }
    page = (await client.get("/status")).text
    for inside in ("redis", "disk", "cases-1", "127.0.0.1"):
        assert inside not in page


async def test_a_clock_that_goes_back_does_not_keep_what_was_seen(watched: Watched, clock: FakeClock) -> None:
    states = ServiceStates(watched, clock)
    await states.seen()
    states._clock = FakeClock(NOW - timedelta(hours=1))
    watched.health = {"identity": True, "license": False}
    seen = await states.seen()
    assert (seen.time, seen.services["license"].state) == (NOW - timedelta(hours=1), AWAY)
    assert seen.services["identity"].since <= seen.time
