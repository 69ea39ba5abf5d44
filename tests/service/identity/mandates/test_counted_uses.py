"""Mandates that may be used so many times: no exchange goes beyond, a repeat is no further use, and a chain counts at each of its links."""

import asyncio
from typing import Any

import pytest

from libs.errors import TongbanError
from tests.service.identity.mandates.test_passed_on import Agency
from tests.support.recorded import records_of
from tests.support.town import Town, reason_of
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXCHANGE = "tongban.identity.v1.TokenService.ExchangeToken"
ABROAD = "//320402/persons/00000000-0000-7000-8000-000000000001"


class Helper:
    """Somebody who helps somebody else so many times."""

    def __init__(self, home: Town) -> None:
        self.home = home

    async def begin(self, **fields: Any) -> "Helper":
        self.principal, self.agent = await self.home.person(), await self.home.person()
        self.own = await self.home.human_token(self.principal)
        self.mandate = await self.home.mandate(self.principal, self.agent, self.own, **fields)
        return self

    async def token(self) -> str:
        return await self.home.human_token(self.agent)

    async def use(self, token: str = "") -> str:
        """The reason why they may not act, or an empty string."""
        shown = token or await self.token()
        try:
            await self.home.exchange(shown, on_behalf_of=self.principal, mandate=self.mandate.name)
        except TongbanError as refused:
            return refused.reason
        return ""

    async def uses(self) -> tuple[int, str]:
        request = pb.GetMandateRequest(name=self.mandate.name)
        found = await self.home.call(self.home.mandates.GetMandate, request, resources_pb2.Mandate, self.own)
        return found.uses, found.etag


async def test_it_is_used_so_often_and_no_more(home: Town) -> None:
    helper = await Helper(home).begin(max_uses=2)
    assert (helper.mandate.max_uses, helper.mandate.uses) == (2, 0)
    first, second = await helper.token(), await helper.token()
    before = (await helper.uses())[1]
    assert await helper.use(first) == ""
    used, after = await helper.uses()
    assert (used, after != before) == (1, True)
    assert [await helper.use(first) for _ in range(3)] == ["", "", ""], (
        "one token is one use, also where an answer was lost"
    )
    assert (await helper.uses())[0] == 1
    assert await helper.use(second) == ""
    assert await helper.use() == "MANDATE_USED_UP"
    assert [await helper.use(each) for each in (first, second)] == ["", ""], "who began goes on"
    assert (await helper.uses())[0] == 2
    recorded = [each for each in await records_of(home.service.process, EXCHANGE) if each.object == helper.mandate.name]
    assert len(recorded) == 2


async def test_at_once_it_is_not_used_more_often(home: Town) -> None:
    helper = await Helper(home).begin(max_uses=3)
    tokens = [await helper.token() for _ in range(8)]
    # Each twice: a repeat beside its first is no further use either.
    found = await asyncio.gather(*(helper.use(each) for each in tokens for _ in range(2)))
    assert (found.count(""), found.count("MANDATE_USED_UP")) == (6, 10)
    assert (await helper.uses())[0] == 3


async def test_without_a_number_nothing_is_counted(home: Town) -> None:
    helper = await Helper(home).begin()
    assert [await helper.use() for _ in range(3)] == ["", "", ""]
    assert (await helper.uses())[0] == 0


async def test_what_is_refused_is_no_use(home: Town) -> None:
    helper = await Helper(home).begin(max_uses=1)
    stranger = await home.human_token(await home.person())
    assert await helper.use(stranger) == "MANDATE_WRONG_AGENT"
    token = await helper.token()
    wide = home.exchange(token, on_behalf_of=helper.principal, mandate=helper.mandate.name, scope="cases.cases.accept")
    assert await reason_of(wide) == "SCOPE_NOT_GRANTED"
    assert (await helper.uses())[0] == 0
    assert await helper.use(token) == ""


async def test_a_use_of_what_was_passed_on_is_one_of_its_parent(home: Town) -> None:
    agency = await Agency(home).begin(max_uses=2)
    child = await agency.pass_on(max_uses=5)
    boss = {"on_behalf_of": agency.firm, "mandate": agency.given.name}
    await agency.act(child)
    await home.exchange(agency.boss_token, **boss)
    agency.clerk_token = await home.human_token(agency.clerk)
    assert await reason_of(agency.act(child)) == "MANDATE_USED_UP"
    told = [(await agency.get(each, agency.boss_token)).uses for each in (agency.given.name, child.name)]
    assert told == [2, 1], "the link that could have borne it counts nothing"


async def test_it_is_counted_where_it_is_given_and_guardians_are_not(home: Town) -> None:
    person = await home.person()
    own = await home.human_token(person)
    assert await reason_of(home.mandate(person, ABROAD, own, max_uses=1)) == "FIELD_INVALID"
    draft = resources_pb2.Mandate(
        principal=person, agent=await home.person(), max_uses=1, evidence=f"materials/{person[8:]}"
    )
    draft.scope.all_items = True
    draft.scope.powers.append(options_pb2.MANDATE_POWER_APPLY)
    draft.end_time.FromSeconds(int(home.service.process.clock.now().timestamp()) + 3600)
    request = pb.RecordGuardianRequest(mandate=draft, request_id=person[8:])
    token = await home.staff_token("receiving")
    assert (
        await reason_of(home.call(home.mandates.RecordGuardian, request, resources_pb2.Mandate, token))
        == "FIELD_INVALID"
    )
