"""Who follows by a cursor misses nothing that they may see, and is told where something is gone."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.access.actor import Actor
from libs.clock import Clock
from libs.db.schema import audit_records, changes
from libs.db.uow import Transaction
from libs.errors import FailedPrecondition, InvalidArgument
from libs.events import changes as changes_module
from libs.events.change_api import ChangeApi, ChangeSource, Followed, everybody
from libs.events.changes import KEPT, ForgettingChanges
from libs.events.relay import Relay
from libs.events.types import declared
from libs.process import Process
from libs.rpc.call import Call
from libs.rpc.contract import Method
from tests.support import sql
from tests.support.events import Done, Handled, Other
from tests.support.process import command, count, process_of, running, until
from tests.support.service import Ground
from tongban.common.v1 import common_pb2
from tongban.events.v1 import change_service_pb2 as pb

_OF = {Done: "cases", Handled: "items", Other: "cases"}
TYPES = {each.type: each for each in (replace(declared(kind), collection=of) for kind, of in _OF.items())}
DONE, HANDLED, OTHER = TYPES
CONTEXT: Any = None


@dataclass
class Hands:
    """A clock whose hands the test moves."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """The machine's time, and what was put to it."""
        return datetime.now(UTC) + self.ahead


@dataclass
class Followers:
    """A service with its log of changes, and who may see which case."""

    process: Process
    hidden: set[str] = field(default_factory=set)
    asked: list[list[str]] = field(default_factory=list)
    wall: Hands = field(default_factory=Hands)

    def __post_init__(self) -> None:
        process = self.process
        followed = {
            "cases": Followed("test.cases.get", self.sees),
            "items": Followed("test.items.get", everybody),
        }
        source = ChangeSource("license", "//341500/license", "https://region.test", TYPES, followed)
        wall: Clock = self.wall
        self.api = ChangeApi(source, process.database, process.pages, process.wire, process.audit, wall)

    async def sees(self, actor: Actor, names: Sequence[str]) -> Collection[str]:
        """Who sees a case, as its Get would tell."""
        self.asked.append(list(names))
        return set(names) - self.hidden

    def relay(self) -> Relay:
        """The relay."""
        process = self.process
        return Relay(process.database, process.wire, "341500", "license", process.uow.committed, "https://region.test")

    async def emit(self, *told: tuple[str, Any]) -> None:
        """Commits events, each by itself, and has the relay take them up."""
        for subject, message in told:

            async def work(tx: Transaction, subject: str = subject, message: Any = message) -> common_pb2.Date:
                tx.emit(subject, message)
                return common_pb2.Date()

            await self.process.uow.run(command(common_pb2.Date()), work)
        await self.take_up()

    async def take_up(self) -> None:
        """Has the relay move everything."""
        async with running(self.relay().run):
            await until(self._drained)

    async def _drained(self) -> bool:
        async with self.process.database.read() as connection:
            return not await sql.scalar(connection, sa.text("SELECT count(*) FROM outbox"))

    async def ask(self, cursor: str = "", scope: str = "*", **asked: Any) -> pb.ListChangesResponse:
        """Asks as a client."""
        request = pb.ListChangesRequest(service="license", cursor=cursor, **asked)
        return await self.api.list_changes(request, caller(scope))

    async def age(self, by: timedelta, until_position: int = 1_000_000) -> None:
        """Makes changes older."""
        async with self.process.database.read() as connection:
            aged = changes.update().where(changes.c.position <= until_position)
            await sql.execute(connection, aged.values(log_time=changes.c.log_time - by))


def caller(scope: str = "*") -> Call:
    """A client's call."""
    service = pb.DESCRIPTOR.services_by_name["ChangeService"]
    call = Call(Method(service.methods_by_name["ListChanges"]), CONTEXT, {})
    call.actor = Actor("clients/partner", "CLIENT", frozenset(scope.split()), 4, client="partner")
    return call


@pytest_asyncio.fixture
async def followers(ground: Ground, quickly: None) -> AsyncIterator[Followers]:
    """An empty one."""
    async with process_of(ground) as process:
        yield Followers(process)


def numbers(answer: pb.ListChangesResponse) -> list[int]:
    """What the changes say."""
    return [common_pb2.Money.FromString(change.data.value).fen for change in answer.changes]


async def test_public_events_are_listed_in_order_with_all_that_a_cloud_event_has(followers: Followers) -> None:
    await followers.emit(("cases/1", Done(fen=1)), ("cases/1", Other(fen=2)), ("items/1", Handled(fen=3)))
    answer = await followers.ask()
    assert [(c.type, c.subject, c.sequence) for c in answer.changes] == [
        (DONE, "cases/1", "000000000000001"),
        (HANDLED, "items/1", "000000000000001"),
    ]
    assert numbers(answer) == [1, 3]
    assert answer.at_end
    first = answer.changes[0]
    assert (first.specversion, first.source) == ("1.0", "//341500/license")
    assert first.dataschema == f"https://region.test/schemas/{DONE}.json"
    assert first.data.type_url == "type.googleapis.com/tests.events.Done"


async def test_a_cursor_goes_on_where_it_stood_and_pages_have_no_seam(followers: Followers) -> None:
    await followers.emit(*((f"cases/{n % 3}", Done(fen=n)) for n in range(7)))
    found: list[int] = []
    ends, cursor = [], ""
    for _ in range(3):
        answer = await followers.ask(cursor, page_size=3)
        found, cursor = found + numbers(answer), answer.next_cursor
        ends.append(answer.at_end)
    assert (found, ends) == (list(range(7)), [False, False, True])
    await followers.emit(("cases/9", Done(fen=7)))
    assert numbers(await followers.ask(cursor)) == [7]
    assert numbers(await followers.ask(cursor)) == [7]


async def test_what_commits_late_comes_behind_the_cursors_that_were_given_out(followers: Followers) -> None:
    """Its number in the outbox was drawn first: whoever read by that would have passed it by."""
    drawn, go = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        async with followers.process.database.transaction() as connection:
            await sql.execute(
                connection,
                sa.text(
                    "INSERT INTO outbox (id, type, subject, public, traceparent, time, data)"
                    " VALUES ('late', :type, 'cases/1', true, '', now(), :data)"
                ),
                {"type": DONE, "data": followers.process.wire.close_up("late", Done(fen=1).SerializeToString())},
            )
            drawn.set()
            await go.wait()

    waiting = asyncio.create_task(late())
    await drawn.wait()
    await followers.emit(("cases/2", Done(fen=2)))
    early = await followers.ask()
    go.set()
    await waiting
    await followers.take_up()
    assert numbers(early) == [2]
    assert numbers(await followers.ask(early.next_cursor)) == [1]


async def test_readers_beside_writers_miss_nothing_and_read_nothing_twice(followers: Followers) -> None:
    found: list[int] = []

    async def follow() -> None:
        cursor = ""
        while len(found) < 60:
            answer = await followers.ask(cursor, page_size=7)
            found.extend(numbers(answer))
            cursor = answer.next_cursor

    async def write(start: int) -> None:
        for number in range(start, start + 15):

            async def work(tx: Transaction, number: int = number) -> common_pb2.Date:
                tx.emit(f"cases/{number % 4}", Done(fen=number))
                return common_pb2.Date()

            await followers.process.uow.run(command(common_pb2.Date()), work)

    async with running(followers.relay().run), asyncio.timeout(30):
        await asyncio.gather(follow(), *(write(start) for start in (0, 100, 200, 300)))
    assert sorted(found) == sorted(start + n for start in (0, 100, 200, 300) for n in range(15))


async def test_only_what_the_get_would_show_is_listed(followers: Followers) -> None:
    followers.hidden = {"cases/2"}
    await followers.emit(("cases/1", Done(fen=1)), ("cases/2", Done(fen=2)), ("items/1", Done(fen=3)), ("x/1", Done()))
    assert numbers(await followers.ask()) == [1, 3]
    assert numbers(await followers.ask(scope="test.items.get")) == [3]
    assert numbers(await followers.ask(scope="test.other.get")) == []
    assert followers.asked == [["cases/1", "cases/2"]]


async def test_types_and_subject_are_chosen(followers: Followers) -> None:
    await followers.emit(("cases/1", Done(fen=1)), ("cases/1", Handled(fen=2)), ("cases/2", Done(fen=3)))
    assert numbers(await followers.ask(types=[DONE])) == [1, 3]
    assert numbers(await followers.ask(subject="cases/1")) == [1, 2]
    assert numbers(await followers.ask(subject="cases/1", types=[HANDLED])) == [2]


async def test_who_follows_one_thing_that_rests_keeps_a_cursor_that_lives(followers: Followers) -> None:
    """The cursor stands at the end of the log, not at the last change of the one thing."""
    await followers.emit(("cases/1", Done(fen=1)), ("cases/2", Done(fen=2)))
    answer = await followers.ask(subject="cases/1")
    await followers.age(KEPT, 1)
    async with followers.process.database.read() as connection:
        await sql.execute(connection, changes.delete().where(changes.c.position == 1))
    assert numbers(await followers.ask(answer.next_cursor)) == []


async def test_a_page_looks_at_so_many_changes_and_goes_on_behind_them(
    followers: Followers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "LOOKED", 3)
    followers.hidden = {"cases/1"}
    await followers.emit(*(("cases/1", Done(fen=n)) for n in range(4)), ("cases/2", Done(fen=9)))
    first = await followers.ask()
    assert (numbers(first), first.at_end) == ([], False)
    second = await followers.ask(first.next_cursor)
    assert (numbers(second), second.at_end) == ([9], True)


async def test_who_begins_now_reads_what_comes_from_now_on(followers: Followers) -> None:
    await followers.emit(("cases/1", Done(fen=1)))
    now = datetime.now(UTC) + timedelta(seconds=1)
    begun = await followers.ask(start_time=now)
    assert (numbers(begun), begun.at_end) == ([], True)
    await followers.emit(("cases/1", Done(fen=2)))
    assert numbers(await followers.ask(begun.next_cursor)) == [2]
    assert numbers(await followers.ask(start_time=now - timedelta(minutes=1))) == [1, 2]


async def test_a_cursor_taken_of_an_empty_log_goes_on_with_the_first(followers: Followers) -> None:
    begun = await followers.ask(start_time=datetime.now(UTC))
    await followers.emit(("cases/1", Done(fen=1)))
    assert numbers(await followers.ask(begun.next_cursor)) == [1]


async def test_a_cursor_lives_for_thirty_days(followers: Followers) -> None:
    await followers.emit(("cases/1", Done(fen=1)))
    cursor = (await followers.ask()).next_cursor
    followers.wall.ahead = timedelta(days=30) - timedelta(minutes=1)
    assert numbers(await followers.ask(cursor)) == []
    followers.wall.ahead = timedelta(days=30, minutes=1)
    with pytest.raises(FailedPrecondition) as refused:
        await followers.ask(cursor)
    assert refused.value.reason == "CHANGES_CURSOR_EXPIRED"


async def test_a_place_that_is_forgotten_or_another_than_it_was_is_told(followers: Followers) -> None:
    """Put back from an older copy, the log gives the same places to other changes."""
    await followers.emit(("cases/1", Done(fen=1)), ("cases/1", Done(fen=2)))
    cursor = (await followers.ask()).next_cursor
    for other in (changes.update().values(id=changes.c.id + "x"), changes.delete()):
        async with followers.process.database.read() as connection:
            await sql.execute(connection, other)
        with pytest.raises(FailedPrecondition) as refused:
            await followers.ask(cursor)
        assert refused.value.reason == "CHANGES_CURSOR_EXPIRED"


@pytest.mark.parametrize(
    ("asked", "field", "reason"),
    [
        ({"service": "cases"}, "service", "FIELD_INVALID"),
        ({"types": ["cn.tongban.test.other.v1"]}, "types[0]", "FIELD_INVALID"),
        ({"types": ["cn.tongban.test.nothing.v1"]}, "types[0]", "FIELD_INVALID"),
        ({"cursor": "forged"}, "", "PAGE_TOKEN_INVALID"),
    ],
)
async def test_what_is_asked_wrongly_is_refused(
    followers: Followers, asked: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await followers.api.list_changes(pb.ListChangesRequest(**{"service": "license", **asked}), caller())
    assert refused.value.reason == reason
    assert [each.field for each in refused.value.violations] == [field] * bool(field)


async def test_a_cursor_says_already_where_to_begin(followers: Followers) -> None:
    cursor = (await followers.ask()).next_cursor
    with pytest.raises(InvalidArgument, match="a cursor says already"):
        await followers.ask(cursor, start_time=datetime.now(UTC))


async def test_what_was_shown_is_on_record_and_what_was_not_is_none(followers: Followers) -> None:
    before = await count(followers.process, audit_records)
    call = caller()
    await followers.api.list_changes(pb.ListChangesRequest(service="license"), call)
    assert await count(followers.process, audit_records) == before
    assert call.accounted
    await followers.emit(("cases/1", Done(fen=1)))
    before, call = await count(followers.process, audit_records), caller()
    await followers.api.list_changes(pb.ListChangesRequest(service="license"), call)
    assert await count(followers.process, audit_records) == before + 1
    assert call.receipt is not None


async def test_changes_are_forgotten_after_five_weeks_but_for_the_newest_of_them(followers: Followers) -> None:
    await followers.emit(*(("cases/1", Done(fen=n)) for n in range(5)))
    await followers.age(KEPT + timedelta(minutes=10), 3)
    forgetting = ForgettingChanges(followers.process.database)
    assert [await forgetting.forget() for _ in range(2)] == [2, 0]
    assert numbers(await followers.ask()) == [2, 3, 4]


def test_a_service_that_tells_others_of_something_says_whom() -> None:
    rule = Followed("", everybody)
    with pytest.raises(ValueError, match=r"public events are of \['cases', 'items'\], rules of \['cases'\]"):
        ChangeSource("license", "//341500/license", "", TYPES, {"cases": rule})
    with pytest.raises(ValueError, match="rules of"):
        ChangeSource("license", "//341500/license", "", TYPES, {"cases": rule, "items": rule, "more": rule})


async def test_a_clock_that_is_years_ahead_forgets_two_hours_at_a_time(followers: Followers) -> None:
    await followers.emit(*(("cases/1", Done(fen=n)) for n in range(6)))
    for number in range(6):
        await followers.age(timedelta(hours=1), number + 1)
    await followers.age(timedelta(days=800))
    forgetting = ForgettingChanges(followers.process.database)
    assert [await forgetting.forget() for _ in range(4)] == [1, 1, 1, 1]
