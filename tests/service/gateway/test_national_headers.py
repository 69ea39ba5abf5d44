"""The adapter for the headers of the national platforms: whose client calls what, once; against a stub of a region and a real Redis."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from libs.client import PrivateKey
from libs.errors import not_found
from libs.security.once import UsedOnce
from services.gateway.national_headers.adapter import AdapterLimits, LetIn, NationalAdapter
from services.gateway.national_headers.mapping import mapped
from services.gateway.national_headers.scheme import signed_headers
from tests.support.backends import Backends
from tests.support.region_stub import RegionStub, region_stub
from tongban.cases.v1 import case_service_pb2
from tongban.license.v1 import verification_service_pb2

_KEY = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256", "use": "sig"}, auto_kid=False)
_MS = 1_700_000_000_000
_SECRET, _VERIFY, _WITHDRAW = "秘", "s_verify", "s_withdraw"
_RPCS = {
    _VERIFY: mapped("tongban.license.v1.VerificationService.VerifyLicense"),
    _WITHDRAW: mapped("tongban.cases.v1.CaseService.WithdrawCase"),
}


@pytest_asyncio.fixture
async def stub() -> AsyncIterator[RegionStub]:
    async with region_stub() as running:
        running.answers["VerifyLicense"] = lambda _: verification_service_pb2.VerifyLicenseResponse(region="341500")
        yield running


@pytest_asyncio.fixture
async def redis(running_backends: Backends) -> AsyncIterator[Redis]:
    opened: Redis = Redis.from_url(running_backends.redis_url, protocol=2)
    await opened.flushdb()
    yield opened
    await opened.aclose()


class Asked:
    """The adapter, asked as a platform asks."""

    def __init__(self, stub: RegionStub, redis: Redis, *, one: bool = True) -> None:
        self.region = stub.client(PrivateKey("partner", _KEY))
        requesters = {"rid": LetIn(_SECRET, frozenset((_VERIFY, _WITHDRAW)), self.region)}
        requesters["other"] = LetIn("o", frozenset(), self.region)
        adapter = NationalAdapter(
            requesters,
            _RPCS,
            UsedOnce(redis, "341500", "national:once"),
            AdapterLimits(300, one, 1000),
            lambda: _MS / 1000,
        )
        transport = httpx.ASGITransport(adapter.app())
        self.http = httpx.AsyncClient(base_url="http://adapter", transport=transport)

    async def __call__(
        self, body: Any, sid: str = _VERIFY, *, rid: str = "rid", secret: str = _SECRET, at: int = _MS, way: str = ""
    ) -> tuple[int, Any]:
        headers = signed_headers(way or "gjzwfwpt_", secret, sid, rid, at)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.http.post("/sysapi/any/where", content=content, headers=headers)
        said = answer.json()
        assert answer.status_code == 200
        assert said.keys() == {"code", "message", "data"}
        return said["code"], said["data"]["reason"] if said["code"] == 300 else said["data"]

    async def close(self) -> None:
        await self.http.aclose()
        await self.region.caller.connection.close()


@pytest_asyncio.fixture
async def asked(stub: RegionStub, redis: Redis) -> AsyncIterator[Asked]:
    opened = Asked(stub, redis)
    yield opened
    await opened.close()


@pytest.mark.parametrize("way", ["gjgxjhpt_", "gjzwfwpt_"])
async def test_a_requester_s_client_calls_what_the_service_is(asked: Asked, stub: RegionStub, way: str) -> None:
    code, data = await asked({"qr_content": "x"}, way=way)
    assert (code, data["region"], data["annotated"]) == (200, "341500", False), "what is false is said, keys are small"
    ((name, request, bearer),) = stub.seen
    assert (name, request.qr_content, bearer) == ("VerifyLicense", "x", "token-1")
    assert stub.forms[0]["client_id"] == "partner"


async def test_nothing_comes_twice_whatever_its_body(asked: Asked, stub: RegionStub) -> None:
    assert (await asked({"qr_content": "x"}))[0] == 200
    assert await asked({"qr_content": "x"}) == (300, "SIGNATURE_REPLAYED")
    assert await asked({"qr_content": "y"}) == (300, "SIGNATURE_REPLAYED")
    assert (await asked({"qr_content": "x"}, at=_MS + 1))[0] == 200
    assert len(stub.seen) == 2


async def test_several_bodies_of_a_moment_are_taken_where_that_is_configured(stub: RegionStub, redis: Redis) -> None:
    loose = Asked(stub, redis, one=False)
    told = [(await loose({"qr_content": each}))[0] for each in "xyx"]
    assert told == [200, 200, 300]
    await loose.close()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"secret": "wrong"}, "SIGNATURE_INVALID"),
        ({"rid": "nobody"}, "SIGNATURE_INVALID"),
        ({"rid": "nobody", "secret": ""}, "SIGNATURE_INVALID"),
        ({"at": _MS - 300_001}, "SIGNATURE_INVALID"),
        ({"sid": "s_unknown"}, "ROUTE_NOT_FOUND"),
        ({"rid": "other", "secret": "o"}, "ROUTE_NOT_FOUND"),
        ({"body": b"{"}, "FIELD_INVALID"),
        ({"body": b"\xff"}, "FIELD_INVALID"),
        ({"body": {"nothing": 1}}, "FIELD_INVALID"),
        ({"body": b"[" * 900}, "FIELD_INVALID"),
        ({"body": {"qr_content": "x" * 1000}}, "MESSAGE_TOO_LARGE"),
        ({"body": {"name": "cases/1"}, "sid": _WITHDRAW}, "FIELD_INVALID"),
    ],
)
async def test_what_is_refused_calls_nothing_and_uses_nothing_up(
    asked: Asked, stub: RegionStub, redis: Redis, how: dict[str, Any], reason: str
) -> None:
    assert await asked(**{"body": {"qr_content": "x"}} | how) == (300, reason)
    assert (stub.seen, stub.forms, await redis.keys("*")) == ([], [], [])


async def test_a_change_brings_its_own_request_id(asked: Asked, stub: RegionStub) -> None:
    """A requester that lost the answer sends it again at another moment: it must not be another change."""
    stub.answers["WithdrawCase"] = lambda _: _RPCS[_WITHDRAW].answer()
    request_id = "0195a1b0-0000-4000-8000-000000000001"
    for at in (_MS, _MS + 1):
        assert (await asked({"name": "cases/1", "request_id": request_id}, _WITHDRAW, at=at))[0] == 200
    withdrawn = [request for _, request, _ in stub.seen]
    assert all(isinstance(each, case_service_pb2.WithdrawCaseRequest) for each in withdrawn)
    assert {each.request_id for each in withdrawn} == {request_id}


async def test_a_refusal_of_the_region_is_told_whole(asked: Asked, stub: RegionStub) -> None:
    def refuse(_request: Any) -> Any:
        raise not_found("licenses/1")

    stub.answers["VerifyLicense"] = refuse
    headers = signed_headers("gjzwfwpt_", _SECRET, _VERIFY, "rid", _MS)
    said = (await asked.http.post("/sysapi/x", json={"qr_content": "x"}, headers=headers)).json()
    assert (said["code"], said["data"]["reason"], said["data"]["metadata"]) == (
        300,
        "RESOURCE_NOT_FOUND",
        {"resource": "licenses/1"},
    )
    assert not said["message"].isascii()


async def test_without_redis_nothing_is_called(asked: Asked, stub: RegionStub, redis: Redis, monkeypatch: Any) -> None:
    async def away(*_words: Any, **_how: Any) -> None:
        raise RedisConnectionError("away")

    monkeypatch.setattr(redis, "set", away)
    assert await asked({"qr_content": "x"}) == (300, "DEPENDENCY_UNAVAILABLE")
    assert stub.seen == []


async def test_nothing_else_is_served(asked: Asked) -> None:
    assert (await asked.http.get("/sysapi/x")).status_code == 405
    assert (await asked.http.post("/v1/licenses:verify")).status_code == 404
