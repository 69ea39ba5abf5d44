"""A client that calls from certain addresses: no token elsewhere, and none that holds elsewhere, its own or people's."""

import pytest

from libs.rpc.token_types import ACCESS_TOKEN
from tests.service.identity.api_clients.clients import (
    a_machine,
    asked_from,
    called,
    get,
    make,
    make_channel,
    own,
    speaking,
    update,
)
from tests.support.town import TOKEN_EXCHANGE, Town
from tongban.identity.v1 import client_service_pb2, resources_pb2, token_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
OFFICE, INSIDE, OUTSIDE = ["203.0.113.0/24", "2001:db8:1::/48"], "203.0.113.9", "198.51.100.1"
NO = "CLIENT_ADDRESS_NOT_ALLOWED"


async def test_a_token_is_got_and_used_in_its_client_s_ranges_only(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, ip_ranges=OFFICE, scopes=["identity.clients.get"])
    assert list((await get(home, made.name)).ip_ranges) == OFFICE
    nowhere: tuple[str | None, ...] = (OUTSIDE, None, f"{INSIDE}, {OUTSIDE}", "unknown")
    for elsewhere in nowhere:
        assert await asked_from(home, elsewhere, **own(home, machine)) == ("", NO)
    token, _ = await asked_from(home, f"{OUTSIDE}, {INSIDE}", **own(home, machine))
    assert (await home.verifier().verify(token)).claims["cip"] == OFFICE
    read = client_service_pb2.GetClientRequest(name=made.name)
    for address in (INSIDE, "2001:db8:1::7", "::ffff:203.0.113.1"):
        assert await called(home.clients.GetClient, read, token, address) == "OK"
    for away in (*nowhere, "2001:db8:2::7"):
        assert await called(home.clients.GetClient, read, token, away) == NO


async def test_who_proves_nothing_is_not_told_of_ranges(home: Town) -> None:
    machine = a_machine()
    await make(home, machine, ip_ranges=OFFICE)
    thief = type(machine)(machine.client_id, a_machine().key)
    assert await asked_from(home, OUTSIDE, **own(home, thief)) == ("", "TOKEN_INVALID")


async def test_what_is_refused_uses_no_assertion_up(home: Town) -> None:
    machine = a_machine()
    await make(home, machine, ip_ranges=OFFICE)
    form = own(home, machine)
    assert await asked_from(home, OUTSIDE, **form) == ("", NO)
    assert (await asked_from(home, INSIDE, **form))[0]


async def test_people_s_tokens_hold_where_their_channel_calls(home: Town) -> None:
    """The channel's server asks and calls for them; a channel that hands tokens out states no ranges (decision 0066)."""
    channel, boss = a_machine("app"), await home.person()
    made = await make_channel(home, channel, ip_ranges=OFFICE)
    firm = (await home.firm(boss)).name
    assert await asked_from(home, OUTSIDE, **speaking(home, channel, boss)) == ("", NO)
    person, _ = await asked_from(home, INSIDE, **speaking(home, channel, boss))
    exchange = token_service_pb2.ExchangeTokenRequest(
        subject_token=person, subject_token_type=ACCESS_TOKEN, on_behalf_of=firm
    )
    assert await called(home.tokens.ExchangeToken, exchange, "", OUTSIDE) == NO
    assert await called(home.tokens.ExchangeToken, exchange, "", INSIDE) == "OK"
    form = {"subject_token": person, "subject_token_type": ACCESS_TOKEN, "on_behalf_of": firm}
    assert await asked_from(home, OUTSIDE, grant_type=TOKEN_EXCHANGE, **form) == ("", NO)
    acting, _ = await asked_from(home, INSIDE, grant_type=TOKEN_EXCHANGE, **form)
    listed = client_service_pb2.ListClientsRequest()
    assert await called(home.clients.ListClients, listed, acting, INSIDE) == "OK"
    assert await called(home.clients.ListClients, listed, acting, OUTSIDE) == NO
    assert made.state == resources_pb2.CLIENT_STATE_ACTIVE


async def test_a_window_s_token_holds_where_the_clerk_s_client_calls(home: Town) -> None:
    """The kiosk's ranges are looked at where the person's token is shown; who holds the new one is the hall's system."""
    kiosk, person = a_machine("kiosk"), await home.person()
    await make_channel(home, kiosk, ip_ranges=["192.0.2.0/24"])
    theirs, _ = await asked_from(home, "192.0.2.7", **speaking(home, kiosk, person))
    clerk = await home.staff_token()
    request = token_service_pb2.ExchangeTokenRequest(
        subject_token=theirs,
        subject_token_type=ACCESS_TOKEN,
        actor_token=clerk,
        actor_token_type=ACCESS_TOKEN,
    )
    assert await called(home.tokens.ExchangeToken, request, "", INSIDE) == NO
    form = {
        "subject_token": theirs,
        "subject_token_type": ACCESS_TOKEN,
        "actor_token": clerk,
        "actor_token_type": ACCESS_TOKEN,
    }
    window, _ = await asked_from(home, "192.0.2.7", grant_type=TOKEN_EXCHANGE, **form)
    assert "cip" not in (await home.verifier().verify(window)).claims


async def test_tokens_given_before_lose_the_addresses_that_are_taken_away(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, scopes=["identity.clients.get"])
    token, _ = await asked_from(home, OUTSIDE, **own(home, machine))
    read = client_service_pb2.GetClientRequest(name=made.name)
    assert await called(home.clients.GetClient, read, token, OUTSIDE) == "OK"
    await update(home, made, ip_ranges=OFFICE)
    await home.service.process.withdrawals.look()  # what the process does every second by itself
    # Also one that was made in this very second.
    assert await called(home.clients.GetClient, read, token, OUTSIDE) == "TOKEN_INVALID"


async def test_what_is_no_range_is_named(home: Town) -> None:
    for ranges in (["203.0.113.1/24"], ["::ffff:203.0.113.0/120"], ["203.0.113.0/33"]):
        with pytest.raises(Exception, match="FIELD_INVALID") as refused:
            await make(home, a_machine(), ip_ranges=ranges)
        assert refused.value.violations[0].field == "client.ip_ranges[0]"  # type: ignore[attr-defined]
