"""What is written and listed of departments and their posts."""

from dataclasses import dataclass

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core.staff import Department, Post, departments, posts
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.staff_service_pb2 import ListDepartmentsRequest, ListPostsRequest

MOST_LEVELS = 8
"""So deep the tree of departments is at most, its top counted: a province's departments down to a village's, with room."""


@of(departments)
@dataclass(frozen=True, slots=True)
class UpperDepartment:
    """A department, or one above it."""

    id: str


# A department's parent never changes, and is there before it: the tree has no circle.
_UPWARDS = Query(
    UpperDepartment,
    """WITH RECURSIVE upwards AS (
      SELECT id, parent FROM departments WHERE id = CAST(:id AS uuid)
      UNION ALL SELECT above.id, above.parent FROM departments above JOIN upwards ON above.id = upwards.parent
    ) SELECT {columns} FROM upwards LIMIT :most""",
)
ADD_DEPARTMENT, ADD_POST = Addition(Department), Addition(Post)
DEPARTMENTS = FilteredList(
    Department,
    ListDepartmentsRequest,
    departments,
    {
        **{name: fields.text(name) for name in ("display_name", "uscc", "region_code")},
        "parent": fields.named("parent", "departments", nullable=True),
        "create_time": fields.moment("create_time"),
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
