"""Roles, and posts and staff with them."""

from google.protobuf.empty_pb2 import Empty

from tests.support.town import FIRST, Town, request_id
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb


class Roles:
    """The roles of a region, as an administrator keeps them."""

    def __init__(self, town: Town) -> None:
        self.town = town

    async def make(self, *permissions: str, title: str = "", token: str = "") -> resources_pb2.Role:
        """Makes a role."""
        draft = resources_pb2.Role(display_name=title or f"角色{request_id()[:8]}", permissions=permissions)
        request = pb.CreateRoleRequest(role=draft, request_id=request_id())
        token = token or await self.town.admin_token()
        return await self.town.call(self.town.offices.CreateRole, request, resources_pb2.Role, token)

    async def narrow(self, name: str, *taken: str, etag: str = FIRST, token: str = "") -> resources_pb2.Role:
        """Takes permissions from a role."""
        request = pb.NarrowRoleRequest(name=name, permissions=taken, etag=etag, request_id=request_id())
        token = token or await self.town.admin_token()
        return await self.town.call(self.town.offices.NarrowRole, request, resources_pb2.Role, token)

    async def delete(self, name: str, etag: str = FIRST, token: str = "") -> None:
        """Deletes a role."""
        request = pb.DeleteRoleRequest(name=name, etag=etag, request_id=request_id())
        token = token or await self.town.admin_token()
        await self.town.call(self.town.offices.DeleteRole, request, Empty, token)

    async def post(self, duties: "list[resources_pb2.Duty.ValueType]", *roles: str) -> resources_pb2.Post:
        """Makes a post with roles."""
        draft = resources_pb2.Post(display_name=f"岗位{request_id()[:8]}", duties=duties, roles=roles)
        request = pb.CreatePostRequest(parent=self.town.department, post=draft, request_id=request_id())
        token = await self.town.admin_token()
        return await self.town.call(self.town.offices.CreatePost, request, resources_pb2.Post, token)

    async def member(self, *posts: str) -> str:
        """Enters a member of staff with posts."""
        admin = await self.town.admin_token()
        made = (await self.town.make_staff(request_id()[:12], admin)).name
        for post in posts:
            await self.town.assign(made, post, admin)
        return made

    async def scope(self, member: str, **form: str) -> frozenset[str]:
        """What a token of a member of staff holds."""
        return (await self.town.verifier().verify(await self.town.human_token(member, **form))).scopes
