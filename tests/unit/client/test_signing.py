"""Our client signs what it sends, by the rules by which regions judge, and nothing where it was not asked to."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from joserfc.jwk import ECKey

from libs.client import PrivateKey
from libs.security.message_signatures import HttpRequest
from services.identity.signatures import judging
from tests.support.region_stub import RegionStub, region_stub
from tongban.identity.v1 import token_service_pb2
from tongban.license.v1 import verification_service_pb2

_KEY = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256", "use": "sig"}, auto_kid=False)
_VERIFY = "/tongban.license.v1.VerificationService/VerifyLicense"
_EXCHANGE = "/tongban.identity.v1.TokenService/ExchangeToken"
_SIGNED = {"signature", "signature-input", "content-digest"}


@pytest_asyncio.fixture
async def stub() -> AsyncIterator[RegionStub]:
    async with region_stub() as running:
        running.answers["VerifyLicense"] = lambda _: verification_service_pb2.VerifyLicenseResponse()
        running.answers["ExchangeToken"] = lambda _: token_service_pb2.ExchangeTokenResponse(
            access_token="acting", expires_in=600
        )
        yield running


def _check(stub: RegionStub, place: int, path: str) -> None:
    """Judges a call as a region does, by what reached it."""
    _, message, bearer = stub.seen[place]
    body = message.SerializeToString()
    headers = stub.metadata[place] | {"content-type": "application/grpc", "authorization": f"Bearer {bearer}"}
    frame = b"\0" + len(body).to_bytes(4, "big") + body
    request = HttpRequest("POST", "http", stub.url.partition("://")[2], path, headers, frame)
    public: dict[str, Any] = {**_KEY.as_dict(private=False), "alg": "ES256"}
    keys = [{name: str(value) for name, value in public.items() if name in ("kid", "kty", "alg", "crv", "x", "y")}]
    judging.check_signed(request, judging.read_signature(headers), keys, datetime.fromtimestamp(time.time(), UTC))


async def test_each_call_of_a_client_that_signs_is_signed_anew(stub: RegionStub) -> None:
    region = stub.client(PrivateKey("erp", _KEY, signs=True))
    for _ in range(2):
        await region.license.verify_license(qr_content="x")
    for place in range(2):
        _check(stub, place, _VERIFY)
    assert stub.metadata[0]["signature"] != stub.metadata[1]["signature"]
    await region.caller.connection.close()


async def test_an_exchange_is_signed_by_the_token_that_is_exchanged(stub: RegionStub) -> None:
    region = stub.client(PrivateKey("erp", _KEY, signs=True))
    await region.on_behalf_of("organizations/1").license.verify_license(qr_content="x")
    assert [(name, bearer) for name, _, bearer in stub.seen] == [
        ("ExchangeToken", "token-1"),
        ("VerifyLicense", "acting"),
    ]
    _check(stub, 0, _EXCHANGE)
    _check(stub, 1, _VERIFY)
    await region.caller.connection.close()


@pytest.mark.parametrize("signs", [False, True])
async def test_who_was_not_asked_to_sign_and_who_has_no_token_sends_no_signature(stub: RegionStub, signs: bool) -> None:
    region = stub.client(PrivateKey("erp", _KEY, signs=signs))
    await (region.as_bearer("") if signs else region).license.verify_license(qr_content="x")
    assert not _SIGNED & stub.metadata[0].keys()
    await region.caller.connection.close()
