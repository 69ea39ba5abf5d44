"""MandateService: who may give, take and see mandates, and what they answer to whoever asks."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from libs.clock import FakeClock
from libs.errors import InvalidArgument
from libs.rpc.token_types import ASSERTION
from tests.service.identity.conftest import Federation
from tests.support.patience import invoke
from tests.support.service import Ground
from tests.support.town import FIRST, LIUAN, Town, reason_of, request_id, town
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import mandate_service_pb2_grpc, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG_AGO = datetime(2024, 3, 1, 1, 0, tzinfo=UTC)
SOMEBODY = "persons/00000000-0000-7000-8000-0000000000aa"


async def _accept(home: Town, name: str, token: str, etag: str = FIRST) -> resources_pb2.Mandate:
    request = pb.AcceptMandateRequest(name=name, etag=etag, request_id=request_id())
    return await home.call(home.mandates.AcceptMandate, request, resources_pb2.Mandate, token)


async def _revoke(home: Town, name: str, token: str) -> resources_pb2.Mandate:
    request = pb.RevokeMandateRequest(name=name, reason="不再需要", request_id=request_id())
    return await home.call(home.mandates.RevokeMandate, request, resources_pb2.Mandate, token)


async def _get(home: Town, name: str, token: str) -> resources_pb2.Mandate:
    return await home.call(home.mandates.GetMandate, pb.GetMandateRequest(name=name), resources_pb2.Mandate, token)


async def _list(home: Town, token: str, text: str = "") -> list[str]:
    request = pb.ListMandatesRequest(filter=text)
    page = await home.call(home.mandates.ListMandates, request, pb.ListMandatesResponse, token)
    return [mandate.name for mandate in page.mandates]


async def _check(home: Town, person: str, principal: str, mandate: str = "", **fields: object) -> str:
    """The answer: the basis where allowed, else the reason why not."""
    channel = home.neighbour("cases")
    stub = mandate_service_pb2_grpc.MandateServiceStub(channel)
    given = {"power": options_pb2.MANDATE_POWER_APPLY, "item_codes": ["ITEM-1"], **fields}
    request = pb.CheckMandateRequest(person=person, principal=principal, mandate=mandate, **given)  # type: ignore[arg-type]
    found = await invoke(stub.CheckMandate, request, pb.CheckMandateResponse, to="identity", token="")
    await channel.close()
    if found.allowed:
        return pb.ActingBasis.Name(found.basis).removeprefix("ACTING_BASIS_")
    return error_reason_pb2.ErrorReason.Name(found.reason).removeprefix("ERROR_REASON_")


async def test_a_representative_gives_a_mandate_once(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    token = await home.human_token(boss)
    scope = resources_pb2.MandateScope(all_items=True, powers=[options_pb2.MANDATE_POWER_APPLY])
    draft = resources_pb2.Mandate(principal=firm.name, agent=agent, scope=scope)
    draft.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    request = pb.CreateMandateRequest(mandate=draft, request_id=request_id())
    made = await home.call(home.mandates.CreateMandate, request, resources_pb2.Mandate, token)
    assert (made.state, made.granter) == (resources_pb2.MANDATE_STATE_ACTIVE, boss)
    assert await home.call(home.mandates.CreateMandate, request, resources_pb2.Mandate, token) == made
    assert await _get(home, made.name, await home.human_token(agent)) == made


async def test_only_the_principal_gives_mandates(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    other = await home.human_token(agent)
    assert await reason_of(home.mandate(firm.name, SOMEBODY, other)) == "NOT_LEGAL_REPRESENTATIVE"
    assert await reason_of(home.mandate(boss, SOMEBODY, other)) == "NOT_OWNER"
    own = await home.human_token(boss)
    assert await reason_of(home.mandate(boss, boss, own)) == "FIELD_INVALID"
    assert await reason_of(home.mandate(boss, SOMEBODY, own)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(home.mandate(boss, agent, own, seconds=-5)) == "FIELD_INVALID"
    abroad = f"//320402/{agent}"
    assert await reason_of(home.mandate(boss, abroad, own)) == "REGION_NOT_TRUSTED"
    weak = await home.human_token(boss, acr="2")
    assert await reason_of(home.mandate(boss, agent, weak)) == "ASSURANCE_TOO_LOW"
    # An agent can't pass the mandate on: acting for the firm makes nobody its representative.
    mandate = (await home.mandate(firm.name, agent, own)).name
    acting = await home.exchange(other, on_behalf_of=firm.name, mandate=mandate)
    assert await reason_of(home.mandate(firm.name, boss, acting)) == "NOT_LEGAL_REPRESENTATIVE"
    # Staff in office give none, whoever they are.
    assert await reason_of(home.mandate(boss, agent, await home.staff_token())) in ("PERMISSION_MISSING", "NOT_OWNER")


@pytest.mark.parametrize("kind", ["persons", "organizations"])
async def test_a_principal_of_another_region_gives_mandates_there(federation: Federation, kind: str) -> None:
    """Also where that region is trusted, and the principal asks: its own region's word is what counts here."""
    home, away = federation.home, federation.away
    person, agent = await away.person(), await home.person()
    principal = f"//320402/{person if kind == 'persons' else (await away.firm(person)).name}"
    spoken = await away.exchange(await away.human_token(person), audience="//341500")
    for token in (await home.exchange(spoken, ASSERTION), await home.human_token(agent)):
        with pytest.raises(InvalidArgument) as refused:
            await home.mandate(principal, agent, token)
        assert [(each.field, each.rule) for each in refused.value.violations] == [
            ("mandate.principal", "string.pattern")
        ]


async def test_an_agent_accepts_first_where_that_is_asked(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    made = await home.mandate(boss, agent, await home.human_token(boss), acceptance_required=True)
    assert made.state == resources_pb2.MANDATE_STATE_PROPOSED
    own = await home.human_token(agent)
    assert await _check(home, agent, boss, made.name) == "MANDATE_NOT_ACTIVE"
    assert await reason_of(_accept(home, made.name, await home.human_token(boss))) == "MANDATE_WRONG_AGENT"
    stranger = await home.human_token(await home.person())
    assert await reason_of(_accept(home, made.name, stranger)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_accept(home, made.name, own, etag='"9"')) == "ETAG_MISMATCH"
    accepted = await _accept(home, made.name, own, etag=made.etag)
    assert (accepted.state, accepted.etag) == (resources_pb2.MANDATE_STATE_ACTIVE, '"2"')
    assert await reason_of(_accept(home, made.name, own)) == "STATE_CONFLICT"
    assert await _check(home, agent, boss, made.name) == "MANDATE"


async def test_both_sides_end_a_mandate_and_nobody_else(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    own, theirs = await home.human_token(boss), await home.human_token(agent)
    first, second = await home.mandate(firm.name, agent, own), await home.mandate(firm.name, agent, own)
    stranger = await home.human_token(await home.person())
    assert await reason_of(_revoke(home, first.name, stranger)) == "RESOURCE_NOT_FOUND"
    ended = await _revoke(home, first.name, own)
    assert (ended.state, ended.revoke_reason) == (resources_pb2.MANDATE_STATE_REVOKED, "不再需要")
    assert (await _revoke(home, second.name, theirs)).state == resources_pb2.MANDATE_STATE_REVOKED
    assert await reason_of(_revoke(home, first.name, own)) == "STATE_CONFLICT"


async def test_people_see_only_their_own(home: Town) -> None:
    boss, agent, stranger = [await home.person() for _ in range(3)]
    firm = await home.firm(boss)
    own, theirs = await home.human_token(boss), await home.human_token(agent)
    of_firm, of_boss = await home.mandate(firm.name, agent, own), await home.mandate(boss, stranger, own)
    assert await _list(home, own) == [of_boss.name, of_firm.name]
    assert await _list(home, theirs) == [of_firm.name]
    assert await _list(home, theirs, f"principal = {boss}") == []
    assert await _list(home, own, f"agent = {stranger}") == [of_boss.name]
    assert await reason_of(_get(home, of_boss.name, theirs)) == "RESOURCE_NOT_FOUND"
    assert (await _get(home, of_boss.name, await home.staff_token())).name == of_boss.name
    assert await reason_of(_get(home, f"mandates/{uuid.uuid4()}", own)) == "RESOURCE_NOT_FOUND"


async def test_pages_belong_to_their_list(home: Town) -> None:
    boss = await home.person()
    own = await home.human_token(boss)
    made = [(await home.mandate(boss, await home.person(), own)).name for _ in range(3)]
    request = pb.ListMandatesRequest(page_size=2, filter=f"principal = {boss}")
    page = await home.call(home.mandates.ListMandates, request, pb.ListMandatesResponse, own)
    request.page_token = page.next_page_token
    rest = await home.call(home.mandates.ListMandates, request, pb.ListMandatesResponse, own)
    assert [each.name for each in (*page.mandates, *rest.mandates)] == made[::-1]
    assert rest.next_page_token == ""
    request.filter = ""
    refused = home.call(home.mandates.ListMandates, request, pb.ListMandatesResponse, own)
    assert await reason_of(refused) == "PAGE_TOKEN_INVALID"


async def test_whoever_asks_is_told_by_which_right(home: Town) -> None:
    boss, agent, stranger = [await home.person() for _ in range(3)]
    firm, other = await home.firm(boss), await home.firm()
    mandate = (await home.mandate(firm.name, agent, await home.human_token(boss))).name
    assert await _check(home, boss, boss) == "SELF"
    assert await _check(home, boss, firm.name) == "LEGAL_REPRESENTATIVE"
    assert await _check(home, f"//341500/{agent}", f"//341500/{firm.name}", f"//341500/{mandate}") == "MANDATE"
    assert await _check(home, agent, firm.name) == "NOT_LEGAL_REPRESENTATIVE"
    assert await _check(home, boss, other.name) == "NOT_LEGAL_REPRESENTATIVE"
    assert await _check(home, stranger, firm.name, mandate) == "MANDATE_WRONG_AGENT"
    assert await _check(home, agent, other.name, mandate) == "MANDATE_WRONG_PRINCIPAL"
    assert await _check(home, agent, firm.name, mandate, item_codes=[]) == "MANDATE_OUT_OF_SCOPE"
    collect = options_pb2.MANDATE_POWER_COLLECT
    assert await _check(home, agent, firm.name, mandate, power=collect) == "MANDATE_OUT_OF_SCOPE"
    nowhere = f"mandates/{uuid.UUID(int=7 << 76 | 2 << 62)}"
    assert await _check(home, agent, firm.name, nowhere) == "RESOURCE_NOT_FOUND"
    assert await _check(home, SOMEBODY, firm.name) == "RESOURCE_NOT_FOUND"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def past(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Town, FakeClock]]:
    """A region whose business clock stands in 2024."""
    clock = FakeClock(LONG_AGO)
    async with town(ground, tmp_path_factory.mktemp("past"), LIUAN, clock) as found:
        await found.settle(("receiving", resources_pb2.DUTY_RECEIVING))
        yield found, clock


async def test_a_mandate_expires_by_the_business_clock_and_tokens_by_the_machines(
    past: tuple[Town, FakeClock],
) -> None:
    there, clock = past
    boss, agent = await there.person(), await there.person()
    firm = await there.firm(boss)
    made = await there.mandate(firm.name, agent, await there.human_token(boss), seconds=300)
    assert made.create_time.ToDatetime(tzinfo=UTC) == LONG_AGO
    own = await there.human_token(agent)
    acting = await there.exchange(own, on_behalf_of=firm.name, mandate=made.name)
    claims = (await there.verifier().verify(acting)).claims
    assert claims["exp"] == claims["mandate_exp"]
    assert 290 <= claims["exp"] - claims["iat"] <= 301
    clock.advance(timedelta(seconds=301))
    assert await reason_of(there.exchange(own, on_behalf_of=firm.name, mandate=made.name)) == "MANDATE_NOT_ACTIVE"
    assert await _check(there, agent, firm.name, made.name) == "MANDATE_NOT_ACTIVE"
    assert (await _get(there, made.name, own)).state == resources_pb2.MANDATE_STATE_EXPIRED
    assert await _list(there, own) == [made.name]
    assert await _list(there, own, "state = MANDATE_STATE_EXPIRED") == [made.name]
    assert await _list(there, own, "state = MANDATE_STATE_ACTIVE") == []
