"""StaffService about roles: permissions by which posts give less than their duties do (decision 0081)."""

from google.protobuf.empty_pb2 import Empty

from libs import names
from libs.db.command import command_of
from libs.db.etag import check_etag, etag_of
from libs.db.uow import Transaction
from libs.errors import reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from libs.security.withdrawals import party_of_post
from services.identity.core.duties import Duty
from services.identity.core.parts import Parts
from services.identity.roles import rules, store
from services.identity.roles.rules import StaffRole
from services.identity.roles.service import given_by
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb


class RoleApi:
    """Keeps roles."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_role(self, request: pb.CreateRoleRequest, call: Call) -> resources.Role:
        """Makes a role."""
        asked = request.role
        names.check(asked.display_name, "role.display_name")

        async def work(tx: Transaction) -> resources.Role:
            # A repeat is told what it was, whatever the contracts have become since.
            rules.check_given(asked.permissions, given_by(Duty), "role.permissions")
            permissions = tuple(sorted(asked.permissions))
            row = StaffRole(uuid7(), asked.display_name, permissions, tx.now, tx.now)
            message = role_message(await store.ADD.add(tx.connection, row))
            tx.emit(message.name, events.RoleCreated(role=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def narrow_role(self, request: pb.NarrowRoleRequest, call: Call) -> resources.Role:
        """Takes permissions from a role; tokens that were given by it are refused."""

        async def work(tx: Transaction) -> resources.Role:
            row = await store.role(tx.connection, request.name, lock=True)
            check_etag(request.name, row.version, request.etag)
            left = rules.narrowed(row, request.permissions)
            row = await store.UPDATE.one(tx.connection, row.id, permissions=left, update_time=tx.now)
            held = await store.holders(tx.connection, row.id, tx.now)
            resting = {
                party_of_post(f"staff/{each.staff}", f"departments/{each.department}/posts/{each.post}")
                for each in held
            }
            await self._parts.withdrawals.narrow(tx, *resting)
            message = role_message(row)
            tx.emit(message.name, events.RoleNarrowed(role=message))
            return message

        answer = await self._parts.uow.run(command_of(request, call=call), work)
        await self._parts.withdrawals.settled()
        return answer

    async def delete_role(self, request: pb.DeleteRoleRequest, call: Call) -> Empty:
        """Deletes a role that no post has."""

        async def work(tx: Transaction) -> Empty:
            row = await store.role(tx.connection, request.name, lock=True)
            check_etag(request.name, row.version, request.etag)
            having = await store.post_with(tx.connection, row.id)
            if having is not None:
                raise reasons.role_in_use("a post has the role", role=row.name, post=having.name)
            await store.DELETE.gone(tx.connection, row.id)
            tx.emit(row.name, events.RoleDeleted(role=role_message(row)))
            return Empty()

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_role(self, request: pb.GetRoleRequest, call: Call) -> resources.Role:
        """Gets a role."""
        async with self._parts.database.read() as connection:
            return role_message(await store.role(connection, request.name))

    async def list_roles(self, request: pb.ListRolesRequest, call: Call) -> pb.ListRolesResponse:
        """Lists roles by name."""
        async with self._parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, self._parts.pages, request)
        return pb.ListRolesResponse(roles=map(role_message, shown), next_page_token=token)


def role_message(row: StaffRole) -> resources.Role:
    """Builds a role's message."""
    return resources.Role(
        name=row.name,
        display_name=row.display_name,
        permissions=row.permissions,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
