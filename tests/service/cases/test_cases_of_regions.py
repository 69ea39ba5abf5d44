"""A person's cases in several regions are one list: each region is asked in the person's name, and decides what they see."""

from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from libs.errors import InvalidArgument, TongbanError, Unavailable, invalid_field
from libs.lists import regional
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DEPARTMENT,
    FIRM,
    PERSON,
    STRANGER,
    Town,
    agent,
    applicant,
    context,
    firm,
)
from tests.service.cases.pairs import HANDLING, HOME, Pair, pair
from tests.support import sql
from tests.support.impatience import Hanging, Impatience
from tests.support.silence import silenced
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2

__all__ = ["pair"]

ABROAD, THIRD = "320402", "110000"


async def listed(town: Town, token: str = "", **asked: Any) -> rpc.ListCasesResponse:
    request = rpc.ListCasesRequest(**{"use_context": context(), "regions": [ABROAD], **asked})
    return await town.call(town.cases.ListCases, request, rpc.ListCasesResponse, token or town.person)


async def everything(town: Town, token: str = "", **asked: Any) -> list[rpc.ListCasesResponse]:
    pages = [await listed(town, token, **asked)]
    while pages[-1].next_page_token:
        pages.append(await listed(town, token, **asked, page_token=pages[-1].next_page_token))
    return pages


def named(*pages: rpc.ListCasesResponse) -> list[str]:
    return [case.name for page in pages for case in page.cases]


async def applied_for(pair: Pair, **more: Any) -> pb.Case:
    """A draft in the other region, made there by the person of ours."""
    given = {"applicant": applicant(HOME), **more}
    return await pair.handling.create(pair.item, pair.handling.system, **given)


def there(case: pb.Case) -> str:
    return f"{HANDLING}{case.name}"


def answer(*names: str, token: str = "", subject: str = f"{HOME}{PERSON}") -> rpc.ListCasesResponse:
    cases = [pb.Case(name=name, applicant=party_pb2.Applicant(subject=subject)) for name in names]
    return rpc.ListCasesResponse(cases=cases, next_page_token=token)


def case(number: int) -> str:
    return f"cases/00000000-0000-7000-8000-{number:012d}"


async def recorded(town: Town, transaction: str = "") -> list[Any]:
    query = sa.text(
        "SELECT actor, transaction_id, convert_from(canonical, 'UTF8') AS said FROM audit_records ORDER BY seq"
    )
    async with town.service.process.database.read() as connection:
        rows = (await sql.execute(connection, query)).all()
    return [row for row in rows if "ListCases" in row.said and transaction in ("", row.transaction_id)]


async def test_pages_go_from_region_to_region_and_each_region_records_them(pair: Pair) -> None:
    own = [await pair.home.create(await pair.home.item()) for _ in range(2)]
    abroad = [await applied_for(pair) for _ in range(3)]
    others = await applied_for(pair, applicant=firm(HOME), agent=agent(HOME))
    pages = await everything(pair.home, page_size=2)
    assert [len(page.cases) for page in pages] == [2, 2, 1]
    assert named(*pages) == [each.name for each in own[::-1]] + [there(each) for each in abroad[::-1]]
    assert there(others) not in named(*pages)
    assert not any(page.unreachable for page in pages)
    (transaction,) = {row.transaction_id for row in await recorded(pair.home)}
    seen = await recorded(pair.handling, transaction)
    assert {row.actor for row in seen} == {f"{HOME}{PERSON}"} and len(seen) >= 2


async def test_who_acts_for_a_firm_finds_its_cases_in_every_region(pair: Pair) -> None:
    theirs = await applied_for(pair, applicant=firm(HOME), agent=agent(HOME))
    await applied_for(pair)
    for token in (pair.home.agent, pair.home.service.issuer.token(AGENT, "PERSON")):
        assert named(await listed(pair.home, token)) == [there(theirs)]
    assert named(await listed(pair.home, pair.home.stranger)) == []


async def test_a_case_elsewhere_is_told_apart_and_says_no_more_than_a_list_must(pair: Pair) -> None:
    made = await applied_for(pair, applicant=_reached(applicant(HOME)))
    (shown,) = (await listed(pair.home)).cases
    # Every name in it leads to what it is of; what is of this region is called as it is here.
    assert (shown.name, shown.item) == (there(made), f"{HANDLING}{pair.item.name}")
    assert (shown.department, shown.applicant.subject) == (f"{HANDLING}{DEPARTMENT}", PERSON)
    assert (shown.applicant.phone, shown.applicant.HasField("address"), shown.HasField("agent")) == ("", False, False)
    assert shown.applicant.document.number == _masked(applicant().document.number)
    # Nothing is done with it here.
    assert list(shown.allowed_actions) == []
    with pytest.raises(InvalidArgument):
        await pair.home.step("Withdraw", shown, reason="x")
    with pytest.raises(InvalidArgument) as refused:
        await pair.home.call(pair.home.cases.CreateCase, pair.home.draft(_item(shown.item)), pb.Case, pair.home.person)
    assert [(each.field, each.rule) for each in refused.value.violations] == [("case.item", "item.region")]


def _reached(party: Any) -> Any:
    party.phone = "13800000000"
    party.address.region_code, party.address.lines = "341500", "某路 1 号"
    return party


def _masked(number: str) -> str:
    return number[:3] + "*" * (len(number) - 7) + number[-4:]


def _item(name: str) -> item_service_pb2.ServiceItem:
    return item_service_pb2.ServiceItem(name=name)


async def test_a_region_leaves_out_what_crosses_no_border_and_records_what_does(pair: Pair) -> None:
    """Whoever asks, and however much of it they would leave out themselves."""
    made = await applied_for(pair, applicant=_reached(applicant(HOME)))
    guest = pair.handling.service.issuer.token(f"{HOME}{PERSON}", "PERSON", region="341500")
    before = len(await recorded(pair.handling))
    (shown,) = (await listed(pair.handling, guest, regions=[], use_context=None)).cases
    assert (shown.name, shown.applicant.phone, shown.applicant.HasField("address")) == (made.name, "", False)
    assert shown.applicant.document.number == _masked(applicant().document.number)
    assert len(await recorded(pair.handling)) == before + 1


async def test_one_reads_of_ones_own_region_all_that_there_is(pair: Pair) -> None:
    """What is left out where it crosses a border is there at home."""
    await pair.home.create(await pair.home.item(), applicant=_reached(applicant()))
    for regions in ([ABROAD], []):
        (shown,) = (await listed(pair.home, regions=regions)).cases
        assert (shown.applicant.phone, shown.applicant.document) == ("13800000000", applicant().document)


_FAULTS: dict[str, Any] = {
    "hangs": Hanging,
    "refuses": Unavailable("DEPENDENCY_UNAVAILABLE", "closed", dependency="database"),
    "is older": grpc.StatusCode.UNIMPLEMENTED,
    "does not know the filter": invalid_field("filter", "filter.field", "none of these"),
    "answers rubbish": b"\xff\xff\xff",
    "shows what is no case": answer("persons/00000000-0000-7000-8000-000000000001"),
    "shows what has no name": answer(""),
    "shows a third region's": answer(f"//330100/{case(1)}"),
    "shows what it calls ours": answer(f"{HOME}{case(1)}"),
    "shows somebody else's": answer(case(1), subject=f"{HOME}{STRANGER}"),
    "shows its own people's": answer(case(1), subject=PERSON),
    "gives more than was asked": answer(*map(case, range(51))),
    "has a token that is too long": answer(case(1), token="x" * 900),
}


@pytest.mark.parametrize("fault", _FAULTS)
async def test_a_region_that_can_not_be_asked_is_named_and_the_others_come(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    impatience = Impatience()
    monkeypatch.setattr(regional, "patience", impatience)
    own = await pair.home.create(await pair.home.item())
    abroad = await applied_for(pair)
    pair.home.known.others[THIRD] = pair.home.known
    pair.home.known.trusted |= {THIRD, pair.home.known.code}
    said = _FAULTS[fault]
    pair.home.known.lists_instead = [Hanging(impatience) if said is Hanging else said]
    page = await listed(pair.home, regions=[THIRD, ABROAD])
    assert (named(page), list(page.unreachable)) == ([own.name, there(abroad)], [THIRD])
    assert (page.next_page_token, pair.home.known.lists_instead) == ("", [])


async def test_what_a_region_says_too_much_is_not_passed_on(pair: Pair) -> None:
    said, told = answer(case(1)), applicant(HOME)
    said.cases[0].MergeFrom(pb.Case(applicant=_reached(told), agent=agent(HOME)))
    said.cases[0].allowed_actions.append(pb.CASE_ACTION_WITHDRAW)
    said.cases[0].materials.add()
    said.cases[0].form_values["key"].string_value = "x"
    pair.handling.known.lists_instead = [said]
    (shown,) = (await listed(pair.home)).cases
    assert shown.name == f"{HANDLING}{case(1)}"
    assert not (shown.allowed_actions or shown.materials or shown.form_values)
    assert not (shown.applicant.phone or shown.applicant.HasField("address"))
    assert "*" in shown.applicant.document.number and "*" in shown.agent.document.number


@pytest.mark.parametrize("whose", ["home", "handling"])
async def test_who_is_not_trusted_is_named(pair: Pair, whose: str) -> None:
    """Also where only the other region does not trust this one any more."""
    own = await pair.home.create(await pair.home.item())
    await applied_for(pair)
    side = getattr(pair, whose).known
    side.trusted.clear()
    page = await listed(pair.home, regions=[ABROAD])
    assert (named(page), list(page.unreachable), page.next_page_token) == ([own.name], [ABROAD], "")


async def test_people_ask_by_themselves_and_for_what_every_region_knows(pair: Pair) -> None:
    home = pair.home
    refused: dict[str, list[dict[str, Any]]] = {
        "regions.own": [{"token": token} for token in (home.clerk, home.window, home.system)],
        "regions.home": [{"regions": [ABROAD, "341500"]}],
        "regions.beside": [{"department": DEPARTMENT}],
        "filter.regions": [
            {"filter": f"applicant.subject = {PERSON}"},
            {"filter": f"state = CASE_STATE_DRAFT AND (rating:* OR NOT agent.subject = {AGENT})"},
            {"filter": f"item = {pair.item.name}"},
            {"filter": f"received_by = {CLERK}"},
        ],
        "required": [{"use_context": None}],
        "repeated.unique": [{"regions": [ABROAD, ABROAD]}],
        "repeated.max_items": [{"regions": [f"{n}0000" for n in range(11, 32)]}],
        "filter.syntax": [{"filter": "state ="}],
        "order_by.field": [{"order_by": "number"}],
    }
    for rule, asks in refused.items():
        for asked in asks:
            with pytest.raises(InvalidArgument) as caught:
                await listed(home, **asked)
            assert [each.rule for each in caught.value.violations] == [rule], asked
    assert pair.handling.known.calls == []


async def test_a_region_passes_no_question_on(pair: Pair) -> None:
    guest = pair.handling.service.issuer.token(f"{HOME}{PERSON}", "PERSON", region="341500")
    with pytest.raises(InvalidArgument) as caught:
        await listed(pair.handling, guest, regions=["341500"])
    assert caught.value.violations[0].rule == "regions.own"


async def test_a_token_holds_for_the_regions_that_it_was_given_for(pair: Pair) -> None:
    for _ in range(2):
        await pair.home.create(await pair.home.item())
    alone, both = [(await listed(pair.home, page_size=1, regions=each)).next_page_token for each in ([], [ABROAD])]
    for regions, token in (([ABROAD], alone), ([], both), ([THIRD], both), ([ABROAD, THIRD], both)):
        with pytest.raises(TongbanError) as caught:
            await listed(pair.home, page_size=1, regions=regions, page_token=token)
        assert caught.value.reason == "PAGE_TOKEN_INVALID"


async def test_a_newer_region_is_understood_as_far_as_it_can_be(pair: Pair) -> None:
    """A field and a state that nobody here knows are passed on as they came."""
    newer = answer(case(1)).SerializeToString()
    said = rpc.ListCasesResponse.FromString(newer)
    said.cases[0].MergeFromString(b"\x40\x63" + b"\xca\x3e\x01x")  # state = 99; field 1001 = "x"
    pair.handling.known.lists_instead = [said]
    (shown,) = (await listed(pair.home)).cases
    assert shown.state == 99 and b"\xca\x3e\x01x" in shown.SerializeToString()


async def test_no_record_no_question(pair: Pair) -> None:
    await applied_for(pair)
    async with silenced(pair.home.service, "cases"):
        with pytest.raises(Unavailable) as refused:
            await listed(pair.home)
    assert (refused.value.reason, pair.handling.known.calls) == ("AUDIT_UNAVAILABLE", [])
    async with silenced(pair.handling.service, "cases"):
        page = await listed(pair.home)
    assert (named(page), list(page.unreachable)) == ([], [ABROAD])
    assert FIRM not in str(page)
