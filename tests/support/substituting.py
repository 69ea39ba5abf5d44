"""Staff who stand in for one another, as the world asks for it."""

from datetime import timedelta
from typing import Any

from tests.support.town import Town, request_id
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb


class Substitutions:
    """The substitutions of a town."""

    def __init__(self, town: Town) -> None:
        self.town = town

    async def member(self, *posts: str) -> str:
        """A new member of staff with these posts."""
        admin = await self.town.admin_token()
        name = (await self.town.make_staff(f"S-{request_id()[:8]}", admin)).name
        for post in posts:
            await self.town.assign(name, self.town.posts[post], admin)
        return name

    async def arrange(
        self, represented: str, substitute: str, *posts: str, token: str = "", seconds: int = 3600, start: int = 0
    ) -> resources_pb2.Substitution:
        """Has one stand in for the other in posts, from ``start`` seconds after now on for ``seconds``."""
        draft = resources_pb2.Substitution(represented=represented, substitute=substitute, posts=posts)
        now = self.town.service.process.clock.now()
        if start:
            draft.start_time.FromDatetime(now + timedelta(seconds=start))
        draft.end_time.FromDatetime(now + timedelta(seconds=start + seconds))
        return await self.make(draft, token)

    async def make(
        self, draft: resources_pb2.Substitution, token: str = "", request: str = ""
    ) -> resources_pb2.Substitution:
        """Asks for a substitution as it is drafted, as an administrator where nobody else is said to ask."""
        asked = pb.CreateSubstitutionRequest(substitution=draft, request_id=request or request_id())
        offices, token = self.town.offices, token or (await self.town.administrators())[0]
        return await self.town.call(offices.CreateSubstitution, asked, resources_pb2.Substitution, token)

    async def approve(self, waits: resources_pb2.Substitution, token: str) -> resources_pb2.Substitution:
        """Stands behind one that waits, as it was read."""
        asked = pb.ApproveSubstitutionRequest(name=waits.name, etag=waits.etag, request_id=request_id())
        return await self.town.call(self.town.offices.ApproveSubstitution, asked, resources_pb2.Substitution, token)

    async def revoke(self, name: str, token: str, etag: str = "") -> resources_pb2.Substitution:
        """Ends one."""
        asked = pb.RevokeSubstitutionRequest(name=name, etag=etag, request_id=request_id())
        return await self.town.call(self.town.offices.RevokeSubstitution, asked, resources_pb2.Substitution, token)

    async def get(self, name: str, token: str) -> resources_pb2.Substitution:
        """Gets one."""
        asked = pb.GetSubstitutionRequest(name=name)
        return await self.town.call(self.town.offices.GetSubstitution, asked, resources_pb2.Substitution, token)

    async def listed(self, token: str, **more: Any) -> list[str]:
        """The names of those that are shown."""
        asked = pb.ListSubstitutionsRequest(**more)
        offices, answer = self.town.offices, pb.ListSubstitutionsResponse
        return [
            each.name for each in (await self.town.call(offices.ListSubstitutions, asked, answer, token)).substitutions
        ]

    async def token(self, substitute: str, substitution: str) -> str:
        """The substitute's token for it, by the region's channel."""
        return await self.town.granted(**self.town.asserted(substitute), substitution=substitution)

    async def refusal(self, substitute: str, substitution: str) -> str:
        """Why the substitute gets no token for it."""
        answer = await self.town.post(**self.town.asserted(substitute), substitution=substitution)
        assert answer.status_code != 200
        return str(answer.json().get("reason", ""))
