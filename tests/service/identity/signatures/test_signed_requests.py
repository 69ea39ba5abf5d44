"""What Envoy asks of a signed request: whose it is, or why it is none; and what services refuse that nobody signed."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from libs.client.signing import RequestSigner
from libs.rpc.call import SIGNER
from libs.rpc.token_types import ACCESS_TOKEN
from tests.service.identity.api_clients.clients import (
    a_machine,
    asked_from,
    called,
    get,
    keys_of,
    make,
    make_channel,
    speaking,
    suspend,
    update,
)
from tests.support.client_keys import Machine, new_key
from tests.support.drafts import refused
from tests.support.proof_keys import Holder, bound_token
from tests.support.town import TOKEN_EXCHANGE, Town, request_id
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2, token_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
REQUIRED, OPTIONAL = resources_pb2.SIGNED_REQUESTS_REQUIRED, resources_pb2.SIGNED_REQUESTS_OPTIONAL
_AT, _URL = "/internal/signatures", "/v1/clients:read?pageSize=5&filter=a%20b"
_BODY = '{"名称": 1}'.encode()


def _headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


def signed(home: Town, machine: Machine, token: str, body: bytes = _BODY, **how: Any) -> dict[str, str]:
    """The headers of a signed POST."""
    headers = _headers(token)
    return headers | RequestSigner(machine.key, **how).headers(
        "POST", f"http://{home.http.base_url.netloc.decode()}{_URL}", headers, body
    )


async def judged(home: Town, headers: Mapping[str, str], body: bytes = _BODY, url: str = _URL) -> httpx.Response:
    """What is said of a POST."""
    return await home.http.post(f"{_AT}{url}", content=body, headers=headers)


def why(answer: httpx.Response) -> str:
    """OK, or reason and rule."""
    if answer.status_code == 200:
        return "OK"
    info = answer.json()["details"][0]
    return " ".join([info["reason"], *info.get("metadata", {}).values()])


async def test_a_signed_request_is_its_client_s_once(home: Town) -> None:
    machine = a_machine()
    await make(home, machine)
    headers = signed(home, machine, await home.machine_token(machine))
    first = await judged(home, headers)
    assert (first.status_code, first.headers[SIGNER], first.content) == (200, machine.client_id, b"")
    again = await judged(home, headers)
    assert (again.status_code, why(again)) == (401, "SIGNATURE_REPLAYED")
    assert why(await judged(home, signed(home, machine, await home.machine_token(machine), digest="sm3"))) == "OK"


async def test_who_has_bound_tokens_signs_as_well(home: Town) -> None:
    """The token is brought as DPoP, and that is what is signed; its proof is the service's to look at."""
    machine, holder = a_machine(), Holder()
    await make(home, machine)
    token = await bound_token(home, holder, grant_type="client_credentials", **home.client_form(machine))
    headers = {"authorization": f"DPoP {token}", "content-type": "application/json"}
    url = f"http://{home.http.base_url.netloc.decode()}{_URL}"
    headers |= RequestSigner(machine.key).headers("POST", url, headers, _BODY)
    answer = await judged(home, headers)
    assert (answer.status_code, answer.headers.get(SIGNER)) == (200, machine.client_id), answer.text


async def test_what_was_changed_on_the_way_is_refused_and_uses_nothing_up(home: Town) -> None:
    machine, other = a_machine(), a_machine()
    await make(home, machine)
    await make(home, other)
    token, theirs = await home.machine_token(machine), await home.machine_token(other)
    headers = signed(home, machine, token)
    assert why(await judged(home, headers, b"{}")) == "SIGNATURE_INVALID digest"
    assert why(await judged(home, headers, url=f"{_URL}&x=1")) == "SIGNATURE_INVALID signature"
    assert why(await judged(home, headers | {"authorization": f"Bearer {theirs}"})) == "SIGNATURE_INVALID keyid"
    assert why(await judged(home, headers | {"content-type": "text/plain"})) == "SIGNATURE_INVALID signature"
    assert why(await judged(home, headers | {"upload-offset": "5"})) == "SIGNATURE_INVALID covered"
    assert why(await judged(home, {**headers, "authorization": ""})) == "TOKEN_MISSING"
    assert why(await judged(home, headers | {"authorization": "Bearer x"})).startswith("TOKEN_INVALID")
    assert why(await judged(home, headers)) == "OK"


async def test_a_token_without_a_client_has_no_keys(home: Town) -> None:
    """A partner by secret has none either."""
    machine = a_machine()
    by_secret: dict[str, Any] = {"auth_method": resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET, "jwks": None}
    made = await make(home, machine, **by_secret)
    form = {"client_id": machine.client_id, "client_secret": made.secret}
    token = await home.granted(grant_type="client_credentials", **form)
    assert why(await judged(home, signed(home, machine, token))) == "SIGNATURE_INVALID keyid"


async def test_a_retired_key_and_a_suspended_client_are_refused_at_once(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine)
    token = await home.machine_token(machine)
    fresh = Machine(machine.client_id, new_key("second"))
    rotate = pb.RotateClientKeyRequest(name=made.name, etag=made.etag, jwks=keys_of(fresh), request_id=request_id())
    rotate.overlap.FromSeconds(3600)
    await home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, await home.admin_token())
    for both in (machine, fresh):
        assert why(await judged(home, signed(home, both, token))) == "OK"
    third = Machine(machine.client_id, new_key("third"))
    standing = await get(home, made.name)
    rotate = pb.RotateClientKeyRequest(name=made.name, etag=standing.etag, jwks=keys_of(third), request_id=request_id())
    await home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, await home.admin_token())
    token = await home.machine_token(third)
    assert why(await judged(home, signed(home, fresh, token))) == "SIGNATURE_INVALID keyid"
    assert why(await judged(home, signed(home, third, token))) == "OK"
    await suspend(home, made.name)
    assert why(await judged(home, signed(home, third, token))) in ("SIGNATURE_INVALID keyid", "TOKEN_INVALID withdrawn")
    await home.service.process.withdrawals.look()
    assert why(await judged(home, signed(home, third, token))).startswith("TOKEN_INVALID")


async def test_to_grpc_a_refusal_is_told_in_headers(home: Town) -> None:
    machine = a_machine()
    await make(home, machine)
    token = await home.machine_token(machine)
    answer = await judged(home, signed(home, machine, token) | {"content-type": "application/grpc"})
    assert (answer.status_code, answer.headers["grpc-status"], answer.content) == (401, "16", b"")


async def _call(token: str, signer: str | None, request: Any, method: Any) -> str:
    """OK, or the reason why a call is refused of which the gateway says who signed it."""
    said = [(SIGNER, signer)] if signer is not None else []
    return await called(
        lambda asked, metadata, timeout: method(asked, metadata=metadata + said, timeout=timeout), request, token
    )


async def test_a_client_that_signs_is_refused_what_it_did_not_sign(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, signed_requests=REQUIRED, scopes=["identity.clients.get"])
    assert made.signed_requests == REQUIRED
    token = await home.machine_token(machine)
    assert (await home.verifier().verify(token)).signs
    read = pb.GetClientRequest(name=made.name)
    for nobody in (None, "", "administrator", made.name):
        assert await _call(token, nobody, read, home.clients.GetClient) == "SIGNATURE_REQUIRED"
    assert await _call(token, machine.client_id, read, home.clients.GetClient) == "OK"


async def test_to_ask_for_signatures_holds_for_tokens_given_before(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, scopes=["identity.clients.get"])
    assert made.signed_requests == OPTIONAL
    token, read = await home.machine_token(machine), pb.GetClientRequest(name=made.name)
    assert await _call(token, None, read, home.clients.GetClient) == "OK"
    made = await update(home, made, signed_requests=REQUIRED)
    await home.service.process.withdrawals.look()  # what the process does every second by itself
    assert await _call(token, None, read, home.clients.GetClient) == "TOKEN_INVALID"
    made = await update(home, made, display_name="别名")
    assert made.signed_requests == REQUIRED
    assert (await update(home, made, signed_requests=OPTIONAL)).signed_requests == OPTIONAL


async def test_a_channel_stops_signing_by_two_people_only(home: Town) -> None:
    made = await make_channel(home, a_machine("app"), signed_requests=REQUIRED)
    waits = await update(home, made, signed_requests=OPTIONAL)
    assert (waits.signed_requests, waits.pending_terms.signed_requests) == (REQUIRED, OPTIONAL)
    assert (await home.approve(waits.name)).signed_requests == OPTIONAL


@pytest.mark.parametrize("late", [False, True])
async def test_who_has_no_key_can_t_be_asked_to_sign(home: Town, late: bool) -> None:
    by_secret: dict[str, Any] = {"auth_method": resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET, "jwks": None}
    if late:
        made = await make(home, a_machine(), **by_secret)
        why_not = await refused(update(home, made, signed_requests=REQUIRED))
    else:
        why_not = await refused(make(home, a_machine(), **by_secret, signed_requests=REQUIRED))
    assert why_not == "FIELD_INVALID"


async def test_a_stolen_token_is_exchanged_by_nobody_else(home: Town) -> None:
    """Not by gRPC without a signature, not at the token endpoint by nobody or by another client; by the client itself it is."""
    channel, other, boss = a_machine("app"), a_machine(), await home.person()
    await make_channel(home, channel, signed_requests=REQUIRED)
    await make(home, other)
    firm = (await home.firm(boss)).name
    person, _ = await asked_from(home, None, **speaking(home, channel, boss))
    form = {"subject_token": person, "subject_token_type": ACCESS_TOKEN, "on_behalf_of": firm}
    exchange = token_service_pb2.ExchangeTokenRequest(**form)
    for signer in (None, other.client_id):
        assert await _call("", signer, exchange, home.tokens.ExchangeToken) == "SIGNATURE_REQUIRED"
    assert await _call(person, channel.client_id, exchange, home.tokens.ExchangeToken) == "OK"
    asked = {"grant_type": TOKEN_EXCHANGE, **form}
    assert await asked_from(home, None, **asked) == ("", "SIGNATURE_REQUIRED")
    assert await asked_from(home, None, **asked, **home.client_form(other)) == ("", "SIGNATURE_REQUIRED")
    acting, _ = await asked_from(home, None, **asked, **home.client_form(channel))
    assert (await home.verifier().verify(acting)).signs


async def test_without_redis_nothing_signed_is_taken(home: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_words: Any, **_how: Any) -> None:
        raise RedisConnectionError("away")

    machine = a_machine()
    await make(home, machine)
    token = await home.machine_token(machine)
    with monkeypatch.context() as patched:
        patched.setattr(home.service.process.redis, "set", away)
        answer = await judged(home, signed(home, machine, token))
    assert (answer.status_code, answer.content) == (503, b"")
    assert why(await judged(home, signed(home, machine, token))) == "OK"
