"""Who gives posts: the security officer, where the region has one, and else who administers (三员分立)."""

from dataclasses import dataclass
from datetime import datetime

from libs.access.actor import Actor
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.errors import reasons
from services.identity.core.names import id_of
from services.identity.core.staff import posts, staff


@of(staff)
@dataclass(frozen=True, slots=True)
class SecurityOfficer:
    """A member of staff who holds SECURITY, by their human being, an id."""

    person: str


@of(posts)
@dataclass(frozen=True, slots=True)
class SecurityPost:
    """A post with SECURITY."""

    id: str


_OFFICERS = Query(
    SecurityOfficer,
    """SELECT DISTINCT {columns} FROM staff WHERE state = 'ACTIVE' AND id IN (
      SELECT a.staff FROM assignments a JOIN posts p ON p.id = a.post
      WHERE a.state = 'HELD' AND a.begin_time <= :now AND (a.expire_time IS NULL OR a.expire_time > :now)
        AND 'SECURITY' = ANY(p.duties))""",
)
_SECURITY_POSTS = Query(
    SecurityPost,
    "SELECT {columns} FROM posts WHERE id = ANY(CAST(:ids AS uuid[])) AND 'SECURITY' = ANY(duties) LIMIT 1",
)


async def officers(connection: DatabaseConnection, now: datetime) -> frozenset[str]:
    """Returns the human beings, ids, who hold SECURITY at ``now``; who stands in for one does not count."""
    return frozenset(each.person for each in await _OFFICERS.all(connection, now=now))


async def require_may_give(connection: DatabaseConnection, actor: Actor, post: str, now: datetime) -> None:
    """Checks that it is for the caller to give a post: what one manages one does not also hand out.

    The posts in the caller's token tell what they are, those that they stand in for too; a machine is no security officer.

    Raises:
        PermissionDenied: SECURITY_OFFICER_NEEDED where the region has a security officer, and it is not they who ask.
    """
    if await officers(connection, now) and not await _holds_security(connection, actor):
        raise reasons.security_officer_needed("the security officer gives posts", post=post)


async def _holds_security(connection: DatabaseConnection, actor: Actor) -> bool:
    mine = [id_of(name) for name in actor.posts] if actor.office else []
    return bool(mine) and await _SECURITY_POSTS.first(connection, ids=mine) is not None
