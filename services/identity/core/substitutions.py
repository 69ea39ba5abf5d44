"""Substitutions in PostgreSQL, and what tokens and assignments ask of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, joined, of
from libs.errors import not_found
from services.identity.core import schema
from services.identity.core.duties import Assignment, Duty
from services.identity.core.names import id_of
from services.identity.core.staff import Post, posts
from services.identity.core.substitution_rules import Substitution

substitutions = sa.Table(
    "substitutions",
    schema.METADATA,
    columns.record_id(),
    columns.reference("represented", "staff.id"),
    columns.reference("substitute", "staff.id"),
    columns.reference("department", "departments.id"),
    columns.texts("posts"),
    columns.moment("begin_time", nullable=False),
    columns.moment("expire_time", nullable=False),
    *columns.given("state"),
    schema.backers(),
    columns.moment("revoke_time"),
    *columns.life(),
    sa.Index("substitutions_end", "expire_time", "id"),
    sa.Index("substitutions_of_represented", "represented", "expire_time", "id"),
    sa.Index("substitutions_of_substitute", "substitute", "expire_time", "id"),
    comment="Who stands in for whom, in which posts; the state EXPIRED follows from expire_time and is never stored.",
)
of(substitutions)(Substitution)


@of(
    joined(
        id=substitutions.c.id,
        post=posts.c.id,
        department=posts.c.department,
        duties=posts.c.duties,
        begin_time=substitutions.c.begin_time,
        expire_time=substitutions.c.expire_time,
    )
)
@dataclass(frozen=True, slots=True)
class SubstitutedPost:
    """A post that somebody stands in for; ``id`` is the substitution's, ``post`` and ``department`` are ids too."""

    id: str
    post: str
    department: str
    duties: tuple[Duty, ...]
    begin_time: datetime
    expire_time: datetime

    def assignment(self) -> Assignment:
        """Returns what decides about it, as if the post were theirs."""
        name = f"departments/{self.department}/posts/{self.post}"
        return Assignment(name, frozenset(self.duties), self.begin_time, self.expire_time)


_SUBSTITUTION = Query(Substitution, "SELECT {columns} FROM substitutions WHERE id = CAST(:id AS uuid)")
_LOCK = Query(Substitution, "SELECT {columns} FROM substitutions WHERE id = CAST(:id AS uuid) FOR UPDATE")
_STOOD_IN_FOR = Query(
    SubstitutedPost,
    """SELECT {columns} FROM (
      SELECT s.id, p.id AS post, p.department, p.duties, s.begin_time, s.expire_time
      FROM substitutions s JOIN posts p ON p.id = ANY(CAST(s.posts AS uuid[]))
      WHERE s.substitute = ANY(CAST(:staff AS uuid[])) AND s.state = 'ACTIVE' AND s.expire_time > :now
    ) AS substituted ORDER BY id, post""",
)


async def substitution(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Substitution:
    """Reads a substitution, locked for change where it is said; raises NotFound."""
    found = await (_LOCK if lock else _SUBSTITUTION).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def stood_in_for(connection: DatabaseConnection, staff_ids: Sequence[str], now: datetime) -> list[Assignment]:
    """Reads the posts that somebody, under any of these staff records, stands in for now or later."""
    found = await _STOOD_IN_FOR.all(connection, staff=list(staff_ids), now=now) if staff_ids else []
    return [each.assignment() for each in found]


def as_assignments(found: Iterable[Post], begin: datetime, expire: datetime) -> list[Assignment]:
    """Returns what decides about posts that somebody stands in for in a time, as if they were theirs."""
    return [Assignment(each.name, frozenset(each.duties), begin, expire) for each in found]
