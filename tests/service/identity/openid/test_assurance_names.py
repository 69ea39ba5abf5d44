"""A partner speaks of assurance in its own words: in what it asserts, in what it asks for, and in what it is told."""

from typing import Any

import pytest
from joserfc import jwt

from services.identity.app import signing_keys
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.signing_in import Opened, enrolled, relying_party
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import client_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
_WORDS = [
    resources_pb2.AssuranceName(value="RC02", assurance=2),
    resources_pb2.AssuranceName(value="RC03", assurance=3),
]


async def _channel(home: Town) -> Machine:
    machine = Machine(f"k-{request_id()[:8]}", new_key("k-1"))
    client = resources_pb2.Client(
        display_name="省平台",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
        assertion_right=resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=4),
        assurance_names=_WORDS,
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=machine.client_id, request_id=request_id())
    made = await home.call(home.clients.CreateClient, create, resources_pb2.Client, await home.admin_token())
    assert list(made.assurance_names) == _WORDS
    if made.state == resources_pb2.CLIENT_STATE_REQUESTED:
        await home.approve(made.name)
    return machine


@pytest.mark.parametrize(("word", "level"), [("RC02", 2), ("RC03", 3), ("1", 1)])
async def test_a_channel_asserts_in_its_own_words(home: Town, word: str, level: int) -> None:
    channel, person = await _channel(home), await home.person()
    form = home.asserted(person)
    form["assertion"] = channel.sign(person, home.base, acr=word, auth_time=int(channel.now()))
    answer = await home.post(**form)
    assert (await home.verifier().verify(answer.json()["access_token"])).assurance == level


@pytest.mark.parametrize("word", ["RC04", "rc03", "", "9"])
async def test_a_word_that_is_no_ones_is_refused(home: Town, word: str) -> None:
    channel, person = await _channel(home), await home.person()
    form = home.asserted(person)
    form["assertion"] = channel.sign(person, home.base, acr=word, auth_time=int(channel.now()))
    answer = await home.post(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text


async def test_who_signs_people_in_asks_and_is_told_in_its_own_words(home: Town, opened: Opened) -> None:
    party, person = await relying_party(home, assurance_names=_WORDS), await enrolled(home)
    browser = opened(party)
    tokens = await browser.signed_in(person, acr_values="RC02")
    said: dict[str, Any] = jwt.decode(tokens["id_token"], signing_keys(home.service.process).current.key).claims
    assert said["acr"] == "RC02"
    form = {"token": tokens["access_token"], **home.client_form(party)}
    assert (await home.http.post("/oauth/introspect", data=form)).json()["acr"] == "RC02"
    # Our services read ours.
    assert (await home.verifier().verify(tokens["access_token"])).claims["acr"] == "2"
    # A password reaches level 2: for more one signs in anew.
    assert "/oauth/sign-in" in (await browser.begin(acr_values="RC03")).text
    assert "/oauth/sign-in" not in (await browser.begin(acr_values="RC02")).text


async def test_a_word_of_ours_is_no_word_of_theirs(home: Town) -> None:
    refused = relying_party(home, assurance_names=[resources_pb2.AssuranceName(value="4", assurance=1)])
    assert await reason_of(refused) == "FIELD_INVALID"
