"""Part B: 天宁区's cases of January to May 2024, replayed through the same API, day by day on the replay clock."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from google.protobuf.message import Message

from deploy.local.demo.catalogue import ITEMS, DemoItem, scaled
from deploy.local.demo.gateway import Gateway, request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredFirm, RegisteredPerson, Registry
from libs.civil import notices
from libs.civil.calendar import Calendar
from libs.values.messages import value_messages
from tongban.cases.v1 import (
    case_service_pb2,
    delivery_service_pb2,
    rating_service_pb2,
    statistics_service_pb2,
)
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2, party_pb2

FIRST, LAST = date(2024, 1, 2), date(2024, 5, 31)
_MORNING = time(1, 0, tzinfo=UTC)  # 09:00 in China
_AT_ONCE = 24
_FIRMS = 48
_SEED = 2024
_CLOSE_WITHIN = 120.0


@dataclass
class RunningCase:
    """A case of the replay: its item, who applies, over which channel, and its name once it is made."""

    item: DemoItem
    firm: RegisteredFirm
    channel: pb.Channel.ValueType
    name: str = ""


def working_days() -> list[date]:
    """The working days of the five months."""
    calendar = Calendar(notices.all_rows())
    days = (FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1))
    return [day for day in days if calendar.is_working_day(day)]


def spread(counts: dict[str, int], firms: list[RegisteredFirm]) -> list[list[RunningCase]]:
    """Spreads the cases evenly over the working days; the same every time."""
    draw = random.Random(_SEED)  # noqa: S311 - the same seed must give the same cases
    channels = (pb.CHANNEL_WINDOW, pb.CHANNEL_WEB, pb.CHANNEL_MOBILE, pb.CHANNEL_KIOSK)
    cases = [
        RunningCase(item, draw.choice(firms), draw.choice(channels))
        for item in ITEMS
        for _ in range(counts[item.number])
    ]
    draw.shuffle(cases)
    days = working_days()
    return [cases[n * len(cases) // len(days) : (n + 1) * len(cases) // len(days)] for n in range(len(days))]


def _firms_for(cases: int) -> int:
    """How many firms apply: a few cases each where there are few."""
    return min(_FIRMS, max(2, cases // 4))


class FiveMonths:
    """Drives the cases of one region through their lives."""

    def __init__(self, office: Office, set_clock: Callable[[datetime], None], advance: Callable[[int], None]) -> None:
        self._office = office
        self._gateway: Gateway = office.gateway
        self._set_clock = set_clock
        self._advance = advance

    async def run(self, sample: int | None) -> dict[str, int]:
        """Replays everything (or a sample); returns the number of cases of each item that were run."""
        counts = scaled(sample)
        firms = await self._firms(_firms_for(sum(counts.values())))
        waiting: list[RunningCase] = []
        for day, cases in zip(working_days(), spread(counts, firms), strict=True):
            self._set_clock(datetime.combine(day, _MORNING))
            await self._all(self._decide, cases)
            await self._finish(waiting)
            waiting = cases
        await self._finish(waiting)
        return counts

    async def _firms(self, count: int) -> list[RegisteredFirm]:
        registry = Registry(self._office, _SEED)
        people = [await registry.person() for _ in range(count // 2)]
        return [await registry.firm(people[n % len(people)]) for n in range(count)]

    async def _all(self, step: Callable[[RunningCase], Awaitable[None]], cases: Iterable[RunningCase]) -> None:
        queue = iter(cases)

        async def worker() -> None:
            for case in queue:
                await step(case)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(worker())

    async def _applicant_token(self, case: RunningCase) -> str:
        """At the window the clerk enters the application; on every other channel the representative does."""
        if case.channel == pb.CHANNEL_WINDOW:
            return await self._office.token_of("receiving")
        return await self._acting_token(case.firm.representative, case.firm)

    async def _acting_token(self, person: RegisteredPerson, firm: RegisteredFirm) -> str:
        own = await self._office.token_of_person(person.name)
        return await self._gateway.exchanged(own, firm.name)

    async def _decide(self, case: RunningCase) -> None:
        applicant = await self._applicant_token(case)
        made = await self._step(self._application(case), applicant)
        case.name = made.name
        submit = case_service_pb2.SubmitCaseRequest(name=case.name, request_id=request_id())
        submitted = await self._step(submit, applicant)
        accept = case_service_pb2.AcceptCaseRequest(name=case.name, etag=submitted.etag, request_id=request_id())
        await self._step(accept, await self._office.token_of("receiving"))
        review = case_service_pb2.StartReviewRequest(name=case.name, request_id=request_id())
        reviewed = await self._step(review, await self._office.token_of("reviewing"))
        decide = case_service_pb2.DecideCaseRequest(
            name=case.name,
            etag=reviewed.etag,
            outcome=pb.OUTCOME_APPROVED,
            reason="材料齐全,符合法定条件",
            request_id=request_id(),
        )
        await self._step(decide, await self._office.token_of("deciding"))
        if case.item.licence is None:
            close = case_service_pb2.CloseCaseRequest(name=case.name, note="准予登记", request_id=request_id())
            await self._step(close, await self._office.token_of("receiving"))
        self._advance(1)

    async def _step(self, request: Message, token: str) -> pb.Case:
        return await self._gateway.using(token).call(request, pb.Case)

    def _application(self, case: RunningCase) -> case_service_pb2.CreateCaseRequest:
        document = common_pb2.IdentityDocument(type_code="001", number=case.firm.uscc)
        kind = party_pb2.PARTY_KIND_ENTERPRISE
        drafted = pb.Case(
            item=self._office.items[case.item.number],
            channel=case.channel,
            applicant=party_pb2.Applicant(
                kind=kind, subject=case.firm.name, display_name=case.firm.display_name, document=document
            ),
            form_values=value_messages({"address": "常州市天宁区示例路1号", "scope": "一般项目:示例经营活动"}),
        )
        return case_service_pb2.CreateCaseRequest(case=drafted, request_id=request_id())

    async def _finish(self, cases: list[RunningCase]) -> None:
        if cases:
            await self._until_closed()
            await self._all(self._deliver_and_rate, cases)

    async def _until_closed(self) -> None:
        """Waits until the licence service has issued what was decided and every case is closed."""
        context = common_pb2.UseContext(
            purpose_code="SUPERVISION", purpose="办件督办", department=self._office.department
        )
        async with asyncio.timeout(_CLOSE_WITHIN):
            while True:
                deciding = self._gateway.using(await self._office.token_of("deciding"))
                page = await deciding.cases.list_cases(
                    page_size=1,
                    filter="state = CASE_STATE_DECIDED",
                    department=self._office.department,
                    use_context=context,
                )
                if not (page.cases or page.next_page_token):
                    return
                await asyncio.sleep(0.05)

    async def _deliver_and_rate(self, case: RunningCase) -> None:
        clerk = self._gateway.using(await self._office.token_of("receiving"))
        delivery = await clerk.cases.create_case_delivery(
            case_delivery=delivery_service_pb2.CaseDelivery(case=case.name, method=pb.DELIVERY_METHOD_WINDOW)
        )
        await clerk.cases.confirm_case_delivery(name=delivery.name)
        rater = self._gateway.using(await self._applicant_token(case))
        rating = rating_service_pb2.Rating(
            case=case.name,
            kind=rating_service_pb2.RATING_KIND_FIRST,
            level=pb.SATISFACTION_LEVEL_SATISFIED,
            channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET,
        )
        await rater.cases.create_rating(rating=rating)


async def statistics(
    office: Office,
    dimension: statistics_service_pb2.Dimension.ValueType,
    measures: list[statistics_service_pb2.Measure.ValueType],
) -> dict[str, list[int]]:
    """Asks the statistics API for the five months; returns the values of each measure by the dimension's value."""
    request = statistics_service_pb2.QueryStatisticsRequest(
        start_date=common_pb2.Date(year=2024, month=1, day=1),
        end_date=common_pb2.Date(year=2024, month=5, day=31),
        dimensions=[dimension],
        measures=measures,
    )
    answer = await office.gateway.using(await office.token_of("deciding")).call(
        request, statistics_service_pb2.QueryStatisticsResponse
    )
    return {row.keys[0].display_name or row.keys[0].value: [int(each) for each in row.values] for row in answer.rows}
