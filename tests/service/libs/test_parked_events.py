"""What can't be handled is set aside before it is acknowledged, and an operator has a way back for it."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.access.actor import Actor
from libs.db.command import command_of_event
from libs.db.schema import audit_records, parked_events
from libs.db.uow import Transaction
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, TongbanError, Unavailable
from libs.events import consumer as consumer_module
from libs.events import parking as parking_module
from libs.events.api import ParkedEventApi
from libs.events.cloud_event import Event, from_fields, stream_of
from libs.events.consumer import Consumer
from libs.events.parking import Parking
from libs.events.types import event_type
from libs.observability import metrics
from libs.process import Process
from libs.rpc.call import Call
from libs.rpc.contract import Method
from tests.support import sql
from tests.support.events import Done
from tests.support.process import count, process_of, running, until
from tests.support.service import Ground
from tongban.common.v1 import common_pb2
from tongban.events.v1 import parked_event_service_pb2 as pb

TYPE = event_type(Done)
NOT_NOW = FailedPrecondition("STATE_CONFLICT", "not now", resource="cases/1", state="DRAFT", allowed="DECIDED")
CONTEXT: Any = None


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(consumer_module, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(consumer_module, "_BLOCK_MS", 50)
    monkeypatch.setattr("libs.db.leader._TRY_AGAIN_SECONDS", 0.05)


@dataclass
class Post:
    """A service that consumes one stream, what its handler refuses with, and the operator's door."""

    process: Process
    region: str = field(default_factory=lambda: uuid.uuid4().hex)
    failures: dict[str, TongbanError] = field(default_factory=dict)
    handled: list[tuple[str, int]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        process = self.process
        self.stream = stream_of(self.region, "cases")
        self.consumer = Consumer("license", process.wire, process.database, [self.stream], {TYPE: self.handle})
        self.api = ParkedEventApi(
            "license", process.parking, process.pages, process.uow, process.audit, [self.consumer]
        )

    async def handle(self, event: Event) -> None:
        """Handles an event once, unless its subject is refused."""
        self.tried.append(event.id)
        if event.subject in self.failures:
            raise self.failures[event.subject]
        money = common_pb2.Money.FromString(event.data)

        async def work(tx: Transaction) -> common_pb2.Money:
            self.handled.append((event.subject, money.fen))
            return money

        await self.process.uow.run(
            command_of_event("test", event.id, money, common_pb2.Money, data=event.data, actor="services/test"), work
        )

    async def send(self, subject: str, fen: int = 1, changes: Mapping[Any, Any] = MappingProxyType({})) -> str:
        """Puts an event on the stream, closed up; ``changes`` are put over its fields."""
        identifier = str(uuid.uuid4())
        data = self.process.wire.close_up(identifier, common_pb2.Money(fen=fen).SerializeToString())
        event = Event(identifier, f"//{self.region}/cases", TYPE, subject, datetime.now(UTC), data)
        fields: dict[Any, Any] = {**event.to_fields(), **changes}
        await self.process.redis.xadd(self.stream, {key: value for key, value in fields.items() if value is not None})
        return identifier

    async def is_read(self) -> bool:
        """Whether everything on the stream was handed to the group and acknowledged."""
        groups: Any = await self.process.redis.xinfo_groups(self.stream)
        about: Any = await self.process.redis.xinfo_stream(self.stream)
        last = about["last-generated-id"]
        return bool(groups) and groups[0]["pending"] == 0 and groups[0]["last-delivered-id"] == last

    async def read_all(self) -> None:
        """Runs the consumer until all is acknowledged."""
        async with running(self.consumer.run):
            await until(self.is_read)

    async def parked(self) -> list[sql.Row]:
        """The rows of parked events."""
        async with self.process.database.read() as connection:
            return list((await sql.execute(connection, sa.select(parked_events).order_by("park_time"))).all())

    async def records(self, text: str) -> list[bytes]:
        """The audit records that hold ``text``."""
        async with self.process.database.read() as connection:
            found = await sql.scalars(connection, sa.select(audit_records.c.canonical))
        return [canonical for canonical in found if text.encode() in canonical]


@pytest_asyncio.fixture
async def post(ground: Ground) -> AsyncIterator[Post]:
    """An empty one."""
    async with process_of(ground) as process:
        yield Post(process)


def operator(rpc: str) -> Call:
    """An operator's call of an RPC."""
    service = pb.DESCRIPTOR.services_by_name["ParkedEventService"]
    call = Call(Method(service.methods_by_name[rpc]), CONTEXT, {})
    call.actor = Actor("staff/operator", "STAFF", frozenset({"events.*"}), 4)
    return call


async def replay(post: Post, identifier: str, request_id: str = "") -> pb.ReplayParkedEventResponse:
    """Replays as an operator."""
    request = pb.ReplayParkedEventRequest(
        name=f"license/parkedEvents/{identifier}", request_id=request_id or str(uuid.uuid4())
    )
    return await post.api.replay_parked_event(request, operator("ReplayParkedEvent"))


async def drop(post: Post, identifier: str, request_id: str = "") -> pb.ParkedEvent:
    """Drops as an operator."""
    request = pb.DropParkedEventRequest(
        name=f"license/parkedEvents/{identifier}", request_id=request_id or str(uuid.uuid4()), reason="已人工补办"
    )
    return await post.api.drop_parked_event(request, operator("DropParkedEvent"))


async def listed(post: Post, **given: Any) -> pb.ListParkedEventsResponse:
    """Lists as an operator."""
    return await post.api.list_parked_events(
        pb.ListParkedEventsRequest(service="license", **given), operator("ListParkedEvents")
    )


_BROKEN: list[dict[Any, Any]] = [
    {"time": "yesterday"},
    {"time": "2026-01-01T00:00:00"},
    {"id": None},
    {"id": "a\0b"},
    {"id": "x" * 200},
    {"type": "Nonsense type"},
    {"subject": "cases/\0"},
    {"subject": b"\xff\xfe"},
    {"source": "//a\nb"},
    {"data": None},
    {"traceparent": "\0"},
    {b"\xff": "1"},
]


@pytest.mark.parametrize("changes", _BROKEN, ids=repr)
async def test_what_nobody_can_read_is_parked_and_stops_nothing(post: Post, changes: dict[Any, Any]) -> None:
    await post.send("cases/1", 1, changes)
    await post.send("cases/2", 2)
    await post.read_all()
    assert post.handled == [("cases/2", 2)]
    (row,) = await post.parked()
    assert (row.consumer, row.type, row.subject, row.reason) == ("license", "", "", "EVENT_UNREADABLE")
    answer = await replay(post, row.id)
    assert (answer.handled, answer.parked_event.reason, answer.parked_event.attempts) == (False, "EVENT_UNREADABLE", 1)


async def test_what_nobody_can_decrypt_or_parse_is_parked(post: Post) -> None:
    await post.send("cases/1", 1, {"data": b"in clear"})
    identifier = str(uuid.uuid4())
    await post.send("cases/2", 1, {"id": identifier, "data": post.process.wire.close_up(identifier, b"\xff\xff")})
    await post.read_all()
    assert {(row.subject, row.reason) for row in await post.parked()} == {
        ("cases/1", "EVENT_UNREADABLE"),
        ("cases/2", "EVENT_UNREADABLE"),
    }


async def test_nothing_is_acknowledged_before_it_is_parked(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    parking, calls = Parking.park, 0

    async def away_at_first(self: Parking, *arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="database")
        await parking(self, *arguments)

    monkeypatch.setattr(Parking, "park", away_at_first)
    await post.send("cases/1", 1, {"time": "yesterday"})
    await post.read_all()
    assert (calls, len(await post.parked())) == (3, 1)


async def test_an_event_that_can_be_read_later_is_handled_by_its_replay(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer program may read what this one can't: the entry is kept whole, and closed up."""

    def lenient(fields: Mapping[bytes, bytes]) -> Event:
        return from_fields({**fields, b"time": fields[b"time"] + b"+00:00"})

    await post.send("cases/1", 7, {"time": "2026-01-01T00:00:00"})
    await post.read_all()
    (row,) = await post.parked()
    assert b"cases" not in row.data and b"cases".hex().encode() not in row.data
    event = Event(row.id, row.source, row.type, row.subject, row.time, row.data)
    assert b"cases/1".hex().encode() in post.process.wire.open(event).data
    monkeypatch.setattr(parking_module, "from_fields", lenient)
    assert (await replay(post, row.id)).handled
    assert post.handled == [("cases/1", 7)]


async def test_what_keeps_failing_is_parked_shown_and_replayed(post: Post) -> None:
    post.failures["cases/1"] = NOT_NOW
    identifier = await post.send("cases/1", 1)
    await post.send("cases/1", 2)
    await post.send("cases/2", 3)
    await post.read_all()
    assert post.handled == [("cases/2", 3)]
    assert post.tried.count(identifier) == 5
    shown = (await listed(post)).parked_events[0]
    assert (shown.name, shown.type, shown.subject) == (f"license/parkedEvents/{identifier}", TYPE, "cases/1")
    assert (shown.reason, shown.attempts, shown.source) == ("STATE_CONFLICT", 5, f"//{post.region}/cases")

    refused = await replay(post, identifier)
    assert (refused.handled, refused.parked_event.attempts) == (False, 6)
    assert len(await post.parked()) == 2

    post.failures.clear()
    once = str(uuid.uuid4())
    done = await replay(post, identifier, once)
    assert done.handled
    assert await replay(post, identifier, once) == done
    assert post.handled == [("cases/2", 3), ("cases/1", 1)]
    assert identifier not in {row.id for row in await post.parked()}
    assert len(await post.records("ParkedEventService.ReplayParkedEvent")) == 3
    assert len(await post.records('"result":"STATE_CONFLICT"')) == 1
    with pytest.raises(NotFound):
        await replay(post, identifier)


async def test_a_dropped_event_is_gone_and_the_drop_is_recorded_with_its_reason(post: Post) -> None:
    post.failures["cases/1"] = NOT_NOW
    identifier = await post.send("cases/1")
    await post.read_all()
    once = str(uuid.uuid4())
    dropped = await drop(post, identifier, once)
    assert await drop(post, identifier, once) == dropped
    assert not await post.parked() and not (await listed(post)).parked_events
    (record,) = await post.records("DropParkedEvent")
    assert "已人工补办".encode() in record and identifier.encode() in record and b"staff/operator" in record
    with pytest.raises(NotFound):
        await drop(post, identifier)


async def test_parked_events_have_pages_by_type(post: Post) -> None:
    post.failures = {f"cases/{n}": NOT_NOW for n in range(5)}
    for n in range(5):
        await post.send(f"cases/{n}")
    await post.send("cases/9", 1, {"time": "yesterday"})
    await post.read_all()
    found: list[str] = []
    token = ""
    while True:
        page = await listed(post, page_size=2, page_token=token, filter=f"type = {TYPE}")
        found += [each.subject for each in page.parked_events]
        token = page.next_page_token
        if not token:
            break
    assert sorted(found) == [f"cases/{n}" for n in range(5)]
    assert len((await listed(post)).parked_events) == 6


async def test_only_the_own_events_are_shown(post: Post) -> None:
    operator("GetParkedEvent")
    with pytest.raises(InvalidArgument):
        await post.api.get_parked_event(
            pb.GetParkedEventRequest(name="seal/parkedEvents/1"), operator("GetParkedEvent")
        )
    with pytest.raises(NotFound):
        await post.api.get_parked_event(
            pb.GetParkedEventRequest(name="license/parkedEvents/1"), operator("GetParkedEvent")
        )


async def test_an_unknown_exception_parks_too(post: Post) -> None:
    async def fail(_event: Event) -> None:
        raise RuntimeError("unexpected")

    post.consumer = Consumer("license", post.process.wire, post.process.database, [post.stream], {TYPE: fail})
    await post.send("cases/1")
    await post.read_all()
    assert [row.reason for row in await post.parked()] == ["INTERNAL"]


async def test_the_metric_follows(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.events.parking._COUNT_SECONDS", 0.01)
    post.failures["cases/1"] = NOT_NOW
    identifier = await post.send("cases/1")
    await post.read_all()

    def shows(wanted: int) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            return bool(metrics.PARKED._value.get() == wanted)

        return check

    async with running(post.process.parking.watch):
        await until(shows(1))
        await drop(post, identifier)
        await until(shows(0))
    assert await count(post.process, parked_events) == 0
