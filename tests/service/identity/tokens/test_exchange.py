"""Exchanging tokens inside one region: acting for a firm, standing at a window, and what a service may ask for."""

import pytest

from libs.access import roles
from libs.rpc.token_types import ACCESS_TOKEN
from tests.support import sql
from tests.support.patience import invoke
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import mandate_service_pb2, resources_pb2, token_service_pb2_grpc
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"
SOMEBODY = "persons/00000000-0000-7000-8000-0000000000aa"


async def test_only_the_legal_representative_acts_without_a_mandate(home: Town) -> None:
    boss, other = await home.person(), await home.person()
    firm = await home.firm(boss)
    acting = await home.exchange(await home.human_token(boss), on_behalf_of=firm.name)
    principal = await home.verifier().verify(acting)
    assert (principal.subject, principal.kind, principal.organization, principal.assurance) == (
        boss,
        "PERSON",
        firm.name,
        4,
    )
    assert principal.claims["org_uscc"] == firm.uscc
    refused = home.exchange(await home.human_token(other), on_behalf_of=firm.name)
    assert await reason_of(refused) == "NOT_LEGAL_REPRESENTATIVE"


async def test_an_agent_acts_as_long_as_the_mandate_holds(home: Town) -> None:
    boss, agent, stranger = await home.person(), await home.person(), await home.person()
    firm, other = await home.firm(boss), await home.firm(boss)
    mandate = (await home.mandate(firm.name, agent, await home.human_token(boss))).name
    own = await home.human_token(agent)
    principal = await home.verifier().verify(await home.exchange(own, on_behalf_of=firm.name, mandate=mandate))
    assert (principal.organization, principal.mandate) == (firm.name, mandate)
    assert principal.claims["mandate_items"] == ["ITEM-1"]
    assert principal.claims["mandate_powers"] == ["APPLY", "PRESENT"]
    wrong = home.exchange(own, on_behalf_of=other.name, mandate=mandate)
    assert await reason_of(wrong) == "MANDATE_WRONG_PRINCIPAL"
    thief = home.exchange(await home.human_token(stranger), on_behalf_of=firm.name, mandate=mandate)
    assert await reason_of(thief) == "MANDATE_WRONG_AGENT"
    revoke = mandate_service_pb2.RevokeMandateRequest(name=mandate, reason="换人", request_id=request_id())
    await home.call(home.mandates.RevokeMandate, revoke, resources_pb2.Mandate, await home.human_token(boss))
    assert await reason_of(home.exchange(own, on_behalf_of=firm.name, mandate=mandate)) == "MANDATE_NOT_ACTIVE"


async def test_nobody_changes_hats_twice_or_for_themselves(home: Town) -> None:
    boss = await home.person()
    firm = await home.firm(boss)
    own = await home.human_token(boss)
    acting = await home.exchange(own, on_behalf_of=firm.name)
    assert await reason_of(home.exchange(acting, on_behalf_of=firm.name)) == "EXCHANGE_NOT_ALLOWED"
    assert await reason_of(home.exchange(own, on_behalf_of=boss)) == "EXCHANGE_NOT_SUPPORTED"
    assert await reason_of(home.exchange(own, on_behalf_of=SOMEBODY)) == "RESOURCE_NOT_FOUND"


async def test_rights_never_grow_by_an_exchange(home: Town) -> None:
    boss = await home.person()
    firm = await home.firm(boss)
    form = home.asserted(boss)
    narrow = await home.granted(**form, scope="cases.cases.get")
    acting = await home.verifier().verify(await home.exchange(narrow, on_behalf_of=firm.name))
    assert acting.scopes == {"cases.cases.get"}
    more = home.exchange(narrow, on_behalf_of=firm.name, scope="cases.cases.create")
    assert await reason_of(more) == "SCOPE_NOT_GRANTED"
    window = await home.verifier().verify(await home.at_window(narrow, await home.staff_token()))
    assert window.scopes == {
        "cases.cases.get",
        "cases.caseTransfers.send",
        "cases.caseTransfers.get",
        "cases.caseTransfers.list",
    }


_ALONE = {"authenticators", "enrollments", "sessions", "signInGrants"}
"""What people do by themselves alone: a clerk beside them would see what they sign in with."""


async def test_a_window_token_speaks_of_both(home: Town) -> None:
    person = await home.person()
    token = await home.at_window(await home.human_token(person), await home.staff_token())
    principal = await home.verifier().verify(token)
    assert (principal.subject, principal.kind, principal.delegate) == (person, "STAFF", home.staff["receiving"])
    assert (principal.department, principal.posts) == (home.department, (home.posts["receiving"],))
    # What clerks do not hold they do for nobody: which systems a firm has is read by the firm itself, a code is shown by its holder,
    # a face by its owner; what is held on somebody they ask for themselves, and by which accounts elsewhere they sign in.
    alone = {
        "identity.accountLinks.list",
        "identity.accountLinks.remove",
        "identity.clients.get",
        "identity.clients.list",
        "identity.codes.issue",
        "identity.verifications.start",
        "identity.verifications.finish",
        "owndata.uses.list",
        "owndata.holdings.count",
        "owndata.data.download",
    }
    assert principal.scopes == {
        each for each in roles.ASSISTED_PERSON if each.split(".")[1] not in _ALONE and each not in alone
    }
    assert not principal.may("cases.cases.accept")


async def test_a_clients_quota_goes_with_every_token_that_came_through_it(home: Town) -> None:
    person, clerk = await home.person(), await home.staff_token()
    firm = await home.firm(person)
    await _quota(home, 9)
    try:
        own = await home.human_token(person)
        held = [own, await home.exchange(own, on_behalf_of=firm.name), await home.machine_token(home.channel)]
        window = await home.at_window(own, clerk)
    finally:
        await _quota(home, 0)
    assert [(await home.verifier().verify(each)).quota for each in held] == [(0, 9)] * 3
    # The clerk's token was there before: theirs is the client that holds the token of the window.
    assert (await home.verifier().verify(window)).quota == ()


async def _quota(home: Town, per_day: int) -> None:
    statement = f"UPDATE clients SET quota_per_day = {per_day} WHERE id = '{home.channel.client_id}'"
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, statement)


async def test_only_receiving_staff_stand_at_a_window_and_not_for_themselves(home: Town) -> None:
    admin = await home.admin_token()
    person = await home.person()
    own = await home.human_token(person)
    assert await reason_of(home.at_window(own, await home.staff_token("reviewing"))) == "EXCHANGE_NOT_ALLOWED"
    assert await reason_of(home.at_window(own, own)) == "EXCHANGE_NOT_ALLOWED"
    herself = await home.make_staff("herself", admin, person)
    await home.assign(herself.name, home.posts["receiving"], admin)
    assert await reason_of(home.at_window(own, await home.human_token(herself.name))) == "ACTING_ON_SELF"


async def test_fields_that_make_no_exchange_are_refused(home: Town) -> None:
    own = await home.human_token(await home.person())
    for fields in (
        {},
        {"mandate": "mandates/00000000-0000-7000-8000-000000000001"},
        {"actor_token": own},
        {"transfer": TRANSFER},
        {"requested_token_type": DELEGATION},
    ):
        assert await reason_of(home.exchange(own, **fields)) == "EXCHANGE_NOT_SUPPORTED"


async def test_tokens_of_one_type_never_pass_for_another(home: Town) -> None:
    own = await home.human_token(await home.person())
    jwt = "urn:ietf:params:oauth:token-type:jwt"
    assert await reason_of(home.exchange(own, jwt)) == "TOKEN_INVALID"
    used = home.exchange(
        own, DELEGATION, actor_token=own, actor_token_type=ACCESS_TOKEN, audience="//320402", transfer=TRANSFER
    )
    assert await reason_of(used) == "TOKEN_INVALID"
    forged = home.service.issuer.token("persons/00000000-0000-7000-8000-0000000000ea", "PERSON")
    assert await reason_of(home.exchange(forged, on_behalf_of=SOMEBODY)) == "TOKEN_INVALID"


async def test_a_service_gets_a_token_by_its_certificate(home: Town) -> None:
    channel = home.neighbour("cases")
    stub = token_service_pb2_grpc.TokenServiceStub(channel)
    answer = pb.IssueServiceTokenResponse
    made = await invoke(stub.IssueServiceToken, pb.IssueServiceTokenRequest(), answer, to="identity", token="")
    principal = await home.verifier().verify(made.access_token)
    assert (principal.subject, principal.kind) == ("services/cases", "SERVICE")
    assert principal.scopes == set(roles.of_service("cases"))
    more = pb.IssueServiceTokenRequest(scope="seal.seals.create")
    refused = invoke(stub.IssueServiceToken, more, answer, to="identity", token="")
    assert await reason_of(refused) == "SCOPE_NOT_GRANTED"
    await channel.close()
    # Somebody else with that token does not become the service.
    stolen = home.call(home.tokens.IssueServiceToken, pb.IssueServiceTokenRequest(), answer, made.access_token)
    assert await reason_of(stolen) == "PEER_NOT_ALLOWED"


async def test_the_key_set_is_the_same_by_rpc(home: Town) -> None:
    found = await home.call(home.tokens.GetJwks, pb.GetJwksRequest(), resources_pb2.JsonWebKeySet, "")
    by_http = (await home.http.get("/.well-known/jwks.json")).json()["keys"]
    assert [key.kid for key in found.keys] == [key["kid"] for key in by_http]
