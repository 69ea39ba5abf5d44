"""Items and calendars: what cases are opened under, and what their limits are counted in."""

from collections.abc import Sequence
from datetime import datetime

from libs.access.actor import Actor
from libs.civil import notices
from libs.civil.calendar import DayKind, DayRow
from libs.db import paging, rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag, etag_of
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.convert import DAY_KIND, HANDLING, ITEM_STATE, date_message, day_of, id_of
from services.cases.domain.calendar import check_import, count_working_days
from services.cases.domain.clock import Limits
from services.cases.domain.items import (
    HandlingKind,
    ItemState,
    ItemVersion,
    check_limits,
    code_warnings,
    next_version,
    publish,
)
from services.cases.domain.materials import MaterialRule, check_rules
from services.cases.store.calendars import CalendarStore
from services.cases.store.items import ItemStore
from services.cases.tables import items
from services.cases.usecases.access import is_staff, not_owner, require_official
from services.cases.usecases.applications import check_form_fields
from services.cases.usecases.publishing import Publishing
from tongban.cases.v1 import calendar_service_pb2, item_service_pb2
from tongban.cases.v1 import events_pb2 as events

_MOST = 500
_NO_VERSION = 2**31 - 1


def item_message(row: Row) -> item_service_pb2.Item:
    """Builds the message of an item version."""
    content = item_service_pb2.ItemContent.FromString(row.content)
    return item_service_pb2.Item(
        name=f"items/{row.id}",
        version=row.number,
        state=ITEM_STATE.number(row.state),
        content=content,
        code_warnings=code_warnings(content.basic_code, content.task_code),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        publish_time=timestamp(row.publish_time),
        supersede_time=timestamp(row.supersede_time),
        etag=etag_of(row.version),
    )


class Items:
    """Use cases of ItemService."""

    def __init__(self, uow: UnitOfWork, store: ItemStore, publishing: Publishing) -> None:
        self._uow = uow
        self._store = store
        self._publishing = publishing

    async def create(self, command: Command, content: item_service_pb2.ItemContent) -> item_service_pb2.Item:
        """Writes a draft."""
        _require_department(current_call().actor, content.department, "content.department")
        limits = Limits(content.statutory_limit_days, content.promised_limit_days)
        check_limits(limits, HandlingKind(HANDLING.name(content.handling_kind)))
        check_rules([MaterialRule(rule.code, rule.required, rule.tolerable) for rule in content.materials])
        check_form_fields(content)
        identifier = uuid7()

        async def work(tx: Transaction) -> item_service_pb2.Item:
            known = await self._store.lock_code(tx.connection, content.task_code)
            number = next_version(content.task_code, [ItemVersion(row.number, ItemState(row.state)) for row in known])
            row = await rows.insert(
                tx.connection,
                items,
                {
                    "id": identifier,
                    "number": number,
                    "state": "DRAFT",
                    "task_code": content.task_code,
                    "category": content.category,
                    "department": content.department,
                    "cross_region": content.HasField("cross_region"),
                    "open_regions": list(content.cross_region.regions),
                    "content": content.SerializeToString(),
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            return item_message(row)

        return await self._uow.run(command, work)

    async def publish(self, command: Command, request: item_service_pb2.PublishItemRequest) -> item_service_pb2.Item:
        """Publishes a draft; the version published before is superseded in the same moment."""
        actor = current_call().actor
        draft = await self._store.row(id_of(request.name))
        _require_department(actor, draft.department, request.name)
        if draft.state == ItemState.DRAFT:  # what a draft says never changes; another state is refused below
            await self._publishing.check(item_service_pb2.ItemContent.FromString(draft.content))

        async def work(tx: Transaction) -> item_service_pb2.Item:
            row = await self._store.lock(tx.connection, id_of(request.name))
            _require_department(actor, row.department, request.name)
            check_etag(request.name, row.version, request.etag)
            publish(request.name, ItemState(row.state))
            known = await self._store.lock_code(tx.connection, row.task_code)
            before = next((each for each in known if each.state == "PUBLISHED"), None)
            if before is not None:
                await self._store.supersede(tx.connection, before.id, tx.now)
            message = item_message(await self._store.publish(tx.connection, row.id, tx.now))
            superseded = f"items/{before.id}" if before is not None else ""
            tx.emit(
                request.name,
                events.ItemPublished(item=message, superseded_item=superseded),
            )
            return message

        answer = await self._uow.run(command, work)
        self._store.forget()
        return answer

    async def get(self, name: str) -> item_service_pb2.Item:
        """Reads a version that was published once."""
        row = await self._store.row(id_of(name))
        if row.state == "DRAFT":
            raise not_found(name)
        return item_message(row)

    async def list(self, request: item_service_pb2.ListItemsRequest) -> item_service_pb2.ListItemsResponse:
        """Lists versions."""
        size = paging.page_size(request.page_size, _MOST)
        last = paging.position(request, request.page_token)
        after = (str(last[0]), int(last[1])) if last else ("", _NO_VERSION)
        given = {
            "task_code": request.task_code,
            "state": ITEM_STATE.name(request.state) or "PUBLISHED",
            "department": request.department,
            "category": request.category,
            "region": request.open_to_region,
        }
        filters = {name: value for name, value in given.items() if value}
        found = await self._store.page(filters, after, size + 1)
        more = len(found) > size
        token = paging.next_token(request, found[size - 1].task_code, found[size - 1].number) if more else ""
        return item_service_pb2.ListItemsResponse(items=map(item_message, found[:size]), next_page_token=token)


def _require_department(actor: Actor, department: str, name: str) -> None:
    require_official(actor)
    if is_staff(actor) and actor.office != department:
        raise not_owner(name)


class Calendars:
    """Use cases of CalendarService."""

    def __init__(self, uow: UnitOfWork, store: CalendarStore) -> None:
        self._uow = uow
        self._store = store

    async def set_up(self, command: Command) -> None:
        """Gives a new region the years that are known; a region that has them keeps its own."""

        async def work(tx: Transaction) -> calendar_service_pb2.Calendar:
            for year in notices.YEARS:
                days = notices.calendar_rows(year)
                await self._store.insert(tx.connection, year, 1, notices.SOURCE, days, tx.now)
            return calendar_service_pb2.Calendar(name="calendars")

        await self._uow.run(command, work)

    async def import_year(
        self, command: Command, request: calendar_service_pb2.ImportCalendarRequest
    ) -> calendar_service_pb2.Calendar:
        """Imports a year's next revision, or nothing of it."""
        rows = [
            DayRow(day_of(each.date, f"days[{place}].date"), DayKind(DAY_KIND.name(each.kind)), each.note)
            for place, each in enumerate(request.days)
        ]

        async def work(tx: Transaction) -> calendar_service_pb2.Calendar:
            known = await self._store.lock_years(tx.connection)
            days = check_import(request.year, rows, request.source, frozenset(known))
            revision = known.get(request.year, 0) + 1
            await self._store.insert(tx.connection, request.year, revision, request.source, days, tx.now)
            name = f"calendars/{request.year}"
            tx.emit(name, events.CalendarImported(name=name, revision=revision))
            return _calendar_message(name, revision, request.source, days, tx.now)

        answer = await self._uow.run(command, work)
        self._store.forget()
        return answer

    async def get(self, name: str) -> calendar_service_pb2.Calendar:
        """Reads the newest revision of a year."""
        row, found = await self._store.year(int(id_of(name)))
        days = [DayRow(each.day, DayKind(each.kind), each.note) for each in found]
        return _calendar_message(name, row.revision, row.source, days, row.create_time)

    async def read(
        self, request: calendar_service_pb2.ReadCalendarsRequest
    ) -> calendar_service_pb2.ReadCalendarsResponse:
        """Reads the newest revisions of all years, unless the caller has this edition already."""
        edition, years = await self._store.edition()
        answer = calendar_service_pb2.ReadCalendarsResponse(edition=edition)
        if edition != request.edition:
            answer.calendars.extend([await self.get(f"calendars/{year}") for year in years])
        return answer

    async def count(
        self, request: calendar_service_pb2.CountWorkingDaysRequest
    ) -> calendar_service_pb2.CountWorkingDaysResponse:
        """Counts the working days between two days."""
        start, end = day_of(request.start_date, "start_date"), day_of(request.end_date, "end_date")
        days = count_working_days(await self._store.current(), start, end)
        return calendar_service_pb2.CountWorkingDaysResponse(working_days=days)


def _calendar_message(
    name: str, revision: int, source: str, days: Sequence[DayRow], create_time: datetime
) -> calendar_service_pb2.Calendar:
    return calendar_service_pb2.Calendar(
        name=name,
        revision=revision,
        source=source,
        days=[_day_message(each) for each in days],
        working_days=sum(each.kind.is_working for each in days),
        create_time=timestamp(create_time),
    )


def _day_message(row: DayRow) -> calendar_service_pb2.CalendarDay:
    return calendar_service_pb2.CalendarDay(
        date=date_message(row.day), kind=DAY_KIND.number(str(row.kind)), note=row.note
    )
