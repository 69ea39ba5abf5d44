"""StaffService about departments, their tree and their posts. What departments were before they changed is kept."""

from libs import names
from libs.access.actor import Actor
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, reasons
from libs.ids import region as region_codes
from libs.ids import uscc
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.identity.core import staff
from services.identity.core.duties import check_post
from services.identity.core.parts import Parts
from services.identity.core.staff import Department
from services.identity.core.staff_messages import duties_of
from services.identity.departments import store
from services.identity.departments.convert import department_message, new_department, new_post, post_message
from services.identity.departments.store import MOST_LEVELS, DepartmentChange
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


class DepartmentTreeApi:
    """Moves, renames and closes departments."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def move_department(self, request: pb.MoveDepartmentRequest, call: Call) -> resources.Department:
        """Moves a department below another one, or to the top."""

        async def work(tx: Transaction) -> resources.Department:
            await store.one_change_at_a_time(tx.connection)
            row = await _locked(tx.connection, request.name, request.etag)
            parent = await staff.department_in_use(tx.connection, request.parent) if request.parent else None
            if parent is not None:
                await _check_below(tx.connection, row, parent)
            above = parent.id if parent else None
            changed = await store.UPDATE_DEPARTMENT.one(tx.connection, row.id, parent=above, update_time=tx.now)
            await _note(tx, row, "MOVED", row.parent_name, call.actor)
            message = department_message(changed)
            tx.emit(row.name, events.DepartmentMoved(department=message, previous_parent=row.parent_name))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def rename_department(self, request: pb.RenameDepartmentRequest, call: Call) -> resources.Department:
        """Gives a department another name."""
        names.check(request.display_name, "display_name")

        async def work(tx: Transaction) -> resources.Department:
            row = await _locked(tx.connection, request.name, request.etag)
            changed = await store.UPDATE_DEPARTMENT.one(
                tx.connection, row.id, display_name=request.display_name, update_time=tx.now
            )
            await _note(tx, row, "RENAMED", row.display_name, call.actor)
            message = department_message(changed)
            tx.emit(row.name, events.DepartmentRenamed(department=message, previous_display_name=row.display_name))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def close_department(self, request: pb.CloseDepartmentRequest, call: Call) -> resources.Department:
        """Closes a department without staff and without anything below it."""

        async def work(tx: Transaction) -> resources.Department:
            await store.one_change_at_a_time(tx.connection)
            row = await _locked(tx.connection, request.name, request.etag)
            user = await store.user_of(tx.connection, row)
            if user:
                raise reasons.department_in_use("it is in use", department=row.name, resource=user)
            changed = await store.UPDATE_DEPARTMENT.one(
                tx.connection, row.id, state="CLOSED", close_time=tx.now, update_time=tx.now
            )
            await _note(tx, row, "CLOSED", "", call.actor)
            message = department_message(changed)
            tx.emit(row.name, events.DepartmentClosed(department=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)


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


async def _locked(connection: DatabaseConnection, name: str, etag: str) -> Department:
    row = await staff.department_in_use(connection, name, lock=True)
    check_etag(name, row.version, etag)
    return row


async def _check_below(connection: DatabaseConnection, row: Department, parent: Department) -> None:
    """Raises InvalidArgument FIELD_INVALID where a department would lie below itself, or something too deep."""
    if parent.id in await store.below(connection, row):
        raise invalid_field("parent", "department.circle", "is the department itself, or lies below it")
    deep = await store.levels(connection, parent) + await store.height(connection, row)
    if deep > MOST_LEVELS:
        raise invalid_field("parent", "department.levels", f"something would lie more than {MOST_LEVELS} levels deep")


async def _note(tx: Transaction, row: Department, kind: str, previous: str, actor: Actor) -> None:
    changer = actor.clerk or actor.subject
    await store.ADD_CHANGE.add(tx.connection, DepartmentChange(uuid7(), row.id, kind, previous, changer, tx.now))
