"""Deliveries, ratings, statistics, items and calendars."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from libs.civil import notices
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.rpc.messages import working_days
from tests.service.cases.conftest import DEPARTMENT, LICENSE_TYPE, PERSON, TASK_CODE, Town, request_id
from tests.support.values import text_type
from tongban.cases.v1 import calendar_service_pb2 as calendars
from tongban.cases.v1 import delivery_service_pb2 as deliveries
from tongban.cases.v1 import item_service_pb2 as items
from tongban.cases.v1 import rating_service_pb2 as ratings
from tongban.cases.v1 import resources_pb2 as pb
from tongban.cases.v1 import statistics_service_pb2 as statistics
from tongban.common.v1 import common_pb2
from tongban.license.v1 import events_pb2 as license_events


async def _deliver(town: Town, case: pb.Case, token: str, **more: object) -> deliveries.CaseDelivery:
    wanted = deliveries.CaseDelivery(case=case.name, **more)  # type: ignore[arg-type]
    request = deliveries.CreateCaseDeliveryRequest(case_delivery=wanted, request_id=request_id())
    return await town.call(town.deliveries.CreateCaseDelivery, request, deliveries.CaseDelivery, token)


async def _rate(town: Town, name: str, token: str, **more: object) -> ratings.Rating:
    values = {
        "level": pb.SATISFACTION_LEVEL_SATISFIED,
        "kind": ratings.RATING_KIND_FIRST,
        "channel": ratings.RATING_CHANNEL_WINDOW_TABLET,
        **more,
    }
    rating = ratings.Rating(case=name, **values)  # type: ignore[arg-type]
    request = ratings.CreateRatingRequest(rating=rating, request_id=request_id())
    return await town.call(town.ratings.CreateRating, request, ratings.Rating, token)


async def test_a_result_is_delivered_once(town: Town) -> None:
    item = await town.item()
    draft = await town.create(item)
    with pytest.raises(FailedPrecondition):
        await _deliver(town, draft, town.clerk, method=pb.DELIVERY_METHOD_WINDOW)
    case = await town.closed(item)
    for more in ({"method": pb.DELIVERY_METHOD_LOCKER}, {"method": pb.DELIVERY_METHOD_POST}):
        with pytest.raises(InvalidArgument):
            await _deliver(town, case, town.clerk, **more)
    for token in (town.person, town.stranger_clerk):
        with pytest.raises(PermissionDenied):
            await _deliver(town, case, token, method=pb.DELIVERY_METHOD_WINDOW)
    with pytest.raises(NotFound, match="RESOURCE_NOT_FOUND: cases/"):
        await _deliver(town, case, town.stranger, method=pb.DELIVERY_METHOD_WINDOW)
    made = await _deliver(town, case, town.person, method=pb.DELIVERY_METHOD_DOWNLOAD)
    assert (made.recipient_name, made.region) == ("测试甲", "341500")
    with pytest.raises(AlreadyExists):
        await _deliver(town, case, town.clerk, method=pb.DELIVERY_METHOD_WINDOW)
    request = deliveries.ConfirmCaseDeliveryRequest(name=made.name, request_id=request_id())
    with pytest.raises(NotFound, match="RESOURCE_NOT_FOUND: caseDeliveries/"):
        await town.call(town.deliveries.ConfirmCaseDelivery, request, deliveries.CaseDelivery, town.stranger)
    confirmed = await town.call(town.deliveries.ConfirmCaseDelivery, request, deliveries.CaseDelivery, town.clerk)
    assert confirmed.state == deliveries.CASE_DELIVERY_STATE_DELIVERED
    assert (await town.get(case.name)).state == pb.CASE_STATE_DELIVERED
    get = deliveries.GetCaseDeliveryRequest(name=made.name)
    assert await town.call(town.deliveries.GetCaseDelivery, get, deliveries.CaseDelivery, town.person) == confirmed
    with pytest.raises(NotFound):
        await town.call(town.deliveries.GetCaseDelivery, get, deliveries.CaseDelivery, town.stranger)


async def test_deliveries_and_ratings_are_listed_by_whose_they_are(town: Town) -> None:
    item = await town.item()
    cases = [await town.closed(item) for _ in range(2)]
    made = [await _deliver(town, each, town.clerk, method=pb.DELIVERY_METHOD_WINDOW) for each in cases]
    rated = [await _rate(town, each.name, town.person) for each in cases]

    async def delivered(token: str, **asked: Any) -> list[str]:
        request = deliveries.ListCaseDeliveriesRequest(**asked)
        answer = await town.call(
            town.deliveries.ListCaseDeliveries, request, deliveries.ListCaseDeliveriesResponse, token
        )
        return [each.name for each in answer.case_deliveries]

    async def given(token: str, **asked: Any) -> list[str]:
        request = ratings.ListRatingsRequest(**asked)
        answer = await town.call(town.ratings.ListRatings, request, ratings.ListRatingsResponse, token)
        return [each.name for each in answer.ratings]

    for token in (town.person, town.clerk):
        assert await delivered(token) == [each.name for each in made[::-1]]
        assert await delivered(token, filter=f"case = {cases[0].name}") == [made[0].name]
        assert await delivered(token, filter="deliver_time:*", order_by="create_time") == []
        assert await given(token, order_by="create_time") == [each.name for each in rated]
        assert await given(token, filter="level = SATISFACTION_LEVEL_DISSATISFIED OR NOT effective = true") == []
    for token in (town.stranger, town.stranger_clerk):
        assert await delivered(token) == await given(token) == []
        assert await delivered(token, filter=f"case = {cases[0].name}") == []
        assert await given(token, filter=f"case = {cases[0].name}") == []


async def test_a_case_is_rated_once_and_followed_up_once(town: Town) -> None:
    item = await town.item()
    with pytest.raises(FailedPrecondition) as early:
        await _rate(town, (await town.create(item)).name, town.person)
    assert early.value.reason == "STATE_CONFLICT"
    case = await town.closed(item)
    with pytest.raises(FailedPrecondition) as first:
        await _rate(town, case.name, town.person, kind=ratings.RATING_KIND_FOLLOW_UP)
    assert first.value.reason == "RATING_FIRST_MISSING"
    with pytest.raises(NotFound, match="RESOURCE_NOT_FOUND"):
        await _rate(town, case.name, town.stranger)
    made = await _rate(town, case.name, town.clerk, comment="办得快")
    assert (made.rater, made.effective, made.department) == (PERSON, True, DEPARTMENT)
    with pytest.raises(AlreadyExists) as again:
        await _rate(town, case.name, town.person)
    assert again.value.reason == "RATING_EXISTS"
    await _rate(
        town, case.name, town.person, kind=ratings.RATING_KIND_FOLLOW_UP, level=pb.SATISFACTION_LEVEL_DISSATISFIED
    )
    assert (await town.get(case.name)).rating == pb.SATISFACTION_LEVEL_SATISFIED
    get = ratings.GetRatingRequest(name=made.name)
    assert (await town.call(town.ratings.GetRating, get, ratings.Rating, town.person)).comment == "办得快"
    with pytest.raises(NotFound):
        await town.call(town.ratings.GetRating, get, ratings.Rating, town.stranger)


async def test_a_machine_rates_for_an_applicant_only_where_it_opened_the_case(town: Town) -> None:
    item, another = await town.item(), town.service.issuer.token("clients/another", "CLIENT")
    opened_by_person = await town.closed(item)
    draft = await town.create(item, town.system, channel=pb.CHANNEL_API)
    case = await town.step("Submit", draft, town.system)
    for verb in ("Accept", "StartReview"):
        case = await town.step(verb, case)
    await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    await town.step("Close", case)
    for name, token in ((opened_by_person.name, town.system), (case.name, another)):
        with pytest.raises(PermissionDenied, match="NOT_OWNER"):
            await _rate(town, name, token)
    made = await _rate(town, case.name, town.system)
    assert made.rater == PERSON
    get = ratings.GetRatingRequest(name=made.name)
    assert (await town.call(town.ratings.GetRating, get, ratings.Rating, town.system)) == made
    with pytest.raises(NotFound):
        await town.call(town.ratings.GetRating, get, ratings.Rating, another)


async def test_a_default_rating_does_not_count(town: Town) -> None:
    case = await town.closed(await town.item())
    channel = ratings.RATING_CHANNEL_SYSTEM_DEFAULT
    with pytest.raises(InvalidArgument):
        await _rate(town, case.name, town.person, channel=channel)
    assert not (await _rate(town, case.name, town.system, channel=channel)).effective
    assert (await town.get(case.name)).rating == pb.SATISFACTION_LEVEL_UNSPECIFIED


async def test_statistics_count_each_measure_by_its_own_time(town: Town) -> None:
    plain = await town.item()
    licensed = await town.item(task_code=TASK_CODE[:-1] + "3", category="投资建设", license_type=LICENSE_TYPE)
    for _ in range(3):
        await _rate(town, (await town.closed(plain)).name, town.person)
    town.clock.move_to(datetime(2024, 3, 31, 15, 59, 59, tzinfo=UTC))  # the last second of the day in China
    waiting = await town.create(licensed)
    await town.step("Submit", waiting)
    town.at(date(2024, 4, 1))
    for verb in ("Accept", "StartReview"):
        await town.step(verb, waiting)
    await town.step("Decide", waiting, outcome=pb.OUTCOME_PARTIAL, reason="部分准予")
    issued = license_events.LicenseIssued(license="licenses/1", identifier="1.2", case=waiting.name)
    issued.issue_time.FromDatetime(datetime(2024, 4, 2, tzinfo=UTC))
    await town.told("cn.tongban.license.license.issued.v1", issued)
    measures = [value for name, value in statistics.Measure.items() if value]

    async def ask(
        first: date, last: date, *dimensions: statistics.Dimension.ValueType, **more: Any
    ) -> dict[tuple[str, ...], list[int]]:
        request = statistics.QueryStatisticsRequest(
            start_date=common_pb2.Date(year=first.year, month=first.month, day=first.day),
            end_date=common_pb2.Date(year=last.year, month=last.month, day=last.day),
            dimensions=dimensions,
            measures=measures,
            **more,
        )
        answer = await town.call(
            town.statistics.QueryStatistics, request, statistics.QueryStatisticsResponse, town.clerk
        )
        counts = {tuple(key.value for key in row.keys): [int(each) for each in row.values] for row in answer.rows}
        sums = [sum(values[n] for values in counts.values()) for n in range(len(measures))]
        assert list(answer.totals) == [str(each) for each in sums]
        return counts

    march = await ask(date(2024, 3, 1), date(2024, 3, 31), statistics.DIMENSION_CATEGORY)
    assert march == {("市场准入",): [3, 3, 3, 3, 0, 3, 3], ("投资建设",): [1, 0, 0, 0, 0, 0, 0]}
    april = await ask(date(2024, 4, 1), date(2024, 4, 30), statistics.DIMENSION_OUTCOME, statistics.DIMENSION_ITEM)
    assert april == {("PARTIAL", licensed.content.task_code): [0, 1, 1, 1, 1, 1, 0]}
    whole = await ask(date(2024, 1, 1), date(2024, 12, 31), statistics.DIMENSION_RATING, department=DEPARTMENT)
    assert whole[("SATISFIED",)][0] == 3 and whole[("",)][0] == 1
    assert await ask(date(2024, 1, 1), date(2024, 12, 31), task_code="9999") == {}
    with pytest.raises(InvalidArgument):
        await ask(date(2024, 4, 1), date(2024, 3, 1))


async def test_items_have_versions_and_one_in_force(town: Town) -> None:
    first = await town.item(materials=[items.MaterialRule(code="M1", display_name="材料")])
    case = await town.create(first)
    second = await town.item(display_name="新版事项")
    assert (first.version, second.version) == (1, 2)

    async def get(name: str) -> items.ServiceItem:
        return await town.call(town.items.GetServiceItem, items.GetServiceItemRequest(name=name), items.ServiceItem, "")

    assert (await get(first.name)).state == items.SERVICE_ITEM_STATE_SUPERSEDED
    assert (await town.step("Submit", case)).item == first.name
    with pytest.raises(FailedPrecondition):
        await town.create(first)
    draft = await town.item(publish=False)
    with pytest.raises(NotFound):
        await get(draft.name)
    with pytest.raises(FailedPrecondition) as exists:
        await town.item(publish=False)
    assert exists.value.reason == "ITEM_DRAFT_EXISTS"
    listed = await town.call(
        town.items.ListServiceItems,
        items.ListServiceItemsRequest(filter="content.category = 市场准入"),
        items.ListServiceItemsResponse,
        "",
    )
    assert [item.name for item in listed.service_items] == [second.name]
    every = items.ListServiceItemsRequest(filter="content.category = 市场准入", show_superseded=True)
    listed = await town.call(town.items.ListServiceItems, every, items.ListServiceItemsResponse, "")
    assert {item.name for item in listed.service_items} == {first.name, second.name}
    other = await town.item(
        task_code=TASK_CODE[:-1] + "7",
        cross_region=items.CrossRegion(mode=pb.CROSS_REGION_MODE_COLLECTED, regions=["320402"]),
    )
    opened = items.ListServiceItemsRequest(open_to_region="320402", page_size=1)
    listed = await town.call(town.items.ListServiceItems, opened, items.ListServiceItemsResponse, "")
    assert [item.name for item in listed.service_items] == [other.name] and not listed.next_page_token


async def test_items_that_contradict_themselves_are_refused(town: Town) -> None:
    rule = items.MaterialRule(code="M1", display_name="材料")
    for more, reason in (
        ({"promised_limit": working_days(30)}, "ITEM_LIMIT_INVALID"),
        ({"fees": [items.ItemFee(display_name="工本费", amount=common_pb2.Money(fen=-1))]}, "FIELD_INVALID"),
        ({"materials": [rule, rule]}, "CASE_MATERIAL_UNKNOWN"),
        ({"form_fields": [items.FormField(key="a", display_name="甲", type=text_type())] * 2}, "FIELD_INVALID"),
    ):
        with pytest.raises(InvalidArgument) as error:
            await town.item(**more)
        assert error.value.reason == reason
    made = await town.item(publish=False)
    request = items.PublishServiceItemRequest(name=made.name, etag=made.etag, request_id=request_id())
    with pytest.raises(PermissionDenied):
        await town.call(town.items.PublishServiceItem, request, items.ServiceItem, town.stranger_clerk)


async def test_an_item_says_all_its_fees_and_takes_one_result_in_working_days(town: Town) -> None:
    """What the contract has room for is said by rules: they are widened, no shape changes."""
    fees = [
        items.ItemFee(display_name=name, amount=common_pb2.Money(fen=fen))
        for name, fen in (("工本费", 500), ("检测费", 0))
    ]
    made = await town.item(publish=False, fees=fees, task_code=TASK_CODE[:-1] + "6")
    assert list(made.content.fees) == fees
    license_kind = items.ITEM_RESULT_KIND_LICENSE
    result = items.ItemResult(kind=license_kind, license_type=LICENSE_TYPE)
    nameless = items.ItemFee(amount=common_pb2.Money(fen=1))
    for more, field, rule in (
        ({"results": [result, result]}, "results", "repeated.max_items"),
        ({"results": [items.ItemResult(kind=license_kind)]}, "results[0]", "item_result.license_type"),
        ({"results": [items.ItemResult(license_type=LICENSE_TYPE)]}, "results[0].kind", "enum.not_in"),
        ({"fees": [nameless]}, "fees[0].display_name", "string.min_len"),
    ):
        with pytest.raises(InvalidArgument) as error:
            await town.item(publish=False, **more)
        assert [(each.field, each.rule) for each in error.value.violations] == [(f"service_item.content.{field}", rule)]
    draft = items.ServiceItem(content=made.content)
    draft.content.promised_limit.unit = common_pb2.TIME_UNIT_UNSPECIFIED
    request = items.CreateServiceItemRequest(service_item=draft, request_id=request_id())
    with pytest.raises(InvalidArgument) as error:
        await town.call(town.items.CreateServiceItem, request, items.ServiceItem, town.system)
    assert [(each.field, each.rule) for each in error.value.violations] == [
        ("service_item.content.promised_limit.unit", "enum.in")
    ]
    assert error.value.violations[0].description == "must be one of TIME_UNIT_WORKING_DAY"


async def test_calendars_have_revisions(town: Town) -> None:
    async def get(year: int) -> calendars.Calendar:
        name = f"calendars/{year}"
        return await town.call(
            town.calendars.GetCalendar, calendars.GetCalendarRequest(name=name), calendars.Calendar, ""
        )

    known = await get(2024)
    assert (known.revision, known.working_days, known.source) == (1, 251, notices.shipped()[2024].source)
    with pytest.raises(NotFound):
        await get(2027)
    changed = calendars.ImportCalendarRequest(year=2024, days=known.days, source="更正", request_id=request_id())
    place = next(n for n, each in enumerate(changed.days) if (each.date.month, each.date.day) == (3, 6))
    changed.days[place].kind = calendars.DAY_KIND_HOLIDAY
    assert (await town.call(town.calendars.ImportCalendar, changed, calendars.Calendar, town.system)).revision == 2
    count = calendars.CountWorkingDaysRequest(
        start_date=common_pb2.Date(year=2024, month=3, day=4), end_date=common_pb2.Date(year=2024, month=3, day=8)
    )
    answer = await town.call(town.calendars.CountWorkingDays, count, calendars.CountWorkingDaysResponse, "")
    assert answer.working_days == 3
    count.end_date.year = 2027
    with pytest.raises(FailedPrecondition) as unknown:
        await town.call(town.calendars.CountWorkingDays, count, calendars.CountWorkingDaysResponse, "")
    assert unknown.value.reason == "CALENDAR_UNKNOWN"
    count.end_date.month, count.end_date.day = 2, 30
    with pytest.raises(InvalidArgument):
        await town.call(town.calendars.CountWorkingDays, count, calendars.CountWorkingDaysResponse, "")
    del changed.days[place]
    changed.days.append(changed.days[0])
    changed.request_id = request_id()
    with pytest.raises(InvalidArgument) as incomplete:
        await town.call(town.calendars.ImportCalendar, changed, calendars.Calendar, town.system)
    assert incomplete.value.reason == "CALENDAR_INCOMPLETE"
