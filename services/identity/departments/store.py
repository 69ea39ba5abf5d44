"""What is written and listed of departments and their posts."""

from libs.db.change import Addition
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core.staff import Department, Post, departments, posts
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.staff_service_pb2 import ListDepartmentsRequest, ListPostsRequest

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
