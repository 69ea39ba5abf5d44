"""Mandates that are passed on (转委托): what an agency's people may do, who ends it, and that nothing outlives what it comes from."""

import asyncio
from typing import Any

import pytest

from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.conftest import Federation
from tests.service.identity.tokens.test_federation import AWAY, DELEGATION, TRANSFER, _service_token
from tests.support import sql
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import mandate_service_pb2_grpc, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTIVE, REVOKED = resources_pb2.MANDATE_STATE_ACTIVE, resources_pb2.MANDATE_STATE_REVOKED


def limits(*regions: str) -> list[resources_pb2.MandateLimit]:
    """A limit to these other regions."""
    return [resources_pb2.MandateLimit(regions=resources_pb2.MandateRegions(regions=regions))]


class Agency:
    """A firm that hires an agency, whose boss passes the firm's mandate on to a clerk."""

    def __init__(self, home: Town) -> None:
        self.home = home

    async def begin(self, **fields: Any) -> "Agency":
        home = self.home
        self.owner, self.boss, self.clerk = [await home.person() for _ in range(3)]
        self.firm = (await home.firm(self.owner)).name
        self.owners = await home.human_token(self.owner)
        self.given = await home.mandate(
            self.firm, self.boss, self.owners, **{"sub_delegable": True, "seconds": 90_000, **fields}
        )
        self.boss_token, self.clerk_token = await home.human_token(self.boss), await home.human_token(self.clerk)
        return self

    async def pass_on(self, token: str = "", **fields: Any) -> resources_pb2.Mandate:
        told = {"parent": self.given.name, **fields}
        return await self.home.mandate(
            told.pop("principal", self.firm), told.pop("agent", self.clerk), token or self.boss_token, **told
        )

    async def act(self, mandate: resources_pb2.Mandate) -> str:
        return await self.home.exchange(self.clerk_token, on_behalf_of=self.firm, mandate=mandate.name)

    async def revoke(self, name: str, token: str) -> resources_pb2.Mandate:
        request = pb.RevokeMandateRequest(name=name, reason="合同到期", request_id=request_id())
        return await self.home.call(self.home.mandates.RevokeMandate, request, resources_pb2.Mandate, token)

    async def get(self, name: str, token: str) -> resources_pb2.Mandate:
        request = pb.GetMandateRequest(name=name)
        return await self.home.call(self.home.mandates.GetMandate, request, resources_pb2.Mandate, token)

    async def seen(self, token: str, text: str = "") -> list[str]:
        request = pb.ListMandatesRequest(filter=text)
        page = await self.home.call(self.home.mandates.ListMandates, request, pb.ListMandatesResponse, token)
        return [each.name for each in page.mandates]

    async def check(self, mandate: str) -> pb.CheckMandateResponse:
        channel = self.home.neighbour("cases")
        request = pb.CheckMandateRequest(
            person=self.clerk,
            principal=self.firm,
            mandate=mandate,
            item_codes=["ITEM-1"],
            power=options_pb2.MANDATE_POWER_APPLY,
        )
        stub = mandate_service_pb2_grpc.MandateServiceStub(channel)
        found = await self.home.call(stub.CheckMandate, request, pb.CheckMandateResponse, "")
        await channel.close()
        return found


async def test_an_agencys_clerk_acts_under_what_was_passed_on(home: Town) -> None:
    agency = await Agency(home).begin()
    assert (agency.given.kind, agency.given.sub_delegable) == (resources_pb2.MANDATE_KIND_AGENT, True)
    child = await agency.pass_on()
    assert (child.state, child.granter, child.parent) == (ACTIVE, agency.boss, agency.given.name)
    assert (child.kind, child.sub_delegable) == (resources_pb2.MANDATE_KIND_AGENT, False)
    claims = (await home.verifier().verify(await agency.act(child))).claims
    assert (claims["sub"], claims["org"], claims["mandate"]) == (agency.clerk, agency.firm, child.name)
    assert (claims["mandate_by"], claims["mandate_items"]) == (agency.boss, ["ITEM-1"])
    answer = await agency.check(child.name)
    assert (answer.allowed, answer.expire_time) == (True, child.end_time)


async def test_who_may_pass_what_on(home: Town) -> None:
    agency = await Agency(home).begin(limits=limits("320402"))
    assert await reason_of(agency.pass_on(agency.owners, limits=limits())) == "MANDATE_WRONG_AGENT"
    assert await reason_of(agency.pass_on(agency.clerk_token, limits=limits())) == "RESOURCE_NOT_FOUND"
    nowhere = f"mandates/{agency.given.name[9:-1]}{'0' if agency.given.name[-1] != '0' else '1'}"
    assert await reason_of(agency.pass_on(parent=nowhere, limits=limits())) == "RESOURCE_NOT_FOUND"
    beyond: list[dict[str, Any]] = [
        {},
        {"limits": limits("330102")},
        {"limits": limits() * 2},
        {"limits": limits(), "sub_delegable": True},
        {"limits": limits(), "agent": agency.boss},
        {"limits": limits(), "seconds": 90_100},
        {"limits": limits(), "principal": (await home.firm(agency.owner)).name},
        {"limits": limits(), "kind": resources_pb2.MANDATE_KIND_HELPER},
        {
            "limits": limits(),
            "scope": resources_pb2.MandateScope(all_items=True, powers=[options_pb2.MANDATE_POWER_APPLY]),
        },
    ]
    for fields in beyond:
        assert await reason_of(agency.pass_on(**fields)) == "FIELD_INVALID", fields
    child = await agency.pass_on(limits=limits())
    assert [[*each.regions.regions] for each in child.limits] == [[]]
    again = agency.pass_on(agency.clerk_token, parent=child.name, agent=agency.owner, limits=limits())
    assert await reason_of(again) == "FIELD_INVALID"
    kept = await Agency(home).begin(sub_delegable=False)
    assert await reason_of(kept.pass_on()) == "FIELD_INVALID"
    await kept.revoke(kept.given.name, kept.owners)
    assert await reason_of(kept.pass_on()) == "MANDATE_NOT_ACTIVE"


async def test_with_a_mandate_ends_what_was_passed_on_from_it(home: Town) -> None:
    agency = await Agency(home).begin()
    first, waits = await agency.pass_on(), await agency.pass_on(acceptance_required=True)
    laid_down = await agency.pass_on()
    await agency.revoke(laid_down.name, agency.clerk_token)
    token = await agency.act(first)
    ended = await agency.revoke(agency.given.name, agency.boss_token)
    assert ended.state == REVOKED
    for child in (first, waits):
        found = await agency.get(child.name, agency.clerk_token)
        assert (found.state, found.revoke_reason, found.revoke_time) == (REVOKED, "合同到期", ended.revoke_time)
    earlier = await agency.get(laid_down.name, agency.clerk_token)
    assert earlier.revoke_time.ToNanoseconds() < ended.revoke_time.ToNanoseconds()
    assert earlier.etag == '"2"'
    assert await reason_of(agency.act(first)) == "MANDATE_NOT_ACTIVE"
    assert (await agency.check(first.name)).allowed is False
    await home.service.process.withdrawals.look()
    seen = home.call(home.mandates.GetMandate, pb.GetMandateRequest(name=first.name), resources_pb2.Mandate, token)
    assert await reason_of(seen) == "TOKEN_INVALID"
    accept = pb.AcceptMandateRequest(name=waits.name, etag=waits.etag, request_id=request_id())
    refused = home.call(home.mandates.AcceptMandate, accept, resources_pb2.Mandate, agency.clerk_token)
    assert await reason_of(refused) == "STATE_CONFLICT"


async def test_the_right_is_judged_by_the_chain_and_by_no_copy(home: Town) -> None:
    """What no RPC does: the parent ends in the table alone, as a restored copy, or an older server, might leave it."""
    agency = await Agency(home).begin()
    child = await agency.pass_on()
    table = home.service.process.database
    async with table.transaction() as connection:
        await sql.execute(connection, f"UPDATE mandates SET state = 'REVOKED' WHERE id = '{agency.given.name[9:]}'")
    assert await reason_of(agency.act(child)) == "MANDATE_NOT_ACTIVE"
    other = await Agency(home).begin()
    child = await other.pass_on()
    async with table.transaction() as connection:
        await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{other.boss[8:]}'")
    assert await reason_of(other.act(child)) == "MANDATE_NOT_ACTIVE"
    assert (await other.check(child.name)).allowed is False


async def test_principal_giver_and_agent_see_it_and_end_it(home: Town) -> None:
    agency = await Agency(home).begin()
    children = [await agency.pass_on() for _ in range(3)]
    names = [each.name for each in children][::-1]
    assert await agency.seen(agency.boss_token, f"parent = {agency.given.name}") == names
    assert await agency.seen(agency.boss_token) == [*names, agency.given.name]
    assert await agency.seen(agency.owners, f"parent = {agency.given.name}") == names
    assert await agency.seen(agency.clerk_token) == names
    assert await agency.seen(agency.boss_token, "sub_delegable = true") == [agency.given.name]
    assert await agency.seen(agency.boss_token, "kind = MANDATE_KIND_HELPER") == []
    stranger = await home.human_token(await home.person())
    assert await agency.seen(stranger, f"parent = {agency.given.name}") == []
    assert await reason_of(agency.get(names[0], stranger)) == "RESOURCE_NOT_FOUND"
    for name, token in zip(names, (agency.owners, agency.boss_token, agency.clerk_token), strict=True):
        assert (await agency.get(name, token)).state == ACTIVE
        assert (await agency.revoke(name, token)).state == REVOKED
    # The firm's own mandate of the boss goes on.
    assert (await agency.get(agency.given.name, agency.owners)).state == ACTIVE


async def test_what_is_passed_on_while_its_parent_ends_ends_too(home: Town) -> None:
    """Either it is made before and ends with it, or it is refused: never does it stand alone."""
    for _ in range(5):
        agency = await Agency(home).begin()
        made, ended = await asyncio.gather(
            agency.pass_on(), agency.revoke(agency.given.name, agency.owners), return_exceptions=True
        )
        assert isinstance(ended, resources_pb2.Mandate)
        if isinstance(made, resources_pb2.Mandate):
            assert (await agency.get(made.name, agency.clerk_token)).state == REVOKED
        else:
            assert getattr(made, "reason", "") == "MANDATE_NOT_ACTIVE"


async def test_a_mandate_is_used_in_the_regions_that_it_names_and_at_home(federation: Federation) -> None:
    home = federation.home
    for named, reason in (([], "MANDATE_NOT_FOR_REGION"), (["330102"], "MANDATE_NOT_FOR_REGION"), (["320402"], "")):
        agency = await Agency(home).begin(limits=limits(*named))
        assert [sorted(each.regions.regions) for each in agency.given.limits] == [named]
        child = await agency.pass_on(limits=limits(*named))
        token = await agency.act(child)
        window = await home.exchange(token, actor_token=await home.staff_token(), actor_token_type=ACCESS_TOKEN)
        kept = {"audience": AWAY, "requested_token_type": DELEGATION, "transfer": TRANSFER}
        for crossing in (home.exchange(token, audience=AWAY), home.exchange(window, **kept)):
            assert (await reason_of(crossing) if reason else await crossing and "") == reason


async def test_a_delegation_is_worthless_once_what_its_mandate_comes_from_has_ended(federation: Federation) -> None:
    home = federation.home
    agency = await Agency(home).begin()
    child = await agency.pass_on()
    window = await home.at_window(await agency.act(child), await home.staff_token())
    kept = await home.exchange(window, audience=AWAY, requested_token_type=DELEGATION, transfer=TRANSFER)

    async def use() -> str:
        return await home.exchange(
            kept,
            DELEGATION,
            audience=AWAY,
            transfer=TRANSFER,
            requested_token_type=ASSERTION,
            actor_token=await _service_token(home),
            actor_token_type=ACCESS_TOKEN,
        )

    assert await use()
    await agency.revoke(agency.given.name, agency.owners)
    assert await reason_of(use()) == "MANDATE_NOT_ACTIVE"


async def test_an_agency_of_another_region_passes_on_as_its_guest(federation: Federation) -> None:
    home, away = federation.home, federation.away
    owner, clerk, abroad = await home.person(), await home.person(), await away.person()
    agent = f"{AWAY}/{abroad}"
    given = await home.mandate(owner, agent, await home.human_token(owner), sub_delegable=True, seconds=90_000)
    theirs = await away.exchange(await away.human_token(abroad), audience="//341500")
    guest = await home.exchange(theirs, ASSERTION)
    child = await home.mandate(owner, clerk, guest, parent=given.name)
    assert child.granter == agent
    token = await home.exchange(await home.human_token(clerk), on_behalf_of=owner, mandate=child.name)
    assert (await home.verifier().verify(token)).claims["mandate_by"] == agent
    request = pb.RevokeMandateRequest(name=child.name, reason="不再需要", request_id=request_id())
    ended = await home.call(home.mandates.RevokeMandate, request, resources_pb2.Mandate, guest)
    assert ended.state == REVOKED
