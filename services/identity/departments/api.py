"""StaffService about departments and their posts."""

from libs import names
from libs.db.command import command_of
from libs.db.uow import Transaction
from libs.errors import invalid_field
from libs.ids import region as region_codes
from libs.ids import uscc
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.identity.core import staff
from services.identity.core.duties import check_post
from services.identity.core.parts import Parts
from services.identity.core.staff_messages import duties_of
from services.identity.departments import store
from services.identity.departments.convert import department_message, new_department, new_post, post_message
from services.identity.departments.store import MOST_LEVELS
from services.identity.roles.service import check_roles
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb


class DepartmentApi:
    """Keeps departments."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_department(self, request: pb.CreateDepartmentRequest, call: Call) -> resources.Department:
        """Makes a department."""
        asked = request.department
        names.check(asked.display_name, "department.display_name")
        code = str(uscc.parse(asked.uscc, "department.uscc"))
        region_codes.parse(asked.region_code, "department.region_code")

        async def work(tx: Transaction) -> resources.Department:
            await store.one_change_at_a_time(tx.connection)
            parent = await staff.department_in_use(tx.connection, asked.parent) if asked.parent else None
            if parent and await store.levels(tx.connection, parent) == MOST_LEVELS:
                raise invalid_field("department.parent", "department.levels", f"lies {MOST_LEVELS} levels deep already")
            made = await store.ADD_DEPARTMENT.add(tx.connection, new_department(asked, code, parent, tx.now))
            message = department_message(made)
            tx.emit(message.name, events.DepartmentCreated(department=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_department(self, request: pb.GetDepartmentRequest, call: Call) -> resources.Department:
        """Gets a department."""
        async with self._parts.database.read() as connection:
            return department_message(await staff.department(connection, request.name))

    async def list_departments(self, request: pb.ListDepartmentsRequest, call: Call) -> pb.ListDepartmentsResponse:
        """Lists departments by name."""
        async with self._parts.database.read() as connection:
            shown, token = await store.DEPARTMENTS.page(connection, self._parts.pages, request)
        return pb.ListDepartmentsResponse(departments=map(department_message, shown), next_page_token=token)


class PostApi:
    """Keeps the posts of departments."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_post(self, request: pb.CreatePostRequest, call: Call) -> resources.Post:
        """Makes a post in a department."""
        duties = duties_of(request.post.duties)
        check_post(duties)

        async def work(tx: Transaction) -> resources.Post:
            department = await staff.department_in_use(tx.connection, request.parent)
            await check_roles(tx.connection, request.post.roles, duties)
            made = await store.ADD_POST.add(tx.connection, new_post(request.post, duties, department, tx.now))
            message = post_message(made)
            tx.emit(message.name, events.PostCreated(post=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_post(self, request: pb.GetPostRequest, call: Call) -> resources.Post:
        """Gets a post."""
        async with self._parts.database.read() as connection:
            return post_message(await staff.post(connection, request.name))

    async def list_posts(self, request: pb.ListPostsRequest, call: Call) -> pb.ListPostsResponse:
        """Lists the posts of a department by name."""
        async with self._parts.database.read() as connection:
            scope = Scope({"department": (await staff.department(connection, request.parent)).id})
            shown, token = await store.POSTS.page(connection, self._parts.pages, request, [scope])
        return pb.ListPostsResponse(posts=map(post_message, shown), next_page_token=token)
