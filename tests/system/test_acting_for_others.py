"""Who acts for others, through the gateway of a region with two replicas of everything: helpers, representatives, an agency's clerk."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from deploy.local.demo.catalogue import DemoItem, task_code
from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredFirm, RegisteredPerson, Registry
from libs.client import AsyncTongban
from tests.support.at_gateway import resident
from tests.support.case_runs import application
from tests.support.polling import Polled
from tests.support.regions import OPENING, PLAIN, YIELDING, Regions
from tests.support.town import reason_of
from tests.support.values import messages
from tongban.cases.v1 import case_service_pb2
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import mandate_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
_WHY = common_pb2.UseContext(purpose_code="OWN_USE", purpose="查询委托人办件")
_LISTS = {
    "/v1/cases:read": {"useContext": {"purposeCode": "OWN_USE", "purpose": "查询委托人办件"}},
    "/v1/licenses:read": {"useContext": {"purposeCode": "OWN_USE", "purpose": "查询委托人证照"}},
}


def _mandate(principal: str, agent: str, **fields: Any) -> resources_pb2.Mandate:
    """A mandate over everything, unless it says otherwise."""
    scope = resources_pb2.MandateScope(all_items=True, powers=[options_pb2.MANDATE_POWER_APPLY])
    draft = resources_pb2.Mandate(principal=principal, agent=agent, **{"scope": scope, **fields})
    draft.end_time.FromDatetime((OPENING + timedelta(days=80)).replace(tzinfo=None))
    return draft


async def _give(giver: AsyncTongban, mandate: resources_pb2.Mandate) -> resources_pb2.Mandate:
    request = mandate_service_pb2.CreateMandateRequest(mandate=mandate, request_id=request_id())
    return await giver.call(request, resources_pb2.Mandate)


async def _revoke(giver: AsyncTongban, name: str) -> None:
    request = mandate_service_pb2.RevokeMandateRequest(name=name, reason="不再委托", request_id=request_id())
    await giver.call(request, resources_pb2.Mandate)


def _agent(person: RegisteredPerson, mandate: str) -> party_pb2.Agent:
    """Who hands in for another, as the case names them."""
    document = common_pb2.IdentityDocument(type_code="111", number=person.number)
    return party_pb2.Agent(subject=person.name, display_name=person.full_name, document=document, mandate=mandate)


def _of_a_firm(
    office: Office, item: DemoItem, firm: RegisteredFirm, agent: party_pb2.Agent | None = None
) -> case_service_pb2.CreateCaseRequest:
    """What is handed in over the web for a firm, by its representative where there is no agent."""
    request = application(office, item, firm)
    request.case.channel = cases.CHANNEL_WEB
    if agent:
        request.case.agent.CopyFrom(agent)
    return request


def _of_a_person(
    office: Office, item: DemoItem, person: RegisteredPerson, agent: party_pb2.Agent
) -> case_service_pb2.CreateCaseRequest:
    """What is handed in over the web for a person, by who helps them."""
    draft = cases.Case(
        item=office.items[item.number],
        channel=cases.CHANNEL_WEB,
        applicant=party_pb2.Applicant(
            kind=party_pb2.PARTY_KIND_PERSON,
            subject=person.name,
            display_name=person.full_name,
            document=common_pb2.IdentityDocument(type_code="111", number=person.number),
        ),
        form_values=messages(address="示例路1号"),
        agent=agent,
    )
    return case_service_pb2.CreateCaseRequest(case=draft, request_id=request_id())


async def _listed(acting: AsyncTongban) -> list[str]:
    return [each.name for each in (await acting.cases.list_cases(use_context=_WHY)).cases]


async def test_a_helper_applies_for_whom_they_help_and_sees_it(regions: Regions) -> None:
    office = regions.handling
    registry = Registry(office, 611)
    elder, helper, stranger = [await registry.person() for _ in range(3)]
    given = await _give(resident(office, elder.name), _mandate(elder.name, helper.name))
    assert given.kind == resources_pb2.MANDATE_KIND_HELPER
    # What was given is used at once, at whichever replica is asked.
    acting = resident(office, helper.name).on_behalf_of(elder.name, given.name)
    request = _of_a_person(office, PLAIN, elder, _agent(helper, given.name))
    made = await acting.call(request, cases.Case)
    submit = case_service_pb2.SubmitCaseRequest(name=made.name, request_id=request_id())
    assert (await acting.call(submit, cases.Case)).number
    assert await _listed(acting) == await _listed(resident(office, elder.name)) == [made.name]
    # Nobody else helps by that mandate, and nobody helps without one.
    assert await _listed(resident(office, stranger.name)) == []
    other = resident(office, stranger.name).on_behalf_of(elder.name, given.name)
    assert await reason_of(other.token()) == "MANDATE_WRONG_AGENT"
    assert await reason_of(resident(office, helper.name).on_behalf_of(elder.name).token()) == "NOT_LEGAL_REPRESENTATIVE"


def _hat(token: str) -> tuple[str, str, str]:
    """Whose token it is, for whom, and by which mandate."""
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims["sub"], claims.get("org", ""), claims.get("mandate", "")


async def test_hats_are_changed_by_one_call_each_and_nothing_stays_on(regions: Regions) -> None:
    office = regions.handling
    registry = Registry(office, 612)
    person, elder, owner = [await registry.person() for _ in range(3)]
    own_firm, other_firm = await registry.firm(person), await registry.firm(owner)
    helping = await _give(resident(office, elder.name), _mandate(elder.name, person.name))
    owning = resident(office, owner.name).on_behalf_of(other_firm.name)
    agency = await _give(owning, _mandate(other_firm.name, person.name))
    hats = [(own_firm.name, ""), (elder.name, helping.name), (other_firm.name, agency.name)]
    own = await resident(office, person.name).token()
    signed_in = office.gateway.using(own)
    for principal, mandate in [*hats, *reversed(hats)]:
        # One exchange of the same token: no new sign-in, and whichever hat was on before is off.
        token = await signed_in.on_behalf_of(principal, mandate).token()
        assert _hat(token) == (person.name, principal, mandate)
        assert await _listed(office.gateway.using(token)) == []
    assert _hat(own) == (person.name, "", "")
    # A firm's application is made under its hat, and under no other one.
    made = await signed_in.on_behalf_of(own_firm.name).call(_of_a_firm(office, PLAIN, own_firm), cases.Case)
    seen = [await _listed(signed_in.on_behalf_of(*hat)) for hat in hats]
    assert seen == [[made.name], [], []]
    wrong = signed_in.on_behalf_of(other_firm.name, agency.name).call(_of_a_firm(office, PLAIN, own_firm), cases.Case)
    assert await reason_of(wrong) == "NOT_OWNER"


async def test_an_agencys_clerk_acts_under_what_was_passed_on_and_within_it(regions: Regions) -> None:
    office = regions.handling
    registry = Registry(office, 613)
    owner, boss, clerk = [await registry.person() for _ in range(3)]
    firm = await registry.firm(owner)
    scope = resources_pb2.MandateScope(
        item_codes=[task_code(office.uscc, PLAIN)], powers=[options_pb2.MANDATE_POWER_APPLY]
    )
    owning = resident(office, owner.name).on_behalf_of(firm.name)
    given = await _give(owning, _mandate(firm.name, boss.name, scope=scope, sub_delegable=True))
    passed_on = _mandate(firm.name, clerk.name, scope=scope, parent=given.name)
    wider = _mandate(firm.name, clerk.name, parent=given.name)
    assert await reason_of(_give(resident(office, boss.name), wider)) == "FIELD_INVALID"
    child = await _give(resident(office, boss.name), passed_on)
    assert (child.granter, child.parent) == (boss.name, given.name)
    acting = resident(office, clerk.name).on_behalf_of(firm.name, child.name)
    agent = _agent(clerk, child.name)
    made = await acting.call(_of_a_firm(office, PLAIN, firm, agent), cases.Case)
    assert made.item == office.items[PLAIN.number]
    beyond = acting.call(_of_a_firm(office, YIELDING, firm, agent), cases.Case)
    assert await reason_of(beyond) == "CASE_MANDATE_NOT_COVERING"
    # With what it comes from ends what was passed on.
    await _revoke(owning, given.name)
    assert (
        await reason_of(resident(office, clerk.name).on_behalf_of(firm.name, child.name).token())
        == "MANDATE_NOT_ACTIVE"
    )


async def test_no_list_is_served_two_seconds_after_a_mandate_was_revoked(regions: Regions) -> None:
    """At either replica of cases and of license."""
    office = regions.handling
    registry = Registry(office, 614)
    elder, helper = await registry.person(), await registry.person()
    given = await _give(resident(office, elder.name), _mandate(elder.name, helper.name))
    acting, by_themselves = (
        resident(office, helper.name).on_behalf_of(elder.name, given.name),
        resident(office, helper.name),
    )
    made = await acting.call(_of_a_person(office, PLAIN, elder, _agent(helper, given.name)), cases.Case)
    polled = Polled(office.gateway.http, await acting.token(), _LISTS)
    assert await polled.served()
    assert await _listed(by_themselves) == [made.name]
    await _revoke(resident(office, elder.name), given.name)
    # Who was named as the agent is left with nothing, by their own token too, at once and at either replica.
    get = case_service_pb2.GetCaseRequest(name=made.name)
    for _ in range(4):
        assert await _listed(by_themselves) == []
        assert await reason_of(by_themselves.call(get, cases.Case)) == "RESOURCE_NOT_FOUND"
    withdraw = case_service_pb2.WithdrawCaseRequest(name=made.name, reason="不办了", request_id=request_id())
    assert await reason_of(by_themselves.call(withdraw, cases.Case)) == "RESOURCE_NOT_FOUND"
    assert await polled.refused_in_time() == {path: {"TOKEN_INVALID"} for path in _LISTS}
    assert await _listed(resident(office, elder.name)) == [made.name]
