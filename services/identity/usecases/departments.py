"""Departments and their posts."""

from libs import names
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.uow import Transaction, UnitOfWork
from libs.ids import region as region_codes
from libs.ids import uscc
from libs.ids.uuid7 import uuid7
from services.identity.convert.staff import department_message, duties_of, post_message
from services.identity.domain.duties import check_post
from services.identity.store import staff as store
from services.identity.store.reading import NO_ID, Page, id_of, one
from services.identity.tables import departments, posts
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb


class Departments:
    """Use cases of StaffService about departments and posts."""

    def __init__(self, uow: UnitOfWork, database: Database) -> None:
        self._uow = uow
        self._database = database

    async def create(self, command: Command, department: resources.Department) -> resources.Department:
        """Makes a department."""
        names.check(department.display_name, "department.display_name")
        code = str(uscc.parse(department.uscc, "department.uscc"))
        region_codes.parse(department.region_code, "department.region_code")
        identifier = uuid7()

        async def work(tx: Transaction) -> resources.Department:
            parent = await one(tx.connection, departments, department.parent) if department.parent else None
            row = await rows.insert(
                tx.connection,
                departments,
                {
                    "id": identifier,
                    "display_name": department.display_name,
                    "uscc": code,
                    "region_code": department.region_code,
                    "parent": parent.id if parent else None,
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            message = department_message(row)
            tx.emit(message.name, events.DepartmentCreated(department=message))
            return message

        return await self._uow.run(command, work)

    async def get(self, name: str) -> resources.Department:
        """Reads a department."""
        async with self._database.read() as connection:
            return department_message(await one(connection, departments, name))

    async def list(self, request: pb.ListDepartmentsRequest) -> pb.ListDepartmentsResponse:
        """Lists departments by name."""
        page = Page(request, "", NO_ID)
        parent = id_of(request.parent) if request.parent else None
        async with self._database.read() as connection:
            found = await store.list_departments(connection, parent=parent, after=page.after, limit=page.limit)
        shown = page.cut(found, lambda row: (row.display_name, row.id))
        return pb.ListDepartmentsResponse(
            departments=map(department_message, shown), next_page_token=page.next_page_token
        )

    async def create_post(self, command: Command, parent: str, post: resources.Post) -> resources.Post:
        """Makes a post in a department."""
        duties = duties_of(post.duties)
        check_post(duties)
        identifier = uuid7()

        async def work(tx: Transaction) -> resources.Post:
            department = await one(tx.connection, departments, parent)
            row = await rows.insert(
                tx.connection,
                posts,
                {
                    "id": identifier,
                    "department": department.id,
                    "display_name": post.display_name,
                    "duties": [duty.value for duty in duties],
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            message = post_message(row)
            tx.emit(message.name, events.PostCreated(post=message))
            return message

        return await self._uow.run(command, work)

    async def get_post(self, name: str) -> resources.Post:
        """Reads a post."""
        async with self._database.read() as connection:
            return post_message(await store.post(connection, name))

    async def list_posts(self, request: pb.ListPostsRequest) -> pb.ListPostsResponse:
        """Lists the posts of a department by name."""
        page = Page(request, "", NO_ID)
        async with self._database.read() as connection:
            department = await one(connection, departments, request.parent)
            found = await store.list_posts(connection, department=department.id, after=page.after, limit=page.limit)
        shown = page.cut(found, lambda row: (row.display_name, row.id))
        return pb.ListPostsResponse(posts=map(post_message, shown), next_page_token=page.next_page_token)
