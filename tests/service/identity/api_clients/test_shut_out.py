"""A client is shut out at once: whatever came through it, by however many exchanges, stops within what a process asks in."""

import pytest

from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from libs.rpc.withdrawals import asking
from libs.security.withdrawals import EVERY_SECONDS, Withdrawals
from tests.service.identity.api_clients.clients import a_machine, asked_from, called, make_channel, speaking, suspend
from tests.service.identity.conftest import Federation
from tests.support.patience import invoke
from tests.support.town import Town, reason_of
from tongban.identity.v1 import client_service_pb2, token_service_pb2_grpc
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
AWAY = "//320402"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"


async def _service_token(home: Town) -> str:
    stub = token_service_pb2_grpc.TokenServiceStub(home.neighbour("cases"))
    answer = pb.IssueServiceTokenResponse
    made = await invoke(stub.IssueServiceToken, pb.IssueServiceTokenRequest(), answer, to="identity", token="")
    return made.access_token


async def test_all_that_came_through_a_suspended_channel_stops(federation: Federation) -> None:
    home, away = federation.home, federation.away
    channel, boss = a_machine("app"), await home.person()
    made = await make_channel(home, channel)
    firm = (await home.firm(boss)).name
    person, _ = await asked_from(home, None, **speaking(home, channel, boss))
    acting = await home.exchange(person, on_behalf_of=firm)
    # The clerk sits at another client: the person's channel stands in `via`.
    window = await home.at_window(person, await home.staff_token())
    kept = await home.exchange(window, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION)
    service = await _service_token(home)
    used = {"actor_token": service, "actor_token_type": ACCESS_TOKEN, "audience": AWAY, "transfer": TRANSFER}
    abroad = await home.exchange(person, audience=AWAY)
    assert await home.exchange(kept, DELEGATION, **used)
    guest = await away.exchange(abroad, ASSERTION)

    seal = Withdrawals(asking(home.neighbour("seal")))
    held = {
        name: await home.verifier().verify(token)
        for name, token in {"person": person, "acting": acting, "window": window}.items()
    }
    await seal.look()
    for actor in held.values():
        seal.check(actor)
    await suspend(home, made.name)
    await home.service.process.withdrawals.look()  # what each process does every second by itself
    await seal.look()
    assert EVERY_SECONDS <= 2
    listed = client_service_pb2.ListClientsRequest()
    for token in (person, acting, window):
        assert await called(home.clients.ListClients, listed, token) == "TOKEN_INVALID"
    for actor in held.values():
        with pytest.raises(Exception, match="TOKEN_INVALID"):
            seal.check(actor)
    # What is asked of identity itself stops with the very commit.
    exchanges = {
        "act for": home.exchange(person, on_behalf_of=firm),
        "stand at a window": home.at_window(person, await home.staff_token()),
        "assert": home.exchange(person, audience=AWAY),
        "delegate": home.exchange(window, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION),
        "use a delegation": home.exchange(kept, DELEGATION, **used),
    }
    found = {name: await reason_of(each) for name, each in exchanges.items()}
    assert found == dict.fromkeys(exchanges, "CLIENT_NOT_ACTIVE")
    assert await asked_from(home, None, **speaking(home, channel, boss)) == ("", "CLIENT_NOT_ACTIVE")
    # Abroad nothing new begins; a token that the other region gave on our word before is that region's, and ends in
    # ten minutes (decision 0066).
    assert (await away.verifier().verify(guest)).claims["exp"] - (await away.verifier().verify(guest)).issued <= 600
