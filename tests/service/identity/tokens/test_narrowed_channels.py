"""A delegation lives for months: it says no more than the channels on whose word it rests may say when it is used."""

from typing import Any

import pytest

from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.api_clients.clients import RIGHT, a_machine, make_channel, update
from tests.service.identity.conftest import Federation
from tests.service.identity.tokens.test_federation import AWAY, DELEGATION, TRANSFER, _service_token
from tests.support.client_keys import Machine
from tests.support.town import JWT_BEARER, Town, reason_of
from tongban.identity.v1 import resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
PERSONS, STAFF = options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_STAFF


async def _at(home: Town, channel: Machine, subject: str) -> str:
    said = channel.sign(subject, home.base, acr="4", auth_time=int(channel.now()))
    return await home.granted(grant_type=JWT_BEARER, assertion=said)


async def _kept(home: Town, token: str) -> str:
    return await home.exchange(token, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION)


async def _used(home: Town, kept: str) -> str:
    actor = {"actor_token": await _service_token(home), "actor_token_type": ACCESS_TOKEN}
    return await home.exchange(kept, DELEGATION, **actor, audience=AWAY, transfer=TRANSFER)


async def _acr(federation: Federation, kept: str) -> int:
    token = await federation.away.exchange(await _used(federation.home, kept), ASSERTION)
    return (await federation.away.verifier().verify(token)).assurance


async def _narrowed(home: Town, client: resources_pb2.Client, *kinds: Any, most: int = 4) -> resources_pb2.Client:
    return await update(
        home, client, assertion_right=resources_pb2.AssertionRight(actor_kinds=kinds, max_assurance=most)
    )


async def test_a_channel_that_may_speak_for_staff_no_more_bears_no_delegation_of_theirs(
    federation: Federation,
) -> None:
    home, kiosk = federation.home, a_machine("k")
    made = await make_channel(home, kiosk)
    kept = await _kept(home, await _at(home, kiosk, home.staff["receiving"]))
    assert await _used(home, kept)
    made = await _narrowed(home, made, PERSONS)
    assert await reason_of(_used(home, kept)) == "CLIENT_MAY_NOT_ASSERT"
    # Given back by two people, it may speak for them again.
    await update(home, made, assertion_right=RIGHT)
    await home.approve(made.name)
    assert await _used(home, kept)


async def test_what_each_of_two_channels_said_is_looked_at(federation: Federation) -> None:
    home, hall, kiosk = federation.home, a_machine("h"), a_machine("k")
    desk, stand = await make_channel(home, hall), await make_channel(home, kiosk)
    person, clerk = await _at(home, kiosk, await home.person()), await _at(home, hall, home.staff["receiving"])
    kept = await _kept(home, await home.at_window(person, clerk))
    # What neither said is nothing to them.
    desk, stand = await _narrowed(home, desk, STAFF), await _narrowed(home, stand, PERSONS)
    assert await _acr(federation, kept) == 3
    # How well the person is known the person's channel said, not the clerk's.
    desk, stand = await _narrowed(home, desk, STAFF, most=1), await _narrowed(home, stand, PERSONS, most=2)
    assert await _acr(federation, kept) == 2
    await update(home, stand, assertion_right=resources_pb2.AssertionRight(actor_kinds=[STAFF], max_assurance=2))
    assert await reason_of(_used(home, kept)) == "CLIENT_MAY_NOT_ASSERT"
