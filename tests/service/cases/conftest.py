"""Case handling between faked neighbours, and the calls that most tests begin with."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

import pytest_asyncio
import sqlalchemy as sa
from google.protobuf.message import Message

from libs.clock import FakeClock
from libs.config import RegionConfig
from libs.db.etag import etag_of
from libs.db.schema import outbox
from libs.events.cloud_event import Event
from libs.ids.synthetic import SyntheticPopulation
from libs.process import Process
from libs.rpc.messages import working_days
from services.cases.core.cases import cases
from tests.support import sql
from tests.support.fakes_cases import Neighbours, neighbours
from tests.support.outbox import emitted
from tests.support.patience import PATIENCE, invoke
from tests.support.service import REGION, Ground, Service, serving
from tongban.cases.v1 import (
    calendar_service_pb2_grpc,
    case_service_pb2,
    case_service_pb2_grpc,
    delivery_service_pb2_grpc,
    exchange_service_pb2_grpc,
    item_service_pb2,
    item_service_pb2_grpc,
    rating_service_pb2_grpc,
    statistics_service_pb2_grpc,
    task_service_pb2_grpc,
)
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2, party_pb2

Answer = TypeVar("Answer", bound=Message)
PEOPLE = SyntheticPopulation("cases-tests")
DEPARTMENT = "departments/00000000-0000-7000-8000-0000000000d1"
OTHER_DEPARTMENT = "departments/00000000-0000-7000-8000-0000000000d2"
CLERK = "staff/00000000-0000-7000-8000-0000000000b1"
REVIEWER = "staff/00000000-0000-7000-8000-0000000000b2"
DECIDER = "staff/00000000-0000-7000-8000-0000000000b3"
PERSON = "persons/00000000-0000-7000-8000-0000000000a1"
AGENT = "persons/00000000-0000-7000-8000-0000000000a2"
STRANGER = "persons/00000000-0000-7000-8000-0000000000a3"
FIRM = "organizations/00000000-0000-7000-8000-0000000000f1"
MANDATE = "mandates/00000000-0000-7000-8000-0000000000e1"
SYSTEM = "clients/hall"
LICENSE_TYPE = "licenseTypes/00000000-0000-7000-8000-0000000000c1"
TASK_CODE = "11341500MB1234567X4123456789012"
PERSON_DOCUMENT = common_pb2.IdentityDocument(type_code="111", number=PEOPLE.person().citizen_id)
AGENT_DOCUMENT = common_pb2.IdentityDocument(type_code="111", number=PEOPLE.person().citizen_id)
FIRM_DOCUMENT = common_pb2.IdentityDocument(type_code="001", number=PEOPLE.uscc())
MONDAY = date(2024, 3, 4)
TIANNING = RegionConfig(id="320402", name="常州市天宁区")


JUDGES = {"Accept", "AcceptCaseWithTolerance", "Decline", "Decide", "Redecide"}
"""The steps that name what was read."""


def request_id() -> str:
    return str(uuid.uuid4())


def morning(day: date) -> datetime:
    return datetime.combine(day, time(1, 0), UTC)


def day(message: common_pb2.Date) -> date:
    return date(message.year, message.month, message.day)


def applicant(region: str = "") -> party_pb2.Applicant:
    return party_pb2.Applicant(
        kind=party_pb2.PARTY_KIND_PERSON, subject=region + PERSON, display_name="测试甲", document=PERSON_DOCUMENT
    )


def firm(region: str = "") -> party_pb2.Applicant:
    return party_pb2.Applicant(
        kind=party_pb2.PARTY_KIND_ENTERPRISE, subject=region + FIRM, display_name="示例商行", document=FIRM_DOCUMENT
    )


def agent(region: str = "", mandate: str = MANDATE) -> party_pb2.Agent:
    return party_pb2.Agent(
        subject=region + AGENT,
        display_name="测试乙",
        document=AGENT_DOCUMENT,
        mandate=region + mandate if mandate else "",
    )


def context(purpose: str = "办件督办", **more: str) -> common_pb2.UseContext:
    return common_pb2.UseContext(**{"purpose_code": "SUPERVISION", "purpose": purpose, **more})


@dataclass
class Town:
    """The service under test in one region, with its stubs, tokens and neighbours."""

    service: Service
    known: Neighbours
    clock: FakeClock
    items: item_service_pb2_grpc.ItemServiceStub = field(init=False)
    seen: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        channel = self.service.channel
        self.items = item_service_pb2_grpc.ItemServiceStub(channel)
        self.cases = case_service_pb2_grpc.CaseServiceStub(channel)
        self.tasks = task_service_pb2_grpc.TaskServiceStub(channel)
        self.deliveries = delivery_service_pb2_grpc.DeliveryServiceStub(channel)
        self.ratings = rating_service_pb2_grpc.RatingServiceStub(channel)
        self.statistics = statistics_service_pb2_grpc.StatisticsServiceStub(channel)
        self.calendars = calendar_service_pb2_grpc.CalendarServiceStub(channel)
        self.exchange = exchange_service_pb2_grpc.ExchangeServiceStub(channel)
        token = self.service.issuer.token
        self.clerk = token(CLERK, "STAFF", dept=DEPARTMENT)
        self.reviewer = token(REVIEWER, "STAFF", dept=DEPARTMENT)
        self.decider = token(DECIDER, "STAFF", dept=DEPARTMENT)
        self.stranger_clerk = token("staff/00000000-0000-7000-8000-0000000000b9", "STAFF", dept=OTHER_DEPARTMENT)
        self.person = token(PERSON, "PERSON")
        self.stranger = token(STRANGER, "PERSON")
        self.agent = token(AGENT, "PERSON", org=FIRM, mandate=MANDATE)
        self.representative = token(PERSON, "PERSON", org=FIRM)
        self.system = token(SYSTEM, "CLIENT")
        self.window = token(AGENT, "STAFF", org=FIRM, mandate=MANDATE, act={"sub": CLERK}, dept=DEPARTMENT)

    async def call(self, method: Any, request: Message, answer: type[Answer], token: str) -> Answer:
        return await invoke(method, request, answer, to="cases", token=token)

    async def item(self, publish: bool = True, license_type: str = "", **content: Any) -> item_service_pb2.ServiceItem:
        """Writes and publishes an item; with ``license_type`` it yields such a licence."""
        wanted = item_service_pb2.ItemContent(
            display_name="测试事项",
            basic_code="123456789012",
            task_code=TASK_CODE,
            category="市场准入",
            type=item_service_pb2.ITEM_TYPE_LICENSE,
            exercise_level=item_service_pb2.EXERCISE_LEVEL_COUNTY,
            department=DEPARTMENT,
            handling_kind=item_service_pb2.HANDLING_KIND_PROMISED,
            statutory_limit=working_days(20),
            promised_limit=working_days(5),
            legal_basis="《行政许可法》",
            applicant_kinds=[party_pb2.PARTY_KIND_PERSON, party_pb2.PARTY_KIND_ENTERPRISE],
            channels=[pb.CHANNEL_WINDOW, pb.CHANNEL_WEB, pb.CHANNEL_API],
            delivery_methods=[pb.DELIVERY_METHOD_WINDOW, pb.DELIVERY_METHOD_POST, pb.DELIVERY_METHOD_DOWNLOAD],
        )
        if license_type:
            wanted.results.add(kind=item_service_pb2.ITEM_RESULT_KIND_LICENSE, license_type=license_type)
        wanted.MergeFrom(item_service_pb2.ItemContent(**content))
        drafted = item_service_pb2.ServiceItem(content=wanted)
        request = item_service_pb2.CreateServiceItemRequest(service_item=drafted, request_id=request_id())
        made = await self.call(self.items.CreateServiceItem, request, item_service_pb2.ServiceItem, self.system)
        if not publish:
            return made
        return await self.call(
            self.items.PublishServiceItem,
            item_service_pb2.PublishServiceItemRequest(name=made.name, etag=made.etag, request_id=request_id()),
            item_service_pb2.ServiceItem,
            self.system,
        )

    def draft(self, item: item_service_pb2.ServiceItem, **more: Any) -> case_service_pb2.CreateCaseRequest:
        """A request for a draft; of the case's own fields ``materials`` are given as references."""
        asked: dict[str, Any] = {
            name: more.pop(name) for name in ("case_id", "request_id", "validate_only") if name in more
        }
        materials = [pb.CaseMaterial(reference=each) for each in more.pop("materials", ())]
        given: dict[str, Any] = {"channel": pb.CHANNEL_WEB, "applicant": applicant(), **more}
        case = pb.Case(item=item.name, materials=materials, **given)
        return case_service_pb2.CreateCaseRequest(**{"case": case, "request_id": request_id(), **asked})

    async def create(self, item: item_service_pb2.ServiceItem, token: str = "", **more: Any) -> pb.Case:
        return await self.call(self.cases.CreateCase, self.draft(item, **more), pb.Case, token or self.person)

    async def step(self, verb: str, case: pb.Case | str, token: str = "", **more: Any) -> pb.Case:
        """Calls `<verb>Case`, or `<verb>` where the method's name has no such end."""
        method = getattr(self.cases, f"{verb}Case", None) or getattr(self.cases, verb)
        name = f"{verb}CaseRequest" if hasattr(case_service_pb2, f"{verb}CaseRequest") else f"{verb}Request"
        more.setdefault("request_id", request_id())
        if verb in JUDGES and "etag" not in more:
            # A repeat says again what its first attempt said.
            etag = await self.etag(case if isinstance(case, str) else case.name)
            more["etag"] = self.seen.setdefault(more["request_id"], etag)
        request = getattr(case_service_pb2, name)(name=case if isinstance(case, str) else case.name, **more)
        return await self.call(method, request, pb.Case, token or self._token(verb))

    async def etag(self, name: str) -> str:
        """The etag of a case as it stands now: what somebody has read who judges it."""
        async with self.service.process.database.read() as connection:
            statement = sa.select(cases.c.version).where(cases.c.id == sa.cast(name.removeprefix("cases/"), sa.Uuid))
            return etag_of(await sql.scalar(connection, statement) or 1)

    def _token(self, verb: str) -> str:
        by_verb = {
            "Submit": self.person,
            "SubmitCorrection": self.person,
            "Withdraw": self.person,
            "StartReview": self.reviewer,
            "Suspend": self.reviewer,
            "Resume": self.reviewer,
            "Extend": self.decider,
            "Decide": self.decider,
            "Terminate": self.decider,
        }
        return by_verb.get(verb, self.clerk)

    async def review(self, case: pb.Case) -> pb.Case:
        """Takes a draft of the person's as far as the review."""
        for verb in ("Submit", "Accept", "StartReview"):
            case = await self.step(verb, case)
        return case

    async def closed(self, item: item_service_pb2.ServiceItem, **more: Any) -> pb.Case:
        """A case from draft to close."""
        case = await self.review(await self.create(item, **more))
        await self.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
        return await self.step("Close", case)

    async def get(self, name: str, token: str = "", **more: Any) -> pb.Case:
        request = case_service_pb2.GetCaseRequest(name=name, **more)
        return await self.call(self.cases.GetCase, request, pb.Case, token or self.clerk)

    async def clock_of(self, case: pb.Case) -> pb.Clock:
        request = case_service_pb2.GetClockRequest(name=f"{case.name}/clock")
        return await self.call(self.cases.GetClock, request, pb.Clock, self.clerk)

    async def history(self, case: pb.Case) -> list[str]:
        request = case_service_pb2.ListCaseHistoryRequest(parent=case.name)
        answer = case_service_pb2.ListCaseHistoryResponse
        found = await self.call(self.cases.ListCaseHistory, request, answer, self.clerk)
        return [pb.CaseAction.Name(entry.action).removeprefix("CASE_ACTION_") for entry in found.entries]

    def at(self, on: date) -> None:
        """Moves the business clock to the morning of a day."""
        self.clock.move_to(morning(on))

    def background(self, name: str) -> Callable[[], Awaitable[None]]:
        """The background task of a part of the service, by its class; not of what every process does."""
        owners = ((task, getattr(task, "__self__", None)) for task in self.service.process._tasks)
        own = ((task, owner) for task, owner in owners if getattr(owner, "_name", "") != "cases:uploads")
        return next(task for task, owner in own if type(owner).__name__ == name)

    def part(self, name: str) -> Any:
        """The part of the service that runs a background task."""
        return self.background(name).__self__  # type: ignore[attr-defined]

    async def told(self, event_type: str, data: Message, event_id: str = "") -> None:
        """Hands the service an event of the license service, as its consumer would."""
        handlers = self.part("Consumer")._handlers
        event = Event(
            event_id or request_id(),
            f"//{self.known.code}/license",
            event_type,
            "licenses/1",
            self.clock.now(),
            data.SerializeToString(),
        )
        await handlers[event_type](event)

    async def events(self) -> list[tuple[str, bytes]]:
        """What lies in the outbox, in order."""
        async with self.service.process.database.read() as connection:
            rows = (await sql.execute(connection, outbox.select().order_by(outbox.c.seq))).all()
        return [(row.type, emitted(self.service.process.wire, row)) for row in rows]


async def eventually(read: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    """Reads until ``holds``."""
    async with asyncio.timeout(PATIENCE):
        while True:
            value = await read()
            if holds(value):
                return value
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(ground: Ground, region: RegionConfig = REGION) -> AsyncIterator[Town]:
    """Runs the service of a region between its fakes."""
    clock = FakeClock(morning(MONDAY))
    async with neighbours(region.id) as known:

        def prepare(process: Process) -> None:
            known.put_into(process)

        async with serving(ground, "cases", clock, prepare=prepare, region=region) as service:
            known.service = service
            known.accounts |= {
                PERSON: ("测试甲", PERSON_DOCUMENT.number),
                AGENT: ("测试乙", AGENT_DOCUMENT.number),
                FIRM: ("示例商行", FIRM_DOCUMENT.number),
            }
            yield Town(service, known, clock)


@pytest_asyncio.fixture
async def town(ground: Ground) -> AsyncIterator[Town]:
    """The case service of one region on a fresh database."""
    async with running(ground) as made:
        yield made
