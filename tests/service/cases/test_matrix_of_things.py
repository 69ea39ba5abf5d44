"""Whose things each caller reaches here: what each is answered about a real one is what `matrix_of_things.txt` says."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest_asyncio
from google.protobuf.message import Message

from libs.clock import FakeClock
from libs.process import Process
from libs.security.withdrawals import Withdrawals
from tests.service.cases.conftest import (
    DEPARTMENT,
    FIRM_DOCUMENT,
    MONDAY,
    OTHER_DEPARTMENT,
    PERSON_DOCUMENT,
    Town,
    applicant,
    firm,
    morning,
    request_id,
)
from tests.support.calls import OTHER_REGION
from tests.support.fakes_cases import neighbours
from tests.support.refusing import OLD, asked, steps
from tests.support.service import REGION, Ground, serving
from tests.support.things import (
    CLIENT,
    FIRM,
    OWNER,
    REPRESENTATIVE,
    Asking,
    Question,
    differences,
    of_nobody,
    one_mandate_revoked,
    rpcs_of,
    written,
)
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import delivery_service_pb2 as deliveries
from tongban.cases.v1 import item_service_pb2 as items
from tongban.cases.v1 import rating_service_pb2 as ratings
from tongban.cases.v1 import resources_pb2 as pb
from tongban.cases.v1 import task_service_pb2 as tasks


@dataclass
class Furnished:
    """The service with things in it, by what the table calls them."""

    town: Town
    item: items.ServiceItem
    draft: items.ServiceItem
    cases: dict[str, pb.Case]
    closed: dict[str, pb.Case]
    deliveries: dict[str, str]
    ratings: dict[str, str]
    task: str


@pytest_asyncio.fixture
async def furnished(ground: Ground) -> AsyncIterator[Furnished]:
    """Cases of the owner and of the firm, submitted and closed, with a task, deliveries and ratings, all of the department."""
    async with neighbours(REGION.id) as known:

        def prepare(process: Process) -> None:
            known.put_into(process)
            process.withdrawals = Withdrawals(one_mandate_revoked)

        clock = FakeClock(morning(MONDAY))
        async with serving(ground, "cases", clock, prepare=prepare) as service:
            known.service = service
            known.trusted.add(OTHER_REGION)
            known.others[OTHER_REGION] = known
            known.accounts |= {OWNER: ("测试甲", PERSON_DOCUMENT.number), FIRM: ("示例商行", FIRM_DOCUMENT.number)}
            yield await _furnished(Town(service, known, clock))


async def _furnished(town: Town) -> Furnished:
    item, draft = await town.item(), await town.item(publish=False, task_code="11341500MB1234567X4123456789099")
    token = town.service.issuer.token
    bearers = {
        "person": (town.person, applicant(), pb.CHANNEL_WEB),
        "firm": (token(REPRESENTATIVE, "PERSON", org=FIRM), firm(), pb.CHANNEL_WEB),
        "brought": (token(CLIENT, "CLIENT"), applicant(), pb.CHANNEL_API),
    }
    open_, closed = {}, {}
    for thing, (bearer, party, channel) in bearers.items():
        drafts = [await town.create(item, bearer, applicant=party, channel=channel) for _ in range(2)]
        submitted = [await town.step("Submit", each, bearer) for each in drafts]
        for verb in ("Accept", "StartReview"):
            submitted[1] = await town.step(verb, submitted[1])
        await town.step("Decide", submitted[1], outcome=pb.OUTCOME_APPROVED)
        open_[thing], closed[thing] = submitted[0], await town.step("Close", submitted[1])
    delivered = {thing: await _delivered(town, case) for thing, case in closed.items() if thing != "brought"}
    rated = {thing: await _rated(town, closed[thing], bearers[thing][0]) for thing in ("person", "brought")}
    listing = tasks.ListCaseTasksRequest(filter=f"case = {open_['person'].name}")
    listed = await town.call(town.tasks.ListCaseTasks, listing, tasks.ListCaseTasksResponse, town.clerk)
    (task,) = listed.case_tasks
    return Furnished(town, item, draft, open_, closed, delivered, rated, task.name)


async def _delivered(town: Town, case: pb.Case) -> str:
    wanted = deliveries.CaseDelivery(case=case.name, method=pb.DELIVERY_METHOD_WINDOW)
    request = deliveries.CreateCaseDeliveryRequest(case_delivery=wanted, request_id=request_id())
    made = await town.call(town.deliveries.CreateCaseDelivery, request, deliveries.CaseDelivery, town.clerk)
    return made.name


async def _rated(town: Town, case: pb.Case, token: str) -> str:
    request = ratings.CreateRatingRequest(rating=_rating(case), request_id=request_id())
    return (await town.call(town.ratings.CreateRating, request, ratings.Rating, token)).name


def _rating(case: pb.Case) -> ratings.Rating:
    return ratings.Rating(
        case=case.name,
        kind=ratings.RATING_KIND_FIRST,
        level=pb.SATISFACTION_LEVEL_SATISFIED,
        channel=ratings.RATING_CHANNEL_WINDOW_TABLET,
    )


def _made(there: Furnished) -> dict[str, Callable[[str], Message]]:
    town, cases = there.town, there.cases
    make: dict[str, Callable[[str], Message]] = {
        "CaseService.CreateCase": lambda _: town.draft(there.item, validate_only=True),
        "CaseService.UpdateCase": lambda thing: _update(cases[thing]),
        "CaseService.GetCase": lambda thing: rpc.GetCaseRequest(name=cases[thing].name),
        "CaseService.BatchGetCases": lambda thing: rpc.BatchGetCasesRequest(names=[cases[thing].name]),
        "CaseService.ListCases": lambda _: rpc.ListCasesRequest(page_size=1000),
        "CaseService.LookupCaseByNumber": lambda thing: rpc.LookupCaseByNumberRequest(number=cases[thing].number),
        "CaseService.ListCaseHistory": lambda thing: rpc.ListCaseHistoryRequest(parent=cases[thing].name),
        "CaseService.GetClock": lambda thing: rpc.GetClockRequest(name=f"{cases[thing].name}/clock"),
        "DeliveryService.CreateCaseDelivery": lambda thing: deliveries.CreateCaseDeliveryRequest(
            case_delivery=deliveries.CaseDelivery(case=cases[thing].name, method=pb.DELIVERY_METHOD_DOWNLOAD),
            request_id=request_id(),
        ),
        "DeliveryService.ConfirmCaseDelivery": lambda thing: asked("ConfirmCaseDelivery", there.deliveries[thing], OLD),
        "DeliveryService.GetCaseDelivery": lambda thing: deliveries.GetCaseDeliveryRequest(
            name=there.deliveries[thing]
        ),
        "DeliveryService.ListCaseDeliveries": lambda _: deliveries.ListCaseDeliveriesRequest(page_size=1000),
        "ItemService.CreateServiceItem": lambda _: _new_item(there.draft),
        "ItemService.UpdateServiceItem": lambda _: _item_update(there.draft),
        "ItemService.DeleteServiceItem": lambda _: asked("DeleteServiceItem", there.draft.name, OLD),
        "ItemService.PublishServiceItem": lambda _: asked("PublishServiceItem", there.draft.name, OLD),
        "ItemService.GetServiceItem": lambda _: items.GetServiceItemRequest(name=there.draft.name),
        "RatingService.CreateRating": lambda thing: ratings.CreateRatingRequest(
            rating=_rating(cases[thing]), request_id=request_id()
        ),
        "RatingService.GetRating": lambda thing: ratings.GetRatingRequest(name=there.ratings[thing]),
        "RatingService.ListRatings": lambda _: ratings.ListRatingsRequest(page_size=1000),
        "TaskService.ListCaseTasks": lambda _: tasks.ListCaseTasksRequest(department=DEPARTMENT, page_size=1000),
        "TaskService.ClaimCaseTask": lambda _: asked("ClaimCaseTask", there.task, OLD),
    }
    for step in steps("cases.v1.CaseService"):
        make[f"CaseService.{step}"] = lambda thing, step=step: asked(step, cases[thing].name, OLD)  # type: ignore[misc]
    return make


def _update(case: pb.Case) -> rpc.UpdateCaseRequest:
    changed = pb.Case(name=case.name, title="另一个标题")
    request = rpc.UpdateCaseRequest(case=changed, etag=OLD, request_id=request_id())
    request.update_mask.paths.append("title")
    return request


def _new_item(draft: items.ServiceItem) -> items.CreateServiceItemRequest:
    wanted = items.ServiceItem(content=draft.content)
    wanted.content.task_code = "11341500MB1234567X4123456789098"
    return items.CreateServiceItemRequest(service_item=wanted, request_id=request_id(), validate_only=True)


def _item_update(draft: items.ServiceItem) -> items.UpdateServiceItemRequest:
    changed = items.ServiceItem(name=draft.name, content=draft.content)
    request = items.UpdateServiceItemRequest(service_item=changed, etag=OLD, request_id=request_id())
    request.update_mask.paths.append("content.display_name")
    return request


def _questions(there: Furnished) -> list[Question]:
    make = _made(there)
    return [_question(there, line, make) for line in written("cases")]


def _question(there: Furnished, line: str, make: dict[str, Any]) -> Question:
    name, thing = line.split()
    lists: dict[str, Any] = {
        "ListCases": there.cases,
        "ListCaseDeliveries": there.deliveries,
        "ListRatings": there.ratings,
        "ListCaseTasks": {"person": there.task},
    }
    listed = lists.get(name.rpartition(".")[2], {}).get(thing, "")
    shows = listed if isinstance(listed, str) else listed.name
    return Question(name, thing, lambda: make[name.removeprefix("cases.v1.")](thing), shows)


async def test_each_caller_is_answered_about_a_real_thing_as_it_is_written_down(furnished: Furnished) -> None:
    asking = Asking(furnished.town.service, DEPARTMENT, OTHER_DEPARTMENT)
    assert await differences(asking, "cases", _questions(furnished)) == []


def test_the_table_has_every_rpc() -> None:
    asked_about = {line.split()[0] for line in written("cases")}
    assert asked_about | of_nobody("cases") == rpcs_of("cases")
    assert asked_about.isdisjoint(of_nobody("cases"))
