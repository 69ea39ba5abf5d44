"""What is written and listed of departments and their posts."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.leader import turn
from libs.db.query import Query, Update, of
from libs.db.schema import EVIDENCE
from libs.db.statement import Statement
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.core.staff import Department, Post, departments, posts, staff
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.staff_service_pb2 import ListDepartmentsRequest, ListPostsRequest

_TREE_CHANGE = "identity:departments"
MOST_LEVELS = 8
"""So deep the tree of departments is at most, its top counted: a province's departments down to a village's, with room."""


@of(departments)
@dataclass(frozen=True, slots=True)
class UpperDepartment:
    """A department, or one above it."""

    id: str


@of(staff)
@dataclass(frozen=True, slots=True)
class ServingMember:
    """A member of staff in office."""

    id: str


department_changes = sa.Table(
    "department_changes",
    schema.METADATA,
    columns.record_id(),
    columns.reference("department", "departments.id"),
    *columns.given("kind", "previous", "changer"),
    columns.moment("change_time", nullable=False),
    sa.Index("department_changes_of", "department", "change_time", "id"),
    info=EVIDENCE,
    comment="What departments were called, and below which they lay, before they were renamed, moved or closed; by whom.",
)


@of(department_changes)
@dataclass(frozen=True, slots=True)
class DepartmentChange:
    """That a department, an id, was changed by ``changer``; ``previous`` is its name, or its parent, of before."""

    id: str
    department: str
    kind: str
    previous: str
    changer: str
    change_time: datetime


# The tree is changed by one transaction at a time (one_change_at_a_time): it has no circle.
_UPWARDS = Query(
    UpperDepartment,
    """WITH RECURSIVE upwards AS (
      SELECT id, parent FROM departments WHERE id = CAST(:id AS uuid)
      UNION ALL SELECT above.id, above.parent FROM departments above JOIN upwards ON above.id = upwards.parent
    ) SELECT {columns} FROM upwards LIMIT :most""",
)
_BELOW = Query(
    UpperDepartment,
    """WITH RECURSIVE below AS (
      SELECT id, 1 AS level FROM departments WHERE id = CAST(:id AS uuid)
      UNION ALL SELECT d.id, below.level + 1 FROM departments d JOIN below ON d.parent = below.id
      WHERE below.level < :most
    ) SELECT {columns} FROM below ORDER BY level DESC""",
)
_HEIGHT = Statement(
    "WITH RECURSIVE below AS ("
    "SELECT id, 1 AS level FROM departments WHERE id = CAST(:id AS uuid) "
    "UNION ALL SELECT d.id, below.level + 1 FROM departments d JOIN below ON d.parent = below.id "
    "WHERE below.level < :most) SELECT max(level) FROM below"
)
_CLIENT = Statement(
    "SELECT id FROM clients WHERE owner = :owner AND state IN ('ACTIVE', 'REQUESTED') ORDER BY id LIMIT 1"
)
_CHILD = Query(
    Department,
    "SELECT {columns} FROM departments WHERE parent = CAST(:id AS uuid) AND state = 'ACTIVE' ORDER BY id LIMIT 1",
)
_SERVING = Query(
    ServingMember,
    "SELECT {columns} FROM staff WHERE department = CAST(:id AS uuid) AND state = 'ACTIVE' ORDER BY id LIMIT 1",
)
ADD_DEPARTMENT, ADD_POST = Addition(Department), Addition(Post)
ADD_CHANGE, UPDATE_DEPARTMENT = Addition(DepartmentChange), Update(Department)
DEPARTMENTS = FilteredList(
    Department,
    ListDepartmentsRequest,
    departments,
    {
        **{name: fields.text(name) for name in ("display_name", "uscc", "region_code")},
        "parent": fields.named("parent", "departments", nullable=True),
        "state": fields.choice("state", pb.DepartmentState),
        "create_time": fields.moment("create_time"),
        "close_time": fields.moment("close_time", nullable=True),
    },
    # A department has few directly below it.
    {"display_name": Order(("display_name", "id"), (Path(), Path(("parent",), few=True)))},
    "display_name",
)
# Within a department each name stands once.
POSTS = FilteredList(
    Post,
    ListPostsRequest,
    posts,
    {
        "display_name": fields.text("display_name"),
        "duties": fields.choices("duties", pb.Duty),
        "create_time": fields.moment("create_time"),
    },
    {"display_name": Order(("display_name",), (Path(("department",)),))},
    "display_name",
)


async def levels(connection: DatabaseConnection, department: Department) -> int:
    """Returns how deep a department lies, 1 at the top; at most MOST_LEVELS are counted."""
    return len(await _UPWARDS.all(connection, id=department.id, most=MOST_LEVELS))


async def one_change_at_a_time(connection: DatabaseConnection) -> None:
    """Waits until nobody else changes the tree, and keeps others from it to the end of the transaction."""
    await turn(connection, _TREE_CHANGE)


async def below(connection: DatabaseConnection, department: Department) -> frozenset[str]:
    """Returns the ids of a department and all that lie below it."""
    return frozenset(each.id for each in await _BELOW.all(connection, id=department.id, most=MOST_LEVELS))


async def height(connection: DatabaseConnection, department: Department) -> int:
    """Returns how many levels a department and what lies below it take, 1 where nothing does."""
    row = await _HEIGHT.first(connection, {"id": department.id, "most": MOST_LEVELS})
    return int(row[0]) if row else 1


async def user_of(connection: DatabaseConnection, department: Department) -> str:
    """Returns the name of what keeps a department from being closed: staff, a department below, a client of its; else empty."""
    serving = await _SERVING.first(connection, id=department.id)
    if serving is not None:
        return f"staff/{serving.id}"
    child = await _CHILD.first(connection, id=department.id)
    if child is not None:
        return child.name
    client = await _CLIENT.first(connection, {"owner": department.name})
    return f"clients/{client[0]}" if client else ""
