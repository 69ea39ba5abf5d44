"""Identity providers over HTTP: asked once by many, and what each answer means."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from services.identity.config import Upstreams
from services.identity.upstream.id_tokens import TokenRefused
from services.identity.upstream.remote import Providers, UpstreamAway

pytestmark = pytest.mark.asyncio
_ISSUER = "https://idp.test"
_SAID = {
    "issuer": _ISSUER,
    "authorization_endpoint": f"{_ISSUER}/authorize",
    "token_endpoint": f"{_ISSUER}/token",
    "jwks_uri": f"{_ISSUER}/keys",
}


class _Slow(Providers):
    """Answers when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__(Upstreams(), None)  # type: ignore[arg-type]
        self.asked: list[str] = []
        self.let = asyncio.Event()
        self.fails = False

    async def _read(self, verb: str, url: str, body: bytes = b"") -> Mapping[str, Any]:
        self.asked.append(url)
        await self.let.wait()
        if self.fails:
            raise UpstreamAway("OSError")
        return {"keys": [{}]} if url.endswith("/keys") else _SAID


async def _begun(*calls: Any) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(each) for each in calls]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_many_who_come_at_a_time_ask_once() -> None:
    providers = _Slow()
    waiting = await _begun(*(providers._known(_ISSUER) for _ in range(9)))
    waiting[0].cancel()  # a browser that hangs up takes nothing from the others
    await _begun()
    providers.let.set()
    known = [await each for each in waiting[1:]]
    assert (len(providers.asked), waiting[0].cancelled()) == (1, True)
    providers.asked.clear()
    await asyncio.gather(*(providers._look_at_keys(each, 0.0) for each in known))
    assert (providers.asked, known[0].keys) == ([f"{_ISSUER}/keys"], [{}])
    await providers.close()


async def test_what_failed_for_all_who_waited_is_asked_anew() -> None:
    providers = _Slow()
    providers.fails = True
    waiting = await _begun(*(providers._known(_ISSUER) for _ in range(3)))
    providers.let.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in found] == [UpstreamAway] * 3
    providers.fails = False
    assert (await providers._known(_ISSUER)).metadata.jwks_uri == f"{_ISSUER}/keys"
    assert len(providers.asked) == 2
    await providers.close()


async def test_what_is_under_way_ends_with_the_process() -> None:
    providers = _Slow()
    (waiting,) = await _begun(providers._known(_ISSUER))
    await providers.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    ("verb", "status", "meant"),
    [
        ("POST", 400, TokenRefused),
        ("POST", 401, TokenRefused),
        ("POST", 302, UpstreamAway),  # no redirect is followed
        ("POST", 404, UpstreamAway),
        ("POST", 429, UpstreamAway),
        ("POST", 503, UpstreamAway),
        ("GET", 401, UpstreamAway),
    ],
)
async def test_only_who_refuses_what_was_asked_refuses(verb: str, status: int, meant: type[Exception]) -> None:
    providers = Providers(Upstreams(), None)  # type: ignore[arg-type]

    async def answered(verb: str, url: str, body: bytes) -> tuple[int, bytes]:
        return status, b"{}"

    providers._answered = answered  # type: ignore[method-assign]
    with pytest.raises(meant):
        await providers._read(verb, f"{_ISSUER}/token", b"x" if verb == "POST" else b"")
    await providers.close()


async def test_a_provider_that_hangs_takes_no_more_than_its_part() -> None:
    providers, let = Providers(Upstreams(), None), asyncio.Event()  # type: ignore[arg-type]

    async def answered(verb: str, url: str, body: bytes) -> tuple[int, bytes]:
        if "hangs" in url:
            await let.wait()
        return 200, b"{}"

    providers._answered = answered  # type: ignore[method-assign]
    waiting = await _begun(*(providers._read("POST", "https://hangs.test/token", b"x") for _ in range(16)))
    with pytest.raises(UpstreamAway, match="busy"):
        await providers._read("GET", "https://hangs.test/keys")
    assert await providers._read("GET", "https://idp.test/keys") == {}
    waiting[0].cancel()  # whoever hangs up gives their part back
    await asyncio.wait(waiting[:1])
    let.set()
    assert await providers._read("GET", "https://hangs.test/keys") == {}
    assert await asyncio.gather(*waiting[1:]) == [{}] * 15
    await providers.close()
