"""The token issuer's keys: what is known stays known while it is away, and what can't be judged is Unavailable."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from joserfc.jwk import ECKey

from libs.errors import Unavailable
from libs.security.jwks import RemoteKeys


class _Issuer:
    """An issuer that can be frozen, broken and mended."""

    def __init__(self) -> None:
        self.kids = ["a"]
        self.asked = 0
        self.going, self.reached = asyncio.Event(), asyncio.Event()
        self.going.set()
        self.answer: httpx.Response | None = None

    async def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        self.reached.set()
        await self.going.wait()
        keys = [ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=False) for kid in self.kids]
        return self.answer or httpx.Response(200, json={"keys": keys})


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock by which keys are asked for anew, which stands; the loop's own goes on."""
    moment = [100.0]
    monkeypatch.setattr("libs.security.jwks.time", SimpleNamespace(monotonic=lambda: moment[0]))

    async def rest(seconds: float) -> None:
        moment[0] += seconds

    monkeypatch.setattr("libs.security.jwks._rest", rest)
    return moment


async def _remote(issuer: _Issuer) -> RemoteKeys:
    keys = RemoteKeys("http://issuer.test/jwks")
    await keys.close()
    keys._client = httpx.AsyncClient(transport=httpx.MockTransport(issuer))
    return keys


async def test_a_known_key_holds_while_the_issuer_is_frozen(now: list[float]) -> None:
    issuer = _Issuer()
    keys = await _remote(issuer)
    known = await keys.key("a")
    issuer.going.clear()
    stranger = asyncio.ensure_future(keys.key("forged"))
    now[0] += 3600
    assert await keys.key("a") is known
    issuer.going.set()
    assert await stranger is None


async def test_a_key_that_the_issuer_dropped_is_forgotten_without_anybody_s_waiting(now: list[float]) -> None:
    """A leaked key that was destroyed: no unknown key ever asks for the others, since the next was published long before."""
    issuer = _Issuer()
    issuer.kids = ["leaked", "next"]
    keys = await _remote(issuer)
    assert await keys.key("leaked")
    issuer.kids = ["next"]
    now[0] += 5
    assert await keys.key("next")
    assert keys._asking is not None
    await keys._asking
    assert await keys.key("leaked") is None
    assert await keys.key("next")
    assert issuer.asked == 3, "at first, beside the call, and for the one that is known no more"


async def test_who_comes_after_a_long_rest_waits_for_the_news(now: list[float]) -> None:
    """Nobody called for an hour: the first who does is not let in by a key that was destroyed meanwhile."""
    issuer = _Issuer()
    issuer.kids = ["leaked", "next"]
    keys = await _remote(issuer)
    assert await keys.key("leaked")
    issuer.kids = ["next"]
    now[0] += 3600
    assert await keys.key("leaked") is None


async def test_a_key_that_was_made_a_moment_ago_is_asked_for_and_is_none_that_is_wrong(now: list[float]) -> None:
    """The issuer was asked just before it made the key, or is being asked."""
    issuer = _Issuer()
    keys = await _remote(issuer)
    assert await keys.key("a")
    issuer.kids = ["a", "new"]
    assert await keys.key("new") is not None
    now[0] += 5
    issuer.going.clear()
    issuer.reached.clear()
    assert await keys.key("a") is not None
    await issuer.reached.wait()
    issuer.kids = ["a", "new", "newer"]
    asked = asyncio.ensure_future(keys.key("newer"))
    issuer.going.set()
    assert await asked is not None


async def test_many_unknown_keys_ask_once(now: list[float]) -> None:
    issuer = _Issuer()
    keys = await _remote(issuer)
    issuer.going.clear()
    asking = [asyncio.ensure_future(keys.key(f"forged-{place}")) for place in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking[0].cancel()  # who began it hangs up; the others wait on
    await asyncio.sleep(0)
    issuer.going.set()
    assert await asyncio.gather(*asking[1:]) == [None] * 49
    assert issuer.asked == 2, "what was under way, and once for all who came while it was"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(200, content=b"no json"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": [{"kty": "EC"}]}),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, content=b"\xff"),
    ],
)
async def test_an_issuer_that_answers_nonsense_is_away_and_not_the_caller_s_fault(
    now: list[float], answer: httpx.Response
) -> None:
    issuer = _Issuer()
    keys = await _remote(issuer)
    known = await keys.key("a")
    issuer.answer = answer
    now[0] += 10
    for _ in range(2):
        with pytest.raises(Unavailable) as away:
            await keys.key("b")
        assert away.value.retry_after
    assert issuer.asked == 3
    assert await keys.key("a") is known
    issuer.answer, issuer.kids = None, ["a", "b"]
    now[0] += 10
    assert await keys.key("b") is not None


async def test_another_replica_of_the_issuer_is_asked_where_the_first_is_away(now: list[float]) -> None:
    issuer = _Issuer()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "first.test":
            raise httpx.ConnectError("refused")
        return await issuer(request)

    keys = RemoteKeys("http://first.test/jwks", "http://second.test/jwks")
    await keys.close()
    keys._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    assert await keys.key("a") is not None
    away = RemoteKeys("http://first.test/jwks", "http://first.test/jwks")
    await away.close()
    away._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    with pytest.raises(Unavailable):
        await away.key("a")
