"""Reads departments, posts and staff."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Row
from libs.errors import not_found
from services.identity.domain.issue import MOST_NEAR
from services.identity.store.reading import LIMIT, many, one
from services.identity.tables import assignments, departments, mandates, organizations, posts, staff

_UUID = sa.Uuid(as_uuid=False)
_TIME = sa.DateTime(timezone=True)


def _uuid(name: str) -> sa.BindParameter[str]:
    return sa.bindparam(name, type_=_UUID)


def _limit() -> sa.BindParameter[int]:
    return sa.bindparam(LIMIT, type_=sa.Integer)


def _after(text: sa.Column[str], identifier: sa.Column[str]) -> sa.ColumnElement[bool]:
    return sa.tuple_(text, identifier) > sa.tuple_(sa.bindparam("after_text", type_=sa.Text), _uuid("after_id"))


_DEPARTMENTS = (
    sa.select(departments)
    .where(
        _after(departments.c.display_name, departments.c.id),
        _uuid("parent").is_(None) | (departments.c.parent == _uuid("parent")),
    )
    .order_by(departments.c.display_name, departments.c.id)
    .limit(_limit())
)
_POSTS = (
    sa.select(posts)
    .where(_after(posts.c.display_name, posts.c.id), posts.c.department == _uuid("parent"))
    .order_by(posts.c.display_name, posts.c.id)
    .limit(_limit())
)
_now = sa.bindparam("now", type_=_TIME)
_HELD_STATE = assignments.c.state == "HELD"
_NOT_OVER = assignments.c.expire_time.is_(None) | (assignments.c.expire_time > _now)
_HOLDS_NOW = _HELD_STATE & (assignments.c.begin_time <= _now) & _NOT_OVER
_STAFF = (
    sa.select(staff)
    .where(
        _after(staff.c.staff_number, staff.c.id),
        _uuid("department").is_(None) | (staff.c.department == _uuid("department")),
        (sa.bindparam("state", type_=sa.Text) == "") | (staff.c.state == sa.bindparam("state", type_=sa.Text)),
        _uuid("post").is_(None)
        | sa.exists().where(assignments.c.staff == staff.c.id, assignments.c.post == _uuid("post"), _HOLDS_NOW),
    )
    .order_by(staff.c.staff_number, staff.c.id)
    .limit(_limit())
)
_GIVEN_TO = (
    sa.select(assignments, posts.c.department, posts.c.duties)
    .join(posts, posts.c.id == assignments.c.post)
    .where(_NOT_OVER, assignments.c.staff.in_(sa.bindparam("staff", expanding=True, type_=_UUID)))
    .order_by(assignments.c.begin_time, assignments.c.id)
)
_HELD_BY = _GIVEN_TO.where(_HELD_STATE)
_WAITING_FOR = _GIVEN_TO.where(assignments.c.state == "WAITING")
_ADMINISTERS = posts.c.duties.contains(["ADMINISTRATION"])
_APPROVERS = (
    sa.select(staff.c.person)
    .distinct()
    .join(assignments, assignments.c.staff == staff.c.id)
    .join(posts, posts.c.id == assignments.c.post)
    .where(staff.c.state == "ACTIVE", _HOLDS_NOW, _ADMINISTERS)
)
_FOUNDING = sa.text("SELECT pg_advisory_xact_lock(hashtext('identity:approvers'))")
_STOOD = sa.text("""
WITH administered AS (
  SELECT s.person, a.begin_time, COALESCE(a.expire_time, 'infinity') AS expire_time
  FROM assignments a JOIN posts p ON p.id = a.post JOIN staff s ON s.id = a.staff
  WHERE a.state = 'HELD' AND 'ADMINISTRATION' = ANY(p.duties) AND (a.expire_time IS NULL OR a.begin_time < a.expire_time)
)
SELECT EXISTS (
  SELECT FROM administered one JOIN administered other ON one.person < other.person
  WHERE one.begin_time < other.expire_time AND other.begin_time < one.expire_time
    AND GREATEST(one.begin_time, other.begin_time) <= :now
) AS stood
""").bindparams(sa.bindparam("now", type_=_TIME))
_name = sa.bindparam("name", type_=sa.Text)
_LIVING = mandates.c.state.in_(("PROPOSED", "ACTIVE")) & (mandates.c.expire_time > _now)
_NEAR = sa.select(
    sa.union(
        sa.select(sa.literal("organizations/").concat(sa.cast(organizations.c.id, sa.Text)).label("name")).where(
            organizations.c.legal_representative == _uuid(rows.KEY), organizations.c.state == "ACTIVE"
        ),
        sa.select(mandates.c.principal).where(mandates.c.agent == _name, _LIVING),
        sa.select(mandates.c.agent).where(mandates.c.principal == _name, _LIVING),
    ).subquery()
).limit(MOST_NEAR + 1)
_ANYBODY = sa.select(staff.c.id).limit(1)
_SAME_PERSON = sa.select(staff.c.id).where(staff.c.person == _uuid(rows.KEY))


async def list_departments(
    connection: AsyncConnection, *, parent: str | None, after: tuple[str, ...], limit: int
) -> Sequence[Row]:
    """Lists departments by name; with ``parent`` only those directly below it."""
    return await many(connection, _DEPARTMENTS, parent=parent, after_text=after[0], after_id=after[1], **{LIMIT: limit})


async def list_posts(
    connection: AsyncConnection, *, department: str, after: tuple[str, ...], limit: int
) -> Sequence[Row]:
    """Lists a department's posts by name."""
    return await many(connection, _POSTS, parent=department, after_text=after[0], after_id=after[1], **{LIMIT: limit})


async def list_staff(
    connection: AsyncConnection,
    *,
    department: str | None,
    post: str | None,
    state: str,
    now: datetime,
    after: tuple[str, ...],
    limit: int,
) -> Sequence[Row]:
    """Lists staff by staff number; ``post`` leaves those who hold it at ``now``."""
    return await many(
        connection,
        _STAFF,
        department=department,
        post=post,
        state=state,
        now=now,
        after_text=after[0],
        after_id=after[1],
        **{LIMIT: limit},
    )


async def held(connection: AsyncConnection, staff_ids: Sequence[str], now: datetime) -> Sequence[Row]:
    """Reads the assignments, with their posts' departments and duties, that hold at ``now`` or begin later."""
    if not staff_ids:
        return ()
    return await many(connection, _HELD_BY, staff=list(staff_ids), now=now)


async def waiting(connection: AsyncConnection, staff_ids: Sequence[str], now: datetime) -> Sequence[Row]:
    """Reads, as ``held``, the assignments that wait for a second human being."""
    return await many(connection, _WAITING_FOR, staff=list(staff_ids), now=now) if staff_ids else ()


async def approvers(connection: AsyncConnection, now: datetime) -> frozenset[str]:
    """Returns the human beings who hold ADMINISTRATION at ``now``; until the transaction ends nobody else changes them."""
    await connection.execute(_FOUNDING)
    return frozenset(f"persons/{row.person}" for row in await many(connection, _APPROVERS, now=now))


async def stood(connection: AsyncConnection, now: datetime) -> bool:
    """Says whether two human beings ever held ADMINISTRATION at one time; of two that ask at once the second waits."""
    await connection.execute(_FOUNDING)
    return bool((await connection.execute(_STOOD, {"now": now})).scalar_one())


async def staff_of_person(connection: AsyncConnection, person: str) -> list[str]:
    """Returns the ids of all staff records of one human being."""
    return [row.id for row in await many(connection, _SAME_PERSON, **{rows.KEY: person})]


async def anybody(connection: AsyncConnection) -> bool:
    """Says whether the region ever had a member of staff."""
    return bool(await many(connection, _ANYBODY))


async def near(connection: AsyncConnection, person: str, now: datetime) -> list[str]:
    """Returns whose affairs are also a person's: firms that they represent, whom they act for, who acts for them.

    A mandate counts from its proposal on. One more than ``MOST_NEAR`` is read at most.
    """
    found = await many(connection, _NEAR, **{rows.KEY: person}, name=f"persons/{person}", now=now)
    return sorted({row.name for row in found})


async def post(connection: AsyncConnection, name: str) -> Row:
    """Reads a post by its whole name; raises NotFound, also where it lies in another department."""
    row = await one(connection, posts, name)
    if name != f"departments/{row.department}/posts/{row.id}":
        raise not_found(name)
    return row
