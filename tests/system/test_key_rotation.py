"""A running region's token keys are changed by hand while it works: nobody who is in order is refused, and a key that leaked is worth nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from joserfc import jws

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.regions import SERVICES
from libs.errors import TongbanError
from tests.support.patience import PATIENCE
from tests.support.process import until
from tests.support.regions import Regions
from tests.system.test_replicas import Load, _creating, _head
from tests.system.test_trust import _exchange, _query
from tongban.audit.v1 import audit_service_pb2 as audit
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]
_TOKENS, _CODES = pb.SIGNING_KEY_KIND_TOKENS, pb.SIGNING_KEY_KIND_CODES
_GRPC_HEAD = "/tongban.audit.v1.AuditService/GetAuditHead"


def _kid(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


async def _published(office: Office) -> list[str]:
    return [str(key["kid"]) for key in (await office.gateway.get("/.well-known/jwks.json"))["keys"]]


async def _rotated(office: Office, kid: str, kind: "pb.SigningKeyKind.ValueType" = _TOKENS) -> list[str]:
    request = pb.RotateSigningKeysRequest(kind=kind, kid=kid, request_id=request_id())
    answer = await office.gateway.using(await office.admin_token()).call(request, resources_pb2.JsonWebKeySet)
    return [key.kid for key in answer.keys]


async def _revoked(office: Office, kid: str) -> None:
    request = pb.RevokeSigningKeyRequest(kind=_TOKENS, kid=kid, reason="密钥可能泄露", request_id=request_id())
    await office.gateway.using(await office.admin_token()).call(request, resources_pb2.JsonWebKeySet)


def _forget_tokens(regions: Regions) -> None:
    """What the offices keep of tokens is given up: whoever works on signs in anew."""
    for office in (regions.home, regions.handling):
        office.gateway._known.clear()
        office.gateway._signed_in.clear()


class _More:
    """Calls by gRPC under tokens that are new each time, and exchanges over the border; what each came to."""

    def __init__(self, regions: Regions) -> None:
        self._regions = regions
        self.results: Counter[str] = Counter()
        self.signed: Counter[str] = Counter()
        self._over = asyncio.Event()

    async def _calls(self) -> None:
        office = self._regions.handling
        call: Any = office.gateway.channel.unary_unary(
            _GRPC_HEAD, request_serializer=lambda request: request.SerializeToString()
        )
        while not self._over.is_set():
            machine = office.gateway.machine(office.admin)
            machine.caller.tokens.expire()
            try:
                token = await machine.token()
                self.signed[_kid(token)] += 1
                metadata = [("authorization", f"Bearer {token}")]
                await call(audit.GetAuditHeadRequest(name="cases/auditHead"), timeout=30, metadata=metadata)
                self.results["grpc OK"] += 1
            except (grpc.aio.AioRpcError, TongbanError) as error:
                self.results[f"grpc {error}"] += 1

    async def _borders(self) -> None:
        while not self._over.is_set():
            self.results[f"border {await _exchange(self._regions)}"] += 1

    async def signed_by(self, kid: str, count: int) -> None:
        """Waits until so many more tokens were signed by a key, and the border was crossed as often."""
        goal, crossed = self.signed[kid] + count, self.results["border OK"] + count

        async def there() -> bool:
            return self.signed[kid] >= goal and self.results["border OK"] >= crossed

        await until(there, PATIENCE)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Calls for the length of the block."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._calls())
            group.create_task(self._borders())
            try:
                yield
            finally:
                self._over.set()


async def _refusals(office: Office, token: str) -> list[str]:
    """Why each service refuses a token; empty for one that takes it."""
    found = []
    for service in SERVICES:
        answer = await office.gateway.http.get(_head(service), headers={"authorization": f"Bearer {token}"})
        found.append(answer.json()["details"][0]["reason"] if answer.status_code == 401 else "")
    return found


async def test_keys_are_changed_under_load_and_nobody_is_refused(regions: Regions) -> None:
    """By JSON, by gRPC, by grants and over the border; with two replicas of each service."""
    office = regions.handling
    before = await _published(office)
    usual = {f"{each} {(await office.gateway.http.get(_head(each))).status_code}" for each in SERVICES}
    _forget_tokens(regions)
    old = await office.admin_token()
    assert _kid(old) == before[0]
    load, more = Load(regions, await _creating(regions, 4041)), _More(regions)
    async with load.running(), more.running():
        await load.reached(20)
        await more.signed_by(before[0], 2)
        assert (await _rotated(office, before[1]))[0] == before[1]
        codes = await office.gateway.get("/v1/codeKeys")
        await _rotated(office, str(codes["keys"][1]["kid"]), _CODES)
        await more.signed_by(before[1], 5)
        await load.reached(40)
        # What was signed before is as good as it was.
        assert set(await _refusals(office, old)) == {""}
        _forget_tokens(regions)
        await load.reached(40)
        # Now it is known that the last one leaked.
        await _revoked(office, before[0])
        await more.signed_by(before[1], 5)
        await load.reached(40)

        async def refused() -> bool:
            # Both replicas of each, which look at different times.
            said = [await _refusals(office, old) for _ in range(4)]
            return {each for row in said for each in row} == {"TOKEN_INVALID"}

        await until(refused, PATIENCE)
        assert await refused()
    print(f"\nwhile keys were changed: {dict(load.results)} {dict(more.results)}")
    assert set(more.results) == {"grpc OK", "border OK"}
    assert set(load.results) == usual | {"create OK", "token OK"}
    assert len(set(load.made)) == load.results["create OK"]
    after = await _published(office)
    assert after[0] == before[1]
    assert before[0] not in after
    assert await _query(regions) == "OK", "a service's own tokens are of the new key too"
