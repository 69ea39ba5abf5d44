"""Roles in PostgreSQL, and the posts that have them."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Delete, Query, Update, joined, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.core.names import id_of
from services.identity.core.staff import Post, assignments, posts
from services.identity.roles.rules import StaffRole
from tongban.identity.v1.staff_service_pb2 import ListRolesRequest

roles = sa.Table(
    "roles",
    schema.METADATA,
    columns.record_id(),
    *columns.given("display_name"),
    columns.texts("permissions"),
    *columns.life(),
    sa.Index("roles_name", "display_name", unique=True),
    comment="Roles: permissions that narrow what the duties of a post give.",
)
of(roles)(StaffRole)


@of(joined(staff=assignments.c.staff, post=assignments.c.post, department=posts.c.department))
@dataclass(frozen=True, slots=True)
class RoleHolder:
    """Who holds a post with a role; all are ids."""

    staff: str
    post: str
    department: str


ADD, UPDATE, DELETE = Addition(StaffRole), Update(StaffRole), Delete(StaffRole)
LISTED = FilteredList(
    StaffRole,
    ListRolesRequest,
    roles,
    {
        "display_name": fields.text("display_name"),
        "permissions": fields.texts("permissions"),
        "create_time": fields.moment("create_time"),
    },
    {"display_name": Order(("display_name",), (Path(),))},
    "display_name",
)
_BY_ID = Query(StaffRole, "SELECT {columns} FROM roles WHERE id = CAST(:id AS uuid)")
_LOCK = Query(StaffRole, "SELECT {columns} FROM roles WHERE id = CAST(:id AS uuid) FOR UPDATE")
# Who makes a post with a role waits for who deletes it, and the other way round.
_KEEP = Query(StaffRole, "SELECT {columns} FROM roles WHERE id = CAST(:id AS uuid) FOR SHARE")
_WITH = Query(Post, "SELECT {columns} FROM posts WHERE roles @> ARRAY[CAST(:role AS text)] ORDER BY id LIMIT 1")
_HOLDERS = Query(
    RoleHolder,
    """SELECT {columns} FROM (
      SELECT a.staff, a.post, p.department FROM assignments a JOIN posts p ON p.id = a.post
      WHERE p.roles @> ARRAY[CAST(:role AS text)] AND a.state = 'HELD'
        AND (a.expire_time IS NULL OR a.expire_time > :now)
    ) AS holders""",
)


async def role(connection: DatabaseConnection, name: str, *, lock: bool = False) -> StaffRole:
    """Reads a role, locked for change if wished; raises NotFound."""
    return _found(await (_LOCK if lock else _BY_ID).first(connection, id=id_of(name)), name)


async def keep(connection: DatabaseConnection, names: Sequence[str]) -> list[StaffRole]:
    """Reads roles, none of which is deleted until the transaction ends; raises NotFound for the first that there is not."""
    return [_found(await _KEEP.first(connection, id=id_of(each)), each) for each in sorted(names)]


async def post_with(connection: DatabaseConnection, role_id: str) -> Post | None:
    """Returns a post that has a role, an id, or None."""
    return await _WITH.first(connection, role=role_id)


async def holders(connection: DatabaseConnection, role_id: str, now: object) -> list[RoleHolder]:
    """Returns who holds posts with a role, an id, at ``now`` or later."""
    return await _HOLDERS.all(connection, role=role_id, now=now)


def _found(row: StaffRole | None, name: str) -> StaffRole:
    if row is None:
        raise not_found(name)
    return row
