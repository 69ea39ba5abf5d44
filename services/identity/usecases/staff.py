"""Staff, and the posts that they hold."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from libs.access.actor import Standing
from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from services.identity.convert.accounts import FULL_NAME
from services.identity.convert.staff import (
    STAFF_NAME,
    assignment_of,
    staff_message,
)
from services.identity.domain import assurance
from services.identity.domain.duties import Duty
from services.identity.store import staff as store
from services.identity.store.reading import NO_ID, Page, id_of, one
from services.identity.tables import departments, staff
from services.identity.usecases.acting import active_person
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb


class StaffMembers:
    """Use cases of StaffService about staff."""

    def __init__(
        self, uow: UnitOfWork, database: Database, audit: AuditWriter, clock: Clock, cipher: FieldCipher
    ) -> None:
        self._audit = audit
        self._uow = uow
        self._database = database
        self._clock = clock
        self._cipher = cipher

    async def create(self, command: Command, member: resources.Staff) -> resources.Staff:
        """Enters a member of staff, who is a human being whose real name somebody has seen to."""
        identifier = uuid7()
        current_call().actor.require_impartial(member.person)

        async def work(tx: Transaction) -> resources.Staff:
            department = await one(tx.connection, departments, member.department)
            person = await active_person(tx.connection, member.person)
            assurance.require(person.assurance, assurance.STAFF)
            full_name = self._cipher.decrypt_text(FULL_NAME, person.id, person.full_name)
            row = await rows.insert(
                tx.connection,
                staff,
                {
                    "id": identifier,
                    "full_name": self._cipher.encrypt_text(STAFF_NAME, identifier, full_name),
                    "staff_number": member.staff_number,
                    "department": department.id,
                    "person": person.id,
                    "state": "ACTIVE",
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            name = f"staff/{identifier}"
            tx.emit(name, events.StaffCreated(staff=name, department=member.department))
            return staff_message(row, (), self._cipher)

        return await self._uow.run(command, work)

    async def get(self, request: pb.GetStaffRequest) -> resources.Staff:
        """Reads a member of staff; who has no right to list others reads themselves only, but for services."""
        principal, name = current_call().actor, request.name
        anybody = principal.standing is Standing.SERVICE or principal.may("identity.staff.list")
        if not anybody and principal.clerk != name:
            raise not_found(name)
        async with self._database.read() as connection:
            row = await one(connection, staff, name)
            now = self._clock.now()
            held, waiting = await store.held(connection, [row.id], now), await store.waiting(connection, [row.id], now)
        await record_read(self._audit, request, name, ("staff",), own=principal.clerk == name)
        return staff_message(row, held, self._cipher, waiting)

    async def list(self, request: pb.ListStaffRequest) -> pb.ListStaffResponse:
        """Lists staff by staff number."""
        page, now = Page(request, "", NO_ID), self._clock.now()
        async with self._database.read() as connection:
            found = await store.list_staff(
                connection,
                department=id_of(request.department) if request.department else None,
                post=id_of(request.post) if request.post else None,
                now=now,
                after=page.after,
                limit=page.limit,
                state=resources.StaffState.Name(request.state).removeprefix("STAFF_STATE_") if request.state else "",
            )
            shown = page.cut(found, lambda row: (row.staff_number, row.id))
            names = [row.id for row in shown]
            held = _by_staff(await store.held(connection, names, now))
            waiting = _by_staff(await store.waiting(connection, names, now))
        about = request.department or request.post or "staff"
        await record_read(self._audit, request, about, ("staff",), len(shown))
        messages = [staff_message(row, held[row.id], self._cipher, waiting[row.id]) for row in shown]
        return pb.ListStaffResponse(staff=messages, next_page_token=page.next_page_token)


def _by_staff(held: Sequence[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for each in held:
        grouped[each.staff].append(each)
    return grouped


def facts_of(held: Sequence[Row], now: datetime) -> tuple[tuple[str, ...], frozenset[Duty]]:
    """Returns the posts held at ``now``, and the duties that come with them."""
    current = [assignment_of(each) for each in held if assignment_of(each).holds_at(now)]
    return tuple(each.post for each in current), frozenset(duty for each in current for duty in each.duties)
