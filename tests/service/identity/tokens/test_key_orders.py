"""Signing keys changed by hand: the next one signs at once, one that leaked never again, and nothing good is refused."""

import asyncio
from typing import Any

import pytest
from joserfc import jws

from libs.errors import TongbanError
from services.identity.app import signing_keys
from services.identity.core.signing_keys import CODES, TOKENS
from tests.support.patience import PATIENCE
from tests.support.process import until
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import client_service_pb2, resources_pb2
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
_TOKENS, _CODES = pb.SIGNING_KEY_KIND_TOKENS, pb.SIGNING_KEY_KIND_CODES


async def _published(home: Town) -> list[str]:
    answer = await home.http.get("/.well-known/jwks.json")
    return [str(key["kid"]) for key in answer.json()["keys"]]


async def _rotated(
    home: Town, kid: str, kind: "pb.SigningKeyKind.ValueType" = _TOKENS, repeated: str = ""
) -> list[str]:
    request = pb.RotateSigningKeysRequest(kind=kind, kid=kid, request_id=repeated or request_id())
    token = await home.admin_token()
    answer = await home.call(home.tokens.RotateSigningKeys, request, resources_pb2.JsonWebKeySet, token)
    return [each.kid for each in answer.keys]


async def _revoked(
    home: Town, kid: str, kind: "pb.SigningKeyKind.ValueType" = _TOKENS, *, token: str = "", repeated: str = ""
) -> list[str]:
    request = pb.RevokeSigningKeyRequest(kind=kind, kid=kid, reason="密钥可能泄露", request_id=repeated or request_id())
    token = token or await home.admin_token()
    answer = await home.call(home.tokens.RevokeSigningKey, request, resources_pb2.JsonWebKeySet, token)
    return [each.kid for each in answer.keys]


def _kid(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


async def _asks(home: Town, token: str) -> Any:
    request = client_service_pb2.GetClientRequest(name="clients/window")
    return await home.call(home.clients.GetClient, request, resources_pb2.Client, token)


async def test_the_next_key_signs_and_the_last_stays_good(home: Town) -> None:
    before, old = await _published(home), await home.admin_token()
    repeated = request_id()
    answered = await _rotated(home, before[1], repeated=repeated)
    new = await home.admin_token()
    assert (_kid(old), _kid(new)) == (before[0], before[1])
    assert answered[0] == before[1]
    assert before[0] in answered
    await _asks(home, old)
    await _asks(home, new)
    after = await _published(home)
    assert after[0] == before[1]
    assert after[1] not in before, "there is a next one again"
    assert after[2] == before[0]
    # The same request again is the same order.
    assert await _rotated(home, before[1], repeated=repeated) == answered
    assert await _published(home) == after
    # Who opens the key store anew, as another replica does, finds the same.
    assert [key["kid"] for key in signing_keys(home.service.process).public()] == after


async def test_a_key_that_is_not_the_next_one_signs_nothing(home: Town) -> None:
    published = await _published(home)
    for kid in (published[0], *published[2:], "x" * 43):
        assert await reason_of(_rotated(home, kid)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_rotated(home, published[1], _CODES)) == "RESOURCE_NOT_FOUND", "a key of codes is another"
    assert await _published(home) == published


async def test_what_a_revoked_key_signed_is_refused_and_another_signs(home: Town) -> None:
    leaked, following, *_ = await _published(home)
    old = await home.admin_token()
    await _asks(home, old)
    repeated = request_id()
    answered = await _revoked(home, leaked, repeated=repeated)
    assert answered[0] == following
    assert leaked not in answered
    assert leaked not in await _published(home)
    new = await home.admin_token()
    assert _kid(new) == following

    async def refused() -> bool:
        try:
            await _asks(home, old)
        except TongbanError as error:
            return error.reason == "TOKEN_INVALID"
        return False

    await until(refused, PATIENCE)
    await _asks(home, new)
    assert await _revoked(home, leaked, token=new, repeated=repeated) == answered
    assert await reason_of(_revoked(home, leaked)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_revoked(home, "x" * 43)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_revoked(home, following, _CODES)) == "RESOURCE_NOT_FOUND", "a key of codes is another"


async def test_where_two_revoke_both_keys_at_once_another_signs(home: Town) -> None:
    token, known = await home.admin_token(), await _published(home)
    for kid in known[2:]:
        await _revoked(home, kid, token=token)
    await asyncio.gather(*(_revoked(home, kid, token=token) for kid in known[:2]))
    after = await _published(home)
    assert not set(known) & set(after)
    # No token of the new key is refused for being new.
    new = await home.admin_token()
    assert _kid(new) == after[0]
    await _asks(home, new)


async def test_what_was_ordered_is_done_though_who_took_it_dies(home: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is on record, and the key still there: whoever is alive destroys it."""
    (leaked, *_), store = await _published(home), home.service.process.keys
    destroy, failed = store.destroy, asyncio.Event()

    def broken(name: str, version: int) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("killed")
        destroy(name, version)

    monkeypatch.setattr(store, "destroy", broken)
    with pytest.raises(TongbanError):
        await _revoked(home, leaked)
    assert failed.is_set()

    async def gone() -> bool:
        return leaked not in await _published(home)

    await until(gone, PATIENCE)


async def test_keys_of_codes_change_alone(home: Town) -> None:
    process, tokens = home.service.process, await _published(home)
    before = [key["kid"] for key in signing_keys(process, CODES).public()]
    assert (await _rotated(home, before[1], _CODES))[0] == before[1]
    assert before[0] not in await _revoked(home, before[0], _CODES)
    assert signing_keys(process, CODES).current.kid == before[1]
    assert await _published(home) == [key["kid"] for key in signing_keys(process, TOKENS).public()] == tokens
