"""Two accounts of one human being become one: what goes over, what ends, and what the old name leads to."""

import pytest

from libs.access.actor import from_claims
from tests.support import sql
from tests.support.held import WHY, Papers, adding
from tests.support.merging import Merging
from tests.support.town import Town, reason_of
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import mandate_service_pb2, mandate_service_pb2_grpc, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
DONE, REQUESTED = resources_pb2.PERSON_MERGE_STATE_DONE, resources_pb2.PERSON_MERGE_STATE_REQUESTED


@pytest.fixture
def merging(home: Town) -> Merging:
    return Merging(home)


async def _withdrawn(home: Town) -> set[str]:
    async with home.service.process.database.read() as connection:
        return set(await sql.scalars(connection, "SELECT party FROM withdrawals WHERE restore_time IS NULL"))


async def test_the_second_human_being_lets_two_accounts_be_one(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    made = await merging.ask(kept, merged)
    assert (made.state, made.approvals, made.kept, made.merged) == (REQUESTED, 1, kept, merged)
    await home.human_token(merged)
    done = await merging.approve(made.name)
    assert (done.state, done.approvals) == (DONE, 0)
    papers = Papers(home)
    there, here = await papers.clear(merged), await papers.clear(kept)
    assert (there.state, there.merged_into) == (resources_pb2.PERSON_STATE_MERGED, kept)
    assert [*here.merged_persons] == [merged]
    answer = await home.post(**home.asserted(merged))
    assert answer.json()["reason"] == "PERSON_NOT_ACTIVE"
    assert merged in await _withdrawn(home)


async def test_documents_go_over_and_lead_to_the_one_that_lives_on(home: Town, merging: Merging) -> None:
    name, card, passport = home.people.person().name, merging.citizen(), merging.passport()
    kept, merged = await merging.account(name, card), await merging.account(name, passport)
    papers, second = Papers(home), merging.passport()
    await papers.add(adding(merged, second, seen=True), await home.staff_token())
    await merging.merge(kept, merged)
    assert set(await papers.numbers(kept)) == {card.number, passport.number, second.number}
    for each in (card, passport, second):
        assert await papers.lookup(each) == kept
        assert await papers.believed(kept, name, each)
        # What another service wrote under the old name is compared with the account that lives on.
        assert await papers.believed(merged, name, each)
    assert await reason_of(merging.account(name, passport)) == "RESOURCE_EXISTS"


async def test_only_what_was_shown_of_the_ways_to_reach_them_goes_over(home: Town, merging: Merging) -> None:
    name = home.people.person().name
    kept = await merging.account(name, merging.citizen(), phone="13812340001")
    merged = await merging.account(name, merging.passport(), phone="13812340002")
    async with home.service.process.database.transaction() as connection:
        shown = "UPDATE contact_points SET verify_time = now() WHERE person = CAST('{}' AS uuid)"
        await sql.execute(connection, shown.format(merged.removeprefix("persons/")))
    third = await merging.account(name, merging.passport(), phone="13812340003")
    await merging.merge(kept, merged)
    await merging.merge(kept, third)
    found = (await Papers(home).clear(kept)).contact_points
    assert [(each.phone, each.HasField("verify_time")) for each in found] == [
        ("13812340001", False),
        ("13812340002", True),
    ]


async def test_the_level_is_that_of_the_account_that_lives_on(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    before = (await Papers(home).clear(kept)).assurance
    await merging.merge(kept, merged)
    assert (await Papers(home).clear(kept)).assurance == before == 4


async def test_a_token_says_the_former_names_at_the_window_too(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    await merging.merge(kept, merged)
    token = await home.human_token(kept)
    claims = await merging.claims(token)
    assert (claims["sub"], claims["former"]) == (kept, [merged])
    assert from_claims(claims, "").speaks_for == {kept, merged}
    window = await merging.claims(await home.at_window(token, await home.staff_token()))
    assert (window["sub"], window["former"]) == (kept, [merged])


async def test_what_was_taken_in_before_leads_on_too(home: Town, merging: Merging) -> None:
    name = home.people.person().name
    first = await merging.account(name, merging.passport())
    second = await merging.account(name, merging.passport())
    third = await merging.account(name, merging.citizen())
    await merging.merge(second, first)
    await merging.merge(third, second)
    papers = Papers(home)
    assert {(await papers.clear(each)).merged_into for each in (first, second)} == {third}
    assert (await merging.claims(await home.human_token(third)))["former"] == [first, second]


async def test_mandates_given_and_held_go_over(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    agent, principal = await home.person(), await home.person()
    given = await home.mandate(merged, agent, await home.human_token(merged))
    held = await home.mandate(principal, merged, await home.human_token(principal))
    between = await home.mandate(kept, merged, await home.human_token(kept))
    await merging.merge(kept, merged)
    get = mandate_service_pb2.GetMandateRequest(name=between.name)
    token = await home.human_token(kept)
    ended = await home.call(home.mandates.GetMandate, get, resources_pb2.Mandate, token)
    assert (ended.state, ended.principal, ended.agent) == (resources_pb2.MANDATE_STATE_REVOKED, kept, merged)
    # The agent acts for the one that lives on, and finds what was begun under the old name.
    acting = await home.exchange(await home.human_token(agent), on_behalf_of=kept, mandate=given.name)
    claims = await merging.claims(acting)
    assert (claims["org"], claims["org_former"]) == (kept, [merged])
    assert from_claims(claims, "").speaks_for == {agent, kept, merged}
    mine = await merging.claims(await home.exchange(token, on_behalf_of=principal, mandate=held.name))
    assert (mine["sub"], mine["org"], mine["former"]) == (kept, principal, [merged])
    # Services that wrote the old name down ask by it.
    channel = home.neighbour("cases")
    stub = mandate_service_pb2_grpc.MandateServiceStub(channel)
    check = mandate_service_pb2.CheckMandateRequest(
        person=agent, principal=merged, mandate=given.name, item_codes=["ITEM-1"], power=options_pb2.MANDATE_POWER_APPLY
    )
    answer = await home.call(stub.CheckMandate, check, mandate_service_pb2.CheckMandateResponse, "")
    await channel.close()
    assert answer.allowed


async def test_a_firm_is_represented_by_the_one_that_lives_on(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    firm = await home.firm(merged)
    await merging.merge(kept, merged)
    get = pb.GetOrganizationRequest(name=firm.name)
    found = await home.call(home.accounts.GetOrganization, get, resources_pb2.Organization, await home.staff_token())
    assert found.legal_representative == kept
    claims = await merging.claims(await home.exchange(await home.human_token(kept), on_behalf_of=firm.name))
    assert claims["org"] == firm.name


async def test_staff_are_near_to_what_is_kept_under_former_names(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    admin = await home.admin_token()
    member = await home.make_staff("merged-1", admin, kept)
    await home.assign(member.name, home.posts["receiving"], admin)
    helped, before = await merging.two()
    await home.mandate(helped, kept, await home.human_token(helped))
    await merging.merge(kept, merged)
    await merging.merge(helped, before)
    claims = await merging.claims(await home.human_token(member.name))
    assert {merged, helped, before} <= set(claims["near"])
    assert claims["human"] == kept


async def test_the_owner_still_reads_the_account_that_was_taken_in(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    await merging.merge(kept, merged)
    get = pb.GetPersonRequest(name=merged, use_context=WHY)
    found = await home.call(home.accounts.GetPerson, get, resources_pb2.Person, await home.human_token(kept))
    assert found.merged_into == kept
