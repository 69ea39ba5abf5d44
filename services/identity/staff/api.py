"""StaffService about staff, and the posts that they hold."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from libs.access.actor import Actor, Standing
from libs.audit.reading import record_read
from libs.crypto.envelope import FieldCipher
from libs.db.command import command_of
from libs.db.uow import Transaction
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from services.identity.core import assurance
from services.identity.core.accounts import Person, active_person
from services.identity.core.parts import Parts
from services.identity.core.staff import GivenPost, StaffMember, department_in_use, given_to, member
from services.identity.core.staff_messages import STAFF_NAME, staff_message
from services.identity.staff import store
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb


class StaffApi:
    """Enters and lists staff."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_staff(self, request: pb.CreateStaffRequest, call: Call) -> resources.Staff:
        """Enters a member of staff, who is a human being whose real name somebody has seen to."""
        asked, cipher = request.staff, self._parts.cipher
        call.actor.require_impartial(asked.person)

        async def work(tx: Transaction) -> resources.Staff:
            entered = await department_in_use(tx.connection, asked.department)
            person = await active_person(tx.connection, asked.person)
            assurance.require(person.assurance, assurance.STAFF)
            made = await store.ADD.add(tx.connection, _entered(asked.staff_number, entered.id, person, cipher, tx.now))
            tx.emit(made.name, events.StaffCreated(staff=made.name, department=asked.department))
            return staff_message(made, (), cipher)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_staff(self, request: pb.GetStaffRequest, call: Call) -> resources.Staff:
        """Gets a member of staff; who has no right to list others reads themselves only, but for services."""
        parts, name = self._parts, request.name
        own = call.actor.clerk == name
        if not own and not _may_read_all(call.actor):
            raise not_found(name)
        async with parts.database.read() as connection:
            row = await member(connection, name)
            given = await given_to(connection, [row.id], parts.clock.now())
        await record_read(parts.audit, request, name, ("staff",), own=own, call=call)
        return staff_message(row, given, parts.cipher)

    async def list_staff(self, request: pb.ListStaffRequest, call: Call) -> pb.ListStaffResponse:
        """Lists staff by staff number."""
        parts, now = self._parts, self._parts.clock.now()
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, now=now)
            given = _by_staff(await given_to(connection, [row.id for row in shown], now))
        about = store.LISTED.held(request, "department") or store.LISTED.held(request, "assignments.post") or "staff"
        await record_read(parts.audit, request, about, ("staff",), len(shown), call=call)
        messages = [staff_message(row, given[row.id], parts.cipher) for row in shown]
        return pb.ListStaffResponse(staff=messages, next_page_token=token)


def _may_read_all(actor: Actor) -> bool:
    return actor.standing is Standing.SERVICE or actor.may("identity.staff.list")


def _entered(number: str, department_id: str, person: Person, cipher: FieldCipher, now: datetime) -> StaffMember:
    key = uuid7()
    full_name = cipher.encrypt_text(STAFF_NAME, key, person.clear_name(cipher))
    return StaffMember(key, full_name, number, department_id, person.id, now, now)


def _by_staff(given: Sequence[GivenPost]) -> dict[str, list[GivenPost]]:
    grouped: dict[str, list[GivenPost]] = defaultdict(list)
    for each in given:
        grouped[each.staff].append(each)
    return grouped
