"""What a member of staff is at a time: in office, with which posts and duties, as which human being, and for whom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.access import roles
from libs.db.connection import DatabaseConnection
from libs.errors import reasons
from services.identity.core import issue, scopes, staff
from services.identity.core.accounts import active_person
from services.identity.core.staff import GivenPost, StaffMember
from services.identity.core.substitution_rules import Substitution
from services.identity.core.substitutions import substitution as read_substitution


@dataclass(frozen=True, slots=True)
class HeldPosts:
    """The posts in which somebody acts now: their own, or those that they stand in for.

    Attributes:
        given: the assignments, of who holds the posts.
        by: the substitution by which they stand in; None in posts of their own.
        represented: who holds the posts then.
    """

    given: tuple[GivenPost, ...]
    by: Substitution | None = None
    represented: StaffMember | None = None


@dataclass(frozen=True, slots=True)
class StaffRights:
    """What a member of staff may do: the patterns of tokens, and where they come from, posts and roles by name."""

    scope: tuple[str, ...]
    sources: tuple[str, ...]


async def posts_now(
    connection: DatabaseConnection, row: StaffMember, now: datetime, substitution: str = ""
) -> HeldPosts:
    """Returns the posts in which a member of staff acts at ``now``, none where they hold none.

    Raises:
        NotFound: there is no such substitution, or it is not theirs.
        PermissionDenied: SUBSTITUTION_NOT_ACTIVE, also where the represented hold none of its posts any more.
        FailedPrecondition: STAFF_NOT_ACTIVE, they have left.
    """
    if row.state != staff.IN_OFFICE:
        raise reasons.staff_not_active("the member of staff has left", staff=row.name)
    if not substitution:
        return HeldPosts(await _held(connection, row.id, now))
    found = await read_substitution(connection, substitution)
    found.check_of(row.id)
    found.check_holds(now)
    represented = await staff.member(connection, found.represented_name)
    held = await _held(connection, found.represented, now)
    given = tuple(each for each in held if each.post in found.posts)
    if not given or represented.state != staff.IN_OFFICE:
        raise reasons.substitution_not_active(
            "no post is left to stand in for", substitution=found.name, state=found.state.value
        )
    return HeldPosts(given, found, represented)


async def staff_standing(
    connection: DatabaseConnection, name: str, now: datetime, wall: datetime, substitution: str = ""
) -> tuple[issue.StaffFacts, StaffRights]:
    """Returns what a token says of a member of staff, and what they may do now; without a post that is nothing.

    Args:
        connection: where from.
        name: `staff/<uuid>`.
        now: the business time, by which posts go.
        wall: the machine's, by which tokens go.
        substitution: by which they stand in for a colleague, whose posts and rights it is then; empty for their own.

    Raises:
        NotFound: there is no such member, or the substitution is not theirs.
        FailedPrecondition: STAFF_NOT_ACTIVE, they have left; PERSON_NOT_ACTIVE.
        PermissionDenied: SUBSTITUTION_NOT_ACTIVE.
    """
    row = await staff.member(connection, name)
    person = await active_person(connection, f"persons/{row.person}")
    near = await staff.near(connection, person.id, now)
    held = await posts_now(connection, row, now, substitution)
    posts, _ = staff.facts_of(held.given, now)
    rights = _rights(held.given)
    department, until = f"departments/{row.department}", _until(held, now, wall)
    facts = issue.StaffFacts(row.name, department, posts, person.name, issue.named_near(near), until)
    if held.by is None or held.represented is None:
        return facts, rights
    away = held.represented.person
    # Whoever stands back from an affair has nobody handle it in their place: it is also the substitute's.
    near = sorted({*near, f"persons/{away}", *await staff.near(connection, away, now)} - {person.name})
    return replace(
        facts, near=issue.named_near(near), represented=held.represented.name, substitution=held.by.name
    ), rights


def _rights(given: Sequence[GivenPost]) -> StaffRights:
    """Returns what posts give that are held: of each what its duties give, so far as its roles name it."""
    scope = {pattern for each in given for pattern in _of_post(each)}
    named = [*(each.post_name for each in given), *(role for each in given for role in each.role_names)]
    return StaffRights(tuple(sorted(scope)), tuple(dict.fromkeys(named)))


def _of_post(given: GivenPost) -> tuple[str, ...]:
    by_duties = roles.of_duties(given.duties)
    # What every member of staff may do no role takes away: to read one's own record, to end a substitution.
    return scopes.both(by_duties, (*given.permissions, *roles.STAFF)) if given.roles else by_duties


async def _held(connection: DatabaseConnection, staff_id: str, now: datetime) -> tuple[GivenPost, ...]:
    given = staff.held(await staff.given_to(connection, [staff_id], now))
    return tuple(each for each in given if each.begin_time <= now)


def _until(held: HeldPosts, now: datetime, wall: datetime) -> int:
    """Returns when the first of the posts ends, or the substitution, by the clock of tokens; 0 where none does."""
    ends = [each.expire_time for each in held.given if each.expire_time]
    return _earliest([*ends, *([held.by.expire_time] if held.by else [])], now, wall)


def _earliest(ends: Sequence[datetime], now: datetime, wall: datetime) -> int:
    return int(issue.on_wall(min(ends), now, wall).timestamp()) if ends else 0
