"""Who is named as the agent of a case has to do with it by their own token too, and only as long as they may act for its applicant."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from libs.errors import Unavailable
from tests.service.cases.conftest import AGENT, CLERK, DEPARTMENT, FIRM, MANDATE, Town, agent, firm, request_id
from tests.service.cases.pairs import HANDLING, HOME, Pair, pair
from tests.support.refusing import refused
from tests.support.values import messages
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import delivery_service_pb2 as deliveries
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import rating_service_pb2 as ratings
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2, party_pb2
from tongban.errors.v1 import error_reason_pb2

__all__ = ["pair"]

OTHER_FIRM = "organizations/00000000-0000-7000-8000-0000000000f2"
OTHER_MANDATE = "mandates/00000000-0000-7000-8000-0000000000e2"
AWAY = Unavailable("DEPENDENCY_UNAVAILABLE", "away", retry_after=2.0, dependency="database")
HIDDEN = "RESOURCE_NOT_FOUND"
Call = Callable[[Town, pb.Case, str], Awaitable[Any]]


def _own(town: Town, **claims: Any) -> str:
    """The agent's own token: with no hat on, unless claims say so."""
    return town.service.issuer.token(AGENT, "PERSON", **claims)


def _other_firm() -> party_pb2.Applicant:
    made = firm()
    made.subject = OTHER_FIRM
    return made


async def _other(town: Town, item: Any) -> pb.Case:
    """A case of another firm with the same agent, opened under that firm's hat."""
    town.known.accounts[OTHER_FIRM] = town.known.accounts[FIRM]
    hat = _own(town, org=OTHER_FIRM, mandate=OTHER_MANDATE)
    return await town.create(item, hat, applicant=_other_firm(), agent=agent(mandate=OTHER_MANDATE))


async def _listed(town: Town, token: str, **more: Any) -> list[str]:
    answer = await town.call(town.cases.ListCases, rpc.ListCasesRequest(**more), rpc.ListCasesResponse, token)
    return [each.name for each in answer.cases]


async def _delivered(town: Town, token: str) -> list[str]:
    request, answer = deliveries.ListCaseDeliveriesRequest(), deliveries.ListCaseDeliveriesResponse
    found = await town.call(town.deliveries.ListCaseDeliveries, request, answer, token)
    return [each.case for each in found.case_deliveries]


async def _batch(town: Town, case: pb.Case, token: str) -> None:
    request = rpc.BatchGetCasesRequest(names=[case.name])
    await town.call(town.cases.BatchGetCases, request, rpc.BatchGetCasesResponse, token)


async def _history(town: Town, case: pb.Case, token: str) -> None:
    request = rpc.ListCaseHistoryRequest(parent=case.name)
    await town.call(town.cases.ListCaseHistory, request, rpc.ListCaseHistoryResponse, token)


async def _clock(town: Town, case: pb.Case, token: str) -> None:
    await town.call(town.cases.GetClock, rpc.GetClockRequest(name=f"{case.name}/clock"), pb.Clock, token)


async def _titled(town: Town, case: pb.Case, token: str) -> None:
    etag = await town.etag(case.name)
    request = rpc.UpdateCaseRequest(case=pb.Case(name=case.name, title="改名"), etag=etag, request_id=request_id())
    request.update_mask.paths.append("title")
    await town.call(town.cases.UpdateCase, request, pb.Case, token)


async def _delete(town: Town, case: pb.Case, token: str) -> None:
    request = rpc.DeleteCaseRequest(name=case.name, etag=await town.etag(case.name), request_id=request_id())
    await town.call(town.cases.DeleteCase, request, Empty, token)


async def _deliver(town: Town, case: pb.Case, token: str) -> deliveries.CaseDelivery:
    wanted = deliveries.CaseDelivery(case=case.name, method=pb.DELIVERY_METHOD_DOWNLOAD)
    request = deliveries.CreateCaseDeliveryRequest(case_delivery=wanted, request_id=request_id())
    return await town.call(town.deliveries.CreateCaseDelivery, request, deliveries.CaseDelivery, token)


async def _rate(town: Town, case: pb.Case, token: str) -> None:
    rating = ratings.Rating(
        case=case.name,
        level=pb.SATISFACTION_LEVEL_SATISFIED,
        kind=ratings.RATING_KIND_FIRST,
        channel=ratings.RATING_CHANNEL_WEB,
    )
    request = ratings.CreateRatingRequest(rating=rating, request_id=request_id())
    await town.call(town.ratings.CreateRating, request, ratings.Rating, token)


def _step(verb: str, **more: Any) -> Call:
    return lambda town, case, token: town.step(verb, case, token, **more)


def _get(town: Town, case: pb.Case, token: str) -> Awaitable[Any]:
    return town.get(case.name, token)


_OF_DRAFTS: dict[str, Call] = {
    "get": _get,
    "batch": _batch,
    "history": _history,
    "clock": _clock,
    "update": _titled,
    "withdraw": _step("Withdraw", reason="不办了"),
    "submit": _step("Submit"),
    "rate": _rate,
    "deliver": _deliver,
    "correct": _step("SubmitCorrection", form_values=messages(address="示例路2号")),
    "delete": _delete,
}


@pytest.mark.parametrize("call", _OF_DRAFTS.values(), ids=_OF_DRAFTS)
async def test_an_agents_own_token_works_while_the_mandate_stands_and_no_longer(town: Town, call: Call) -> None:
    case = await town.create(await town.item(), town.agent, applicant=firm(), agent=agent())
    await town.step("Submit", case, town.agent)
    town.known.revoked.add(MANDATE)
    before = await town.etag(case.name)
    assert await refused(call(town, case, _own(town))) == HIDDEN
    assert await town.etag(case.name) == before
    assert await refused(call(town, case, town.stranger)) == HIDDEN
    town.known.revoked.clear()
    assert await refused(call(town, case, _own(town))) != HIDDEN
    town.known.mandate_error = AWAY
    assert await refused(call(town, case, _own(town))) == "DEPENDENCY_UNAVAILABLE"


async def test_a_list_shows_those_cases_of_an_agent_whose_mandate_stands(town: Town) -> None:
    item = await town.item()
    seen = [
        await made
        for made in (
            town.create(item, town.agent, applicant=firm(), agent=agent()),
            _other(town, item),
            town.create(item, town.agent, applicant=firm(), agent=agent()),
        )
    ][::-1]
    names = [each.name for each in seen]
    assert await _listed(town, _own(town)) == names
    town.known.revoked.add(MANDATE)
    assert await _listed(town, _own(town)) == [names[1]]
    # Page by page likewise: what is left out leaves a page short, and ends no list.
    request, paged = rpc.ListCasesRequest(page_size=1), []
    for _ in range(3):
        page = await town.call(town.cases.ListCases, request, rpc.ListCasesResponse, _own(town))
        paged.append([each.name for each in page.cases])
        request.page_token = page.next_page_token
    assert (paged, request.page_token) == ([[], [names[1]], []], "")
    # Each right is asked for once a page, however many cases rest on it.
    town.known.mandates_asked.clear()
    await _listed(town, _own(town))
    assert sorted(each.mandate for each in town.known.mandates_asked) == [MANDATE, OTHER_MANDATE]
    town.known.mandate_error = AWAY
    assert await refused(_listed(town, _own(town))) == "DEPENDENCY_UNAVAILABLE"
    # Who needs nobody's word for what they see does not wait for identity.
    assert await _listed(town, town.agent) == [names[0], names[2]]
    assert await _listed(town, town.person) == []


async def test_a_hat_shows_and_moves_the_cases_of_whom_it_is_for_alone(town: Town) -> None:
    item = await town.item()
    case = await town.create(item, town.agent, applicant=firm(), agent=agent())
    other = await _other(town, item)
    hat = _own(town, org=OTHER_FIRM, mandate=OTHER_MANDATE)
    assert await _listed(town, hat) == [other.name]
    assert await _listed(town, town.agent) == [case.name]
    for call in (_get, _batch, _history, _titled, _step("Submit"), _rate, _deliver):
        assert await refused(call(town, case, hat)) == HIDDEN
        assert await refused(call(town, other, town.agent)) == HIDDEN
    # Nothing is opened for one firm under the hat of another, with or without a mandate in the hat.
    for wrong in (hat, _own(town, org=OTHER_FIRM)):
        opening = town.create(item, wrong, applicant=firm(), agent=agent())
        assert await refused(opening) == "NOT_OWNER"
    assert (await town.step("Submit", case, _own(town))).state == pb.CASE_STATE_SUBMITTED


async def test_who_helps_an_agent_sees_nothing_of_the_agents_principals(town: Town) -> None:
    item = await town.item()
    case = await town.create(item, town.agent, applicant=firm(), agent=agent())
    helper = town.service.issuer.token(
        "persons/00000000-0000-7000-8000-0000000000a9", "PERSON", org=AGENT, mandate=OTHER_MANDATE
    )
    assert await _listed(town, helper) == []
    assert await refused(town.get(case.name, helper)) == HIDDEN


async def test_a_representative_sees_a_case_that_names_no_mandate_while_they_represent(town: Town) -> None:
    item = await town.item()
    case = await town.create(item, _own(town, org=FIRM), applicant=firm(), agent=agent(mandate=""))
    assert await _listed(town, _own(town)) == [case.name]
    assert (town.known.mandates_asked[-1].principal, town.known.mandates_asked[-1].mandate) == (FIRM, "")
    town.known.revoked.add(FIRM)
    assert await _listed(town, _own(town)) == []
    assert await refused(town.get(case.name, _own(town))) == HIDDEN
    assert await refused(town.step("Submit", case, _own(town))) == HIDDEN


async def test_deliveries_are_shown_to_an_agent_whose_mandate_stands(town: Town) -> None:
    item = await town.item()
    case = await town.create(item, town.agent, applicant=firm(), agent=agent())
    await town.step("Submit", case, town.agent)
    for verb in ("Accept", "StartReview"):
        await town.step(verb, case)
    await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    await town.step("Close", case)
    made = await _deliver(town, case, _own(town))
    get = deliveries.GetCaseDeliveryRequest(name=made.name)
    confirm = deliveries.ConfirmCaseDeliveryRequest(name=made.name, request_id=request_id())
    assert await _delivered(town, _own(town)) == await _delivered(town, town.agent) == [case.name]
    assert await _delivered(town, _own(town, org=OTHER_FIRM, mandate=OTHER_MANDATE)) == []
    town.known.revoked.add(MANDATE)
    assert await _delivered(town, _own(town)) == []
    kind = deliveries.CaseDelivery
    assert await refused(town.call(town.deliveries.GetCaseDelivery, get, kind, _own(town))) == HIDDEN
    assert await refused(town.call(town.deliveries.ConfirmCaseDelivery, confirm, kind, _own(town))) == HIDDEN
    town.known.revoked.clear()
    assert await refused(town.call(town.deliveries.GetCaseDelivery, get, kind, _own(town))) == ""
    assert await refused(town.call(town.deliveries.ConfirmCaseDelivery, confirm, kind, _own(town))) == ""


async def test_a_window_shows_and_withdraws_what_it_sent_for_an_agent_while_the_mandate_stands(pair: Pair) -> None:
    home, sent = pair.home, await pair.send()
    issue = home.service.issuer.token
    own = issue(AGENT, "STAFF", act={"sub": CLERK}, dept=DEPARTMENT)
    other_hat = issue(AGENT, "STAFF", org=OTHER_FIRM, mandate=OTHER_MANDATE, act={"sub": CLERK}, dept=DEPARTMENT)

    async def names(token: str) -> list[str]:
        answer = exchange.ListCaseTransfersResponse
        found = await home.call(home.exchange.ListCaseTransfers, exchange.ListCaseTransfersRequest(), answer, token)
        return [each.name for each in found.case_transfers]

    def get(token: str) -> Awaitable[Any]:
        request = exchange.GetCaseTransferRequest(name=sent.name)
        return home.call(home.exchange.GetCaseTransfer, request, exchange.CaseTransfer, token)

    def withdraw(token: str) -> Awaitable[Any]:
        request = exchange.WithdrawCaseTransferRequest(name=sent.name, reason="不办了", request_id=request_id())
        return home.call(home.exchange.WithdrawCaseTransfer, request, exchange.CaseTransfer, token)

    assert await names(own) == [sent.name] and await refused(get(own)) == ""
    assert await names(other_hat) == []
    assert {await refused(call(other_hat)) for call in (get, withdraw)} == {HIDDEN}
    home.known.revoked.add(MANDATE)
    assert await names(own) == []
    assert {await refused(call(own)) for call in (get, withdraw)} == {HIDDEN}
    home.known.revoked.clear()
    assert await refused(withdraw(own)) == ""


async def test_an_agent_rates_what_went_to_another_region_while_the_mandate_stands(pair: Pair) -> None:
    home, sent = pair.home, await pair.send()
    await pair.carry()
    case = pb.Case(name=(await pair.transfer(home, sent.name)).case)
    issue = home.service.issuer.token
    own = issue(AGENT, "STAFF", act={"sub": CLERK}, dept=DEPARTMENT)
    other_hat = issue(AGENT, "STAFF", org=OTHER_FIRM, mandate=OTHER_MANDATE, act={"sub": CLERK}, dept=DEPARTMENT)
    assert await refused(_rate(home, case, own)) == "STATE_CONFLICT"
    assert await refused(_rate(home, case, other_hat)) == HIDDEN
    home.known.revoked.add(MANDATE)
    assert await refused(_rate(home, case, own)) == HIDDEN


async def test_a_list_of_regions_leaves_out_what_other_regions_still_show_an_agent(pair: Pair) -> None:
    """A region of 0.2.0 shows an agent's own token all cases that name them, and their hat too."""
    name = "cases/00000000-0000-7000-8000-000000000001"
    shown = pb.Case(
        name=name,
        applicant=party_pb2.Applicant(subject=HOME + FIRM),
        agent=party_pb2.Agent(subject=HOME + AGENT, mandate=HOME + MANDATE),
    )

    async def listed(token: str) -> tuple[list[str], int]:
        pair.handling.known.lists_instead = [rpc.ListCasesResponse(cases=[shown])]
        context = common_pb2.UseContext(purpose_code="OWN_USE", purpose="查询本人办件")
        request = rpc.ListCasesRequest(regions=["320402"], use_context=context)
        answer = await pair.home.call(pair.home.cases.ListCases, request, rpc.ListCasesResponse, token)
        return [each.name for each in answer.cases], len(answer.unreachable)

    own = _own(pair.home)
    assert await listed(own) == ([f"{HANDLING}{name}"], 0)
    assert await listed(_own(pair.home, org=OTHER_FIRM, mandate=OTHER_MANDATE)) == ([], 0)
    # What the mandate covers there is that region's to judge.
    pair.home.known.mandate_reason = error_reason_pb2.ERROR_REASON_MANDATE_OUT_OF_SCOPE
    assert await listed(own) == ([f"{HANDLING}{name}"], 0)
    pair.home.known.mandate_reason = error_reason_pb2.ERROR_REASON_UNSPECIFIED
    pair.home.known.revoked.add(MANDATE)
    assert await listed(own) == ([], 0)
