"""StaffService about who stands in for whom."""

from dataclasses import replace

from libs.access.actor import Actor, Standing
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, reasons, state_conflict
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.identity.core import staff
from services.identity.core.accounts import active_person
from services.identity.core.approval import approved_by, asked_by, holds
from services.identity.core.duties import check_assignment, makes_able
from services.identity.core.granting import require_may_give
from services.identity.core.names import id_of
from services.identity.core.parts import Parts
from services.identity.core.staff import Post, StaffMember
from services.identity.core.substitution_rules import (
    Substitution,
    SubstitutionState,
    check_held,
    check_times,
)
from services.identity.core.substitutions import as_assignments, stood_in_for, substitution
from services.identity.substitutions import store
from services.identity.substitutions.convert import new_substitution, substitution_message
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb

_READS_ALL = "identity.staff.list"
"""Who may list staff reads every substitution; others those in which they take part."""
_ENDS_ALL = "identity.substitutions.create"
"""Who arranges substitutions ends every one."""


class SubstitutionApi:
    """Has staff stand in for one another."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_substitution(self, request: pb.CreateSubstitutionRequest, call: Call) -> resources.Substitution:
        """Has a member of staff stand in for another; in posts that make able only when two people stand behind it."""
        asked, actor = request.substitution, call.actor

        async def work(tx: Transaction) -> resources.Substitution:
            represented, substitute = await _both(tx.connection, asked.represented, asked.substitute)
            actor.require_impartial(f"persons/{substitute.person}")
            made = new_substitution(asked, represented.department, tx.now)
            posts = await _posts(tx.connection, made, asked)
            await require_may_give(tx.connection, actor, asked.posts[0], tx.now)
            await _check(tx, made, represented, substitute, posts)
            if await store.stands(tx.connection, made.represented, made.substitute, made.begin_time, made.expire_time):
                raise reasons.resource_exists("they stand in for them in that time", resource="substitutions")
            if makes_able(duty for each in posts for duty in each.duties):
                made = replace(made, state=SubstitutionState.REQUESTED, backers=asked_by(actor.human))
            message = substitution_message(await store.ADD.add(tx.connection, made), tx.now)
            tx.emit(message.name, events.SubstitutionCreated(substitution=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def approve_substitution(self, request: pb.ApproveSubstitutionRequest, call: Call) -> resources.Substitution:
        """Stands behind a substitution that waits; the second human being lets it hold, from now on at the earliest."""
        actor = call.actor

        async def work(tx: Transaction) -> resources.Substitution:
            row = await substitution(tx.connection, request.name, lock=True)
            check_etag(request.name, row.version, request.etag)
            state = row.state_at(tx.now)
            if state is not SubstitutionState.REQUESTED:
                raise state_conflict(row.name, state, SubstitutionState.REQUESTED)
            represented, substitute = await _both(tx.connection, row.represented_name, f"staff/{row.substitute}")
            actor.require_impartial(f"persons/{substitute.person}")
            backers = approved_by(row.backers, actor.human, actor_kind=actor.kind)
            wanted = replace(row, begin_time=max(row.begin_time, tx.now))
            await _check(tx, wanted, represented, substitute, await store.posts_of(tx.connection, row.posts))
            begin, state = (wanted.begin_time, SubstitutionState.ACTIVE) if holds(backers) else (row.begin_time, state)
            row = await store.UPDATE.one(
                tx.connection, row.id, state=state, begin_time=begin, backers=backers, update_time=tx.now
            )
            message = substitution_message(row, tx.now)
            tx.emit(message.name, events.SubstitutionApproved(substitution=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def revoke_substitution(self, request: pb.RevokeSubstitutionRequest, call: Call) -> resources.Substitution:
        """Ends a substitution, or refuses one that waits."""

        async def work(tx: Transaction) -> resources.Substitution:
            row = await substitution(tx.connection, request.name, lock=True)
            _require_shown(call.actor, row)
            if not (_takes_part(call.actor, row) or call.actor.may(_ENDS_ALL)):
                raise reasons.not_owner("who only reads of it does not end it")
            check_etag(request.name, row.version, request.etag)
            state = row.state_at(tx.now)
            if state in (SubstitutionState.REVOKED, SubstitutionState.EXPIRED):
                raise state_conflict(row.name, state, SubstitutionState.ACTIVE)
            row = await store.UPDATE.one(
                tx.connection, row.id, state=SubstitutionState.REVOKED, revoke_time=tx.now, update_time=tx.now
            )
            await self._parts.withdrawals.withdraw(tx, row.name)
            message = substitution_message(row, tx.now)
            tx.emit(message.name, events.SubstitutionRevoked(substitution=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_substitution(self, request: pb.GetSubstitutionRequest, call: Call) -> resources.Substitution:
        """Gets a substitution."""
        async with self._parts.database.read() as connection:
            row = await substitution(connection, request.name)
        _require_shown(call.actor, row)
        return substitution_message(row, self._parts.clock.now())

    async def list_substitutions(
        self, request: pb.ListSubstitutionsRequest, call: Call
    ) -> pb.ListSubstitutionsResponse:
        """Lists substitutions, those that end last first."""
        now = self._parts.clock.now()
        async with self._parts.database.read() as connection:
            scopes = _scopes(call.actor)
            shown, token = await store.LISTED.page(connection, self._parts.pages, request, scopes, now=now)
        messages = [substitution_message(row, now) for row in shown]
        return pb.ListSubstitutionsResponse(substitutions=messages, next_page_token=token)


async def _both(connection: DatabaseConnection, represented: str, substitute: str) -> tuple[StaffMember, StaffMember]:
    """Reads both members of staff; the substitute's person is locked, as by an assignment: their duties are judged together.

    Raises:
        NotFound.
        FailedPrecondition: STAFF_NOT_ACTIVE, PERSON_NOT_ACTIVE.
        InvalidArgument: FIELD_INVALID where both are one human being, or of different departments.
    """
    away, stands_in = await staff.member(connection, represented), await staff.member(connection, substitute)
    if away.person == stands_in.person:
        raise invalid_field("substitution.substitute", "substitution.another", "is another human being")
    if away.department != stands_in.department:
        raise invalid_field("substitution.substitute", "substitution.department", "is of another department")
    for each in (away, stands_in):
        if each.state != staff.IN_OFFICE:
            raise reasons.staff_not_active("the member of staff has left", staff=each.name)
    await active_person(connection, f"persons/{stands_in.person}", lock=True)
    await active_person(connection, f"persons/{away.person}")
    return away, stands_in


async def _posts(connection: DatabaseConnection, made: Substitution, asked: resources.Substitution) -> list[Post]:
    """Reads the posts; raises NotFound for the first of these names that there is not."""
    found = await store.posts_of(connection, made.posts)
    known = {each.name for each in found}
    for name in asked.posts:
        if name not in known:
            raise not_found(name)
    return found


async def _check(
    tx: Transaction, wanted: Substitution, represented: StaffMember, substitute: StaffMember, posts: list[Post]
) -> None:
    """Checks that a substitution may be: its time, the posts of the represented, and the duties of the substitute.

    Raises:
        InvalidArgument: FIELD_INVALID.
        FailedPrecondition: POST_NOT_HELD, DUTIES_CONFLICT.
    """
    begin, expire = wanted.begin_time, wanted.expire_time
    check_times(begin, expire)
    own = staff.held(await staff.given_to(tx.connection, [represented.id], tx.now))
    check_held([each.assignment() for each in own], [each.name for each in posts], represented.name, begin, expire)
    records = [each.id for each in await staff.records_of(tx.connection, substitute.person)]
    mine = staff.held(await staff.given_to(tx.connection, records, tx.now))
    other = await stood_in_for(tx.connection, records, tx.now)
    for each in as_assignments(posts, begin, expire):
        check_assignment([*(one.assignment() for one in mine), *other], each)


def _takes_part(actor: Actor, row: Substitution) -> bool:
    return actor.standing is Standing.OFFICE and actor.clerk in (row.represented_name, f"staff/{row.substitute}")


def _require_shown(actor: Actor, row: Substitution) -> None:
    """Raises NotFound where staff ask for what they take no part in and may not read."""
    if not (_takes_part(actor, row) or actor.may(_READS_ALL)):
        raise not_found(row.name)


def _scopes(actor: Actor) -> list[Scope]:
    if actor.may(_READS_ALL):
        return [Scope({})]
    mine = id_of(actor.clerk)
    return [Scope({"represented": mine}), Scope({"substitute": mine})]
