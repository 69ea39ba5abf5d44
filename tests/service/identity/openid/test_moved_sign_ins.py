"""Where browsers are sent back to is changed by UpdateClient: less at once, more of a channel by two people."""

import pytest

from tests.service.identity.api_clients.clients import approve, get, update
from tests.support.signing_in import REDIRECT, Opened, enrolled, relying_party
from tests.support.town import Town, reason_of
from tongban.identity.v1 import resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
MOVED = "https://partner.test/callback?from=tongban&v=2"
BOTH = resources_pb2.ClientSignIn(redirect_uris=[REDIRECT, MOVED])
ONLY_MOVED = resources_pb2.ClientSignIn(redirect_uris=[MOVED])


async def test_a_partner_moves(home: Town, opened: Opened) -> None:
    party, person = await relying_party(home), await enrolled(home)
    browser, name = opened(party), f"clients/{party.client_id}"
    assert (await browser.begin(redirect_uri=MOVED)).status_code == 400
    wider = await update(home, await get(home, name), sign_in=BOTH)
    assert wider.sign_in == BOTH
    tokens = await browser.signed_in(person)
    assert (await browser.begin(redirect_uri=MOVED, prompt="login")).status_code == 200
    moved = await update(home, wider, sign_in=ONLY_MOVED)
    assert moved.sign_in == ONLY_MOVED
    assert (await browser.begin()).status_code == 400
    assert (await browser.refresh(tokens["refresh_token"])).status_code == 200, "what they agreed to stands"
    nobody = await update(home, moved, sign_in=None)
    assert not nobody.HasField("sign_in")
    assert (await browser.refresh(tokens["refresh_token"])).json()["error"] == "unauthorized_client"


async def test_a_channel_is_sent_to_no_other_address_by_one_human_being(home: Town, opened: Opened) -> None:
    first, second = await home.administrators()
    right = resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=2)
    party = await relying_party(home, resources_pb2.CLIENT_KIND_CHANNEL, assertion_right=right)
    browser, name = opened(party), f"clients/{party.client_id}"
    made = await get(home, name)
    for token in (first, second) if made.state == resources_pb2.CLIENT_STATE_REQUESTED else ():
        made = await approve(home, made, token)
    waits = await update(home, made, first, sign_in=BOTH)
    assert list(waits.sign_in.redirect_uris) == [REDIRECT]
    assert waits.pending_terms.sign_in == BOTH
    assert (await browser.begin(redirect_uri=MOVED)).status_code == 400
    assert await reason_of(approve(home, waits, first)) == "ACTING_ON_SELF"
    stands = await approve(home, waits, second)
    assert (stands.sign_in, stands.HasField("pending_terms")) == (BOTH, False)
    assert (await browser.begin(redirect_uri=MOVED)).status_code == 200
