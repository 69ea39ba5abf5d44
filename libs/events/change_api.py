"""ChangeService over a service's own log of public events; every service registers it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf import any_pb2

from libs.access.actor import Actor
from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.paging import Pages, page_size
from libs.errors import FailedPrecondition, invalid_field, reasons
from libs.events import changes
from libs.events.changes import ChangeHead, ChangePlace, KeptChange
from libs.events.cloud_event import Event, schema_url, sequence_text
from libs.events.types import EventType
from libs.events.wire import Wire
from libs.rpc.call import Call
from libs.rpc.messages import moment_of, timestamp
from tongban.events.v1 import change_service_pb2 as pb

CURSOR_LIVES = timedelta(days=30)
"""For how long a cursor is good."""

Sees = Callable[[Actor, Sequence[str]], Awaitable[Collection[str]]]
"""Tells which of the things of these names the caller may see, by the rules of their Get."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Who is shown the changes of the things of one collection.

    Attributes:
        permission: that of their Get; empty where that is open to everybody.
        sees: which of them a caller who holds it may see.
    """

    permission: str
    sees: Sees


async def everybody(actor: Actor, names: Sequence[str]) -> Collection[str]:  # noqa: ARG001 - as every rule is called
    """The rule of what is published: whoever holds the permission sees all of it."""
    return names


@dataclass(frozen=True, slots=True)
class ChangeSource:
    """What a service has to tell.

    Attributes:
        service: its name.
        source: ``//<region>/<service>``.
        base_url: the gateway's.
        types: its events.
        followed: who is shown the changes of what, by collection.
    """

    service: str
    source: str
    base_url: str
    types: Mapping[str, EventType]
    followed: Mapping[str, Followed]

    def __post_init__(self) -> None:
        """Raises ValueError where others are told of something, and nothing says who."""
        told = {each.collection for each in self.types.values() if each.public}
        if told != self.followed.keys():
            raise ValueError(f"{self.service}: public events are of {sorted(told)}, rules of {sorted(self.followed)}")


class ChangeApi:
    """Lists what has changed."""

    def __init__(
        self, source: ChangeSource, database: Database, pages: Pages, wire: Wire, audit: AuditWriter, wall: Clock
    ) -> None:
        self._source = source
        self._database = database
        self._pages = pages
        self._wire = wire
        self._audit = audit
        self._wall = wall

    async def list_changes(self, request: pb.ListChangesRequest, call: Call) -> pb.ListChangesResponse:
        """Lists changes behind a cursor, oldest first."""
        self._check(request)
        size = page_size(request.page_size)
        async with self._database.read() as connection:
            looked = await changes.span(connection, await self._begin(connection, request), request.subject)
        heads = await self._visible(request, call.actor, looked.heads)
        shown, full = heads[:size], len(heads) > size
        if shown:
            about = request.subject or f"{self._source.service}/changes"
            await record_read(self._audit, request, about, ("change",), len(shown), call=call)
        else:
            call.own()
        return pb.ListChangesResponse(
            changes=await self._messages(shown),
            next_cursor=self._cursor(shown[-1].place if full else looked.end),
            at_end=looked.at_end and not full,
        )

    def _check(self, request: pb.ListChangesRequest) -> None:
        if request.service != self._source.service:
            raise invalid_field("service", "service", f"these are the changes of {self._source.service}")
        for place, kind in enumerate(request.types):
            if kind not in self._source.types or not self._source.types[kind].public:
                raise invalid_field(f"types[{place}]", "public", f"{self._source.service} tells nobody of this")
        if request.cursor and request.HasField("start_time"):
            raise invalid_field("start_time", "begin", "a cursor says already where to begin")

    async def _begin(self, connection: DatabaseConnection, request: pb.ListChangesRequest) -> ChangePlace:
        if request.HasField("start_time"):
            return await changes.before(connection, moment_of(request.start_time, "start_time"))
        place = self._place(request.cursor)
        if not await changes.stands(connection, place):
            raise _expired()
        return place

    def _place(self, cursor: str) -> ChangePlace:
        """Reads a cursor; raises PAGE_TOKEN_INVALID, or CHANGES_CURSOR_EXPIRED where it is too old."""
        found = self._pages.position(self._bound(), cursor)
        if found is None:
            return changes.START
        position, identifier, given = int(found[0]), str(found[1]), int(found[2])
        if datetime.fromtimestamp(given, UTC) < self._wall.now() - CURSOR_LIVES:
            raise _expired()
        return ChangePlace(position, identifier)

    def _cursor(self, place: ChangePlace) -> str:
        given = int(self._wall.now().timestamp())
        return self._pages.next_token(self._bound(), place.position, place.id, given)

    def _bound(self) -> pb.ListChangesRequest:
        """What a cursor is bound to: the service alone. It names a place, whatever is looked for from there on."""
        return pb.ListChangesRequest(service=self._source.service)

    async def _visible(
        self, request: pb.ListChangesRequest, actor: Actor, heads: Sequence[ChangeHead]
    ) -> list[ChangeHead]:
        wanted = [head for head in heads if not request.types or head.type in request.types]
        by_collection: dict[str, list[str]] = {}
        for subject in dict.fromkeys(head.subject for head in wanted):
            by_collection.setdefault(subject.partition("/")[0], []).append(subject)
        seen: set[str] = set()
        for collection, names in by_collection.items():
            rule = self._source.followed.get(collection)
            if rule is not None and (not rule.permission or actor.may(rule.permission)):
                seen.update(await rule.sees(actor, names))
        return [head for head in wanted if head.subject in seen]

    async def _messages(self, shown: Sequence[ChangeHead]) -> list[pb.Change]:
        if not shown:
            return []
        async with self._database.read() as connection:
            rows = await changes.SHOWN.all(connection, positions=[head.position for head in shown])
        return [self._message(row) for row in rows if row.type in self._source.types]

    def _message(self, row: KeptChange) -> pb.Change:
        source = self._source
        closed = Event(row.id, source.source, row.type, row.subject, row.time, row.data)
        url = f"type.googleapis.com/{source.types[row.type].message}"
        return pb.Change(
            id=row.id,
            source=source.source,
            specversion="1.0",
            type=row.type,
            subject=row.subject,
            time=timestamp(row.time),
            dataschema=schema_url(source.base_url, row.type),
            sequence=sequence_text(row.sequence),
            data=any_pb2.Any(type_url=url, value=self._wire.open(closed).data),
        )


def _expired() -> FailedPrecondition:
    return reasons.changes_cursor_expired("the changes behind this cursor are not kept any more")
