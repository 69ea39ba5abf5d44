"""StaffService about who holds which post. One that makes its holder able to make others able takes two human beings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from libs.access.actor import Actor
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.rpc.messages import moment_of
from libs.security.withdrawals import party_of_post
from services.identity.assignments import store
from services.identity.assignments.store import PostAssignment
from services.identity.core.accounts import active_person, person
from services.identity.core.approval import PEOPLE, approved_by, asked_by, holds
from services.identity.core.client_rules import FIRST_CLIENT
from services.identity.core.duties import APPROVING, Assignment, Duty, check_assignment, makes_able
from services.identity.core.granting import officers, require_may_give
from services.identity.core.parts import Parts
from services.identity.core.staff import (
    HELD,
    IN_OFFICE,
    WAITING,
    GivenPost,
    Post,
    StaffMember,
    given_to,
    held,
    post,
    waiting,
)
from services.identity.core.staff_messages import assignment_message, staff_message
from services.identity.core.substitutions import stood_in_for
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb


class AssignmentApi:
    """Gives posts to staff, and takes them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def assign_staff(self, request: pb.AssignStaffRequest, call: Call) -> resources.Staff:
        """Assigns a post to a member of staff; one that makes them able to make others able waits for a second human being."""

        async def work(tx: Transaction) -> resources.Staff:
            row = await _lock(tx.connection, request.name, request.etag)
            wanted_post = await post(tx.connection, request.post)
            wanted = _wanted(request, wanted_post, tx.now)
            await _check(tx, call.actor, row, wanted_post.department, wanted)
            _check_not_given(await given_to(tx.connection, [row.id], tx.now), wanted)
            founding = await _founding(tx, call.actor)
            if not founding:
                await require_may_give(tx.connection, call.actor, wanted.post, tx.now)
            waits = makes_able(wanted.duties) and not founding
            backers = asked_by(call.actor.human) if waits else ()
            await store.ADD.add(tx.connection, _given(row, wanted_post, wanted, backers, waits=waits, now=tx.now))
            await self._tell_given(tx, request.name, wanted, waits=waits)
            return await self._changed(tx, row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def approve_staff(self, request: pb.ApproveStaffRequest, call: Call) -> resources.Staff:
        """Stands behind an assignment that waits; the second human being lets it take effect, from now on at the earliest."""

        async def work(tx: Transaction) -> resources.Staff:
            row = await _lock(tx.connection, request.name, request.etag)
            found = _of_post(waiting(await given_to(tx.connection, [row.id], tx.now)), request.post)[0]
            asked = found.assignment()
            wanted = replace(asked, begin=max(asked.begin, tx.now))
            await _check(tx, call.actor, row, found.department, wanted)
            backers = approved_by(found.backers, call.actor.human, actor_kind=call.actor.kind)
            state, begin = (HELD, wanted.begin) if holds(backers) else (found.state, found.begin_time)
            await store.UPDATE.one(
                tx.connection, found.id, state=state, begin_time=begin, backers=backers, update_time=tx.now
            )
            await self._tell_given(tx, request.name, wanted, waits=not holds(backers))
            return await self._changed(tx, row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def unassign_staff(self, request: pb.UnassignStaffRequest, call: Call) -> resources.Staff:
        """Takes a post from a member of staff, or refuses one that waits."""

        async def work(tx: Transaction) -> resources.Staff:
            row = await _lock(tx.connection, request.name, request.etag, taking=True)
            taken = _of_post(await given_to(tx.connection, [row.id], tx.now), request.post)
            await _take(tx, taken, request.post)
            await self._parts.withdrawals.withdraw(tx, party_of_post(request.name, request.post))
            tx.emit(request.name, events.StaffUnassigned(staff=request.name, post=request.post))
            return await self._changed(tx, row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _tell_given(self, tx: Transaction, name: str, wanted: Assignment, *, waits: bool) -> None:
        """Tells that a post was given, or waits."""
        if not waits:
            await self._parts.withdrawals.restore(tx, party_of_post(name, wanted.post))
        tx.emit(name, events.StaffAssigned(staff=name, assignment=assignment_message(wanted), pending=waits))

    async def _changed(self, tx: Transaction, row: StaffMember) -> resources.Staff:
        """Counts the member's version up and tells what they hold now, and what waits."""
        row = await store.UPDATE_MEMBER.one(tx.connection, row.id, update_time=tx.now)
        return staff_message(row, await given_to(tx.connection, [row.id], tx.now), self._parts.cipher)


async def _lock(connection: DatabaseConnection, name: str, etag: str, *, taking: bool = False) -> StaffMember:
    """Locks a member of staff; one whose account is not in use is given nothing, and a post is taken from them all the same."""
    row = await store.lock(connection, name)
    check_etag(name, row.version, etag)
    # Of two records of one human being only one changes at a time: their duties are judged together.
    await (person if taking else active_person)(connection, f"persons/{row.person}", lock=True)
    return row


async def _check(tx: Transaction, actor: Actor, row: StaffMember, department: str, wanted: Assignment) -> None:
    """Checks that whoever calls may give ``wanted`` to a member of staff, who may have it beside what they hold."""
    actor.require_impartial(f"persons/{row.person}")
    if row.state != IN_OFFICE:
        raise reasons.staff_not_active("the member of staff has left", staff=row.name)
    if department != row.department:
        raise invalid_field("post", "post.department", "is a post of another department")
    records = await store.records_of(tx.connection, row.person)
    given = await given_to(tx.connection, records, tx.now)
    # What they stand in for lies in their hands as well.
    stood_in = await stood_in_for(tx.connection, records, tx.now)
    check_assignment([*(each.assignment() for each in held(given)), *stood_in], wanted)


async def _founding(tx: Transaction, actor: Actor) -> bool:
    """Says whether the client of the first start gives posts alone: until there were two who could approve (0018)."""
    by_founder = actor.subject == f"clients/{FIRST_CLIENT}"
    return by_founder and not await store.two_administrators_ever(tx.connection, tx.now)


async def _take(tx: Transaction, taken: Sequence[GivenPost], name: str) -> None:
    """Ends assignments of the post ``name``; raises APPROVERS_NEEDED where too few are left who can approve."""
    held_duties = frozenset(duty for each in held(taken) for duty in each.duties)
    approves = not APPROVING.isdisjoint(held_duties)
    before = await store.approvers(tx.connection, tx.now) if approves else frozenset()
    secured = await officers(tx.connection, tx.now) if Duty.SECURITY in held_duties else frozenset()
    for each in taken:
        # One that lies ahead ends before it begins, and so does one that waits: it never held.
        await store.UPDATE.one(tx.connection, each.id, expire_time=tx.now, update_time=tx.now)
    if approves:
        await _check_left(tx, before, name)
    # Else who administers would take it, and give posts from then on.
    if secured and not await officers(tx.connection, tx.now):
        raise reasons.approvers_needed("a security officer must be left", post=name)


async def _check_left(tx: Transaction, before: frozenset[str], name: str) -> None:
    """Raises FailedPrecondition APPROVERS_NEEDED where too few are left of those who can stand behind what makes able."""
    left = await store.approvers(tx.connection, tx.now)
    if left != before and len(left) < PEOPLE and await store.two_administrators_ever(tx.connection, tx.now):
        raise reasons.approvers_needed("two who can approve must be left", post=name)


def _of_post(given: Sequence[GivenPost], name: str) -> list[GivenPost]:
    found = [each for each in given if each.post_name == name]
    if not found:
        raise not_found(name)
    return found


def _wanted(request: pb.AssignStaffRequest, row: Post, now: datetime) -> Assignment:
    begin = moment_of(request.start_time, "start_time") if request.HasField("start_time") else now
    expire = moment_of(request.end_time, "end_time") if request.HasField("end_time") else None
    return Assignment(row.name, frozenset(row.duties), begin, expire)


def _check_not_given(given: Sequence[GivenPost], wanted: Assignment) -> None:
    for each in given:
        if each.post_name == wanted.post and each.assignment().overlaps(wanted):
            raise reasons.resource_exists("they hold this post in that time", resource=wanted.post)


def _given(
    row: StaffMember, given: Post, wanted: Assignment, backers: tuple[str, ...], *, waits: bool, now: datetime
) -> PostAssignment:
    return PostAssignment(
        id=uuid7(),
        staff=row.id,
        post=given.id,
        begin_time=wanted.begin,
        expire_time=wanted.expire,
        state=WAITING if waits else HELD,
        backers=backers,
        create_time=now,
        update_time=now,
    )
