"""Giving posts to staff, and taking them. A post that makes its holder able to make others able takes two human beings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.envelope import FieldCipher
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.security.withdrawals import party_of_post
from services.identity.bootstrap import CLIENT_ID
from services.identity.convert.staff import assignment_message, assignment_of, post_name, staff_message
from services.identity.convert.times import moment
from services.identity.domain.approval import PEOPLE, approved_by, asked_by, holds
from services.identity.domain.duties import Assignment, Duty, check_assignment, makes_able
from services.identity.store import staff as store
from services.identity.store.reading import one
from services.identity.tables import assignments, staff
from services.identity.usecases.acting import active_person
from services.identity.usecases.withdrawals import TokenWithdrawals
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb


class PostHolders:
    """Use cases of StaffService about who holds which post."""

    def __init__(self, uow: UnitOfWork, cipher: FieldCipher, tokens: TokenWithdrawals) -> None:
        self._tokens = tokens
        self._uow = uow
        self._cipher = cipher

    async def assign(self, command: Command, request: pb.AssignStaffRequest) -> resources.Staff:
        """Assigns a post to a member of staff; one that makes them able to make others able waits for a second human being."""

        async def work(tx: Transaction) -> resources.Staff:
            row = await _lock(tx.connection, request.name, request.etag)
            post = await store.post(tx.connection, request.post)
            wanted = _wanted(request, post, tx.now)
            await _check(tx, row, post.department, wanted)
            given = [row.id]
            held, waiting = (
                await store.held(tx.connection, given, tx.now),
                await store.waiting(tx.connection, given, tx.now),
            )
            _check_not_given([*held, *waiting], wanted)
            waits = makes_able(wanted.duties) and not await _founding(tx)
            backers = asked_by(current_call().actor.human) if waits else ()
            await rows.insert(
                tx.connection,
                assignments,
                {
                    "id": uuid7(),
                    "staff": row.id,
                    "post": post.id,
                    "begin_time": wanted.begin,
                    "expire_time": wanted.expire,
                    "state": "WAITING" if waits else "HELD",
                    "backers": list(backers),
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            await self._given(tx, request.name, wanted, waits=waits)
            return await self._changed(tx, row)

        return await self._uow.run(command, work)

    async def approve(self, command: Command, request: pb.ApproveStaffRequest) -> resources.Staff:
        """Stands behind an assignment that waits; the second human being lets it take effect, from now on at the earliest."""
        principal = current_call().actor

        async def work(tx: Transaction) -> resources.Staff:
            row = await _lock(tx.connection, request.name, request.etag)
            found = _of_post(await store.waiting(tx.connection, [row.id], tx.now), request.post)[0]
            asked = assignment_of(found)
            wanted = replace(asked, begin=max(asked.begin, tx.now))
            await _check(tx, row, found.department, wanted)
            backers = approved_by(found.backers, principal.human, actor_kind=principal.kind)
            change = {"state": "HELD", "begin_time": wanted.begin} if holds(backers) else {}
            await rows.update(
                tx.connection,
                assignments,
                found.id,
                {
                    **change,
                    "backers": list(backers),
                    "update_time": tx.now,
                },
            )
            await self._given(tx, request.name, wanted, waits=not holds(backers))
            return await self._changed(tx, row)

        return await self._uow.run(command, work)

    async def unassign(self, command: Command, request: pb.UnassignStaffRequest) -> resources.Staff:
        """Takes a post from a member of staff, or refuses one that waits."""

        async def work(tx: Transaction) -> resources.Staff:
            row = await _lock(tx.connection, request.name, request.etag)
            held, waiting = (
                await store.held(tx.connection, [row.id], tx.now),
                await store.waiting(tx.connection, [row.id], tx.now),
            )
            taken = _of_post([*held, *waiting], request.post)
            administers = any(each.state == "HELD" and Duty.ADMINISTRATION in each.duties for each in taken)
            before = await store.approvers(tx.connection, tx.now) if administers else frozenset()
            for each in taken:
                # One that lies ahead ends before it begins, and so does one that waits: it never held.
                await rows.update(
                    tx.connection,
                    assignments,
                    each.id,
                    {
                        "expire_time": tx.now,
                        "update_time": tx.now,
                    },
                )
            if administers:
                await _check_left(tx, before, request.post)
            await self._tokens.withdraw(tx, party_of_post(request.name, request.post))
            tx.emit(
                request.name,
                events.StaffUnassigned(staff=request.name, post=request.post),
            )
            return await self._changed(tx, row)

        return await self._uow.run(command, work)

    async def _given(self, tx: Transaction, name: str, wanted: Assignment, *, waits: bool) -> None:
        """Tells that a post was given, or waits."""
        if not waits:
            await self._tokens.restore(tx, party_of_post(name, wanted.post))
        tx.emit(
            name,
            events.StaffAssigned(staff=name, assignment=assignment_message(wanted), pending=waits),
        )

    async def _changed(self, tx: Transaction, row: Row) -> resources.Staff:
        """Counts the member's version up and tells what they hold now, and what waits."""
        row = await rows.update(tx.connection, staff, row.id, {"update_time": tx.now})
        held, waiting = (
            await store.held(tx.connection, [row.id], tx.now),
            await store.waiting(tx.connection, [row.id], tx.now),
        )
        return staff_message(row, held, self._cipher, waiting)


async def _given(tx: Transaction, row: Row) -> tuple[Sequence[Row], Sequence[Row]]:
    """Reads what a member of staff holds or will hold, and what waits."""
    return await store.held(tx.connection, [row.id], tx.now), await store.waiting(tx.connection, [row.id], tx.now)


async def _lock(connection: AsyncConnection, name: str, etag: str) -> Row:
    row = await one(connection, staff, name, lock=True)
    check_etag(name, row.version, etag)
    # Of two records of one human being only one changes at a time: their duties are judged together.
    await active_person(connection, f"persons/{row.person}", lock=True)
    return row


async def _check(tx: Transaction, row: Row, department: str, wanted: Assignment) -> None:
    """Checks that whoever calls may give ``wanted`` to a member of staff, who may have it beside what they hold."""
    current_call().actor.require_impartial(f"persons/{row.person}")
    if row.state != "ACTIVE":
        raise reasons.staff_not_active("the member of staff has left", staff=f"staff/{row.id}")
    if department != row.department:
        raise invalid_field("post", "post.department", "is a post of another department")
    held = await store.held(tx.connection, await store.staff_of_person(tx.connection, row.person), tx.now)
    check_assignment(map(assignment_of, held), wanted)


async def _founding(tx: Transaction) -> bool:
    """Says whether the client of the first start gives posts alone: until there were two who could approve (0018)."""
    by_founder = current_call().actor.subject == f"clients/{CLIENT_ID}"
    return by_founder and not await store.stood(tx.connection, tx.now)


async def _check_left(tx: Transaction, before: frozenset[str], post: str) -> None:
    """Raises FailedPrecondition APPROVERS_NEEDED where too few are left of those who can stand behind what makes able."""
    left = await store.approvers(tx.connection, tx.now)
    if left != before and len(left) < PEOPLE and await store.stood(tx.connection, tx.now):
        raise reasons.approvers_needed("two who can approve must be left", post=post)


def _of_post(given: Sequence[Row], post: str) -> list[Row]:
    found = [each for each in given if post_name(each) == post]
    if not found:
        raise not_found(post)
    return found


def _wanted(request: pb.AssignStaffRequest, post: Row, now: datetime) -> Assignment:
    begin = moment(request.begin_time, "begin_time") if request.HasField("begin_time") else now
    expire = moment(request.expire_time, "expire_time") if request.HasField("expire_time") else None
    return Assignment(request.post, frozenset(map(Duty, post.duties)), begin, expire)


def _check_not_given(given: Sequence[Row], wanted: Assignment) -> None:
    for each in given:
        if post_name(each) == wanted.post and assignment_of(each).overlaps(wanted):
            raise reasons.resource_exists("they hold this post in that time", resource=wanted.post)
