"""What the model's steps do in the offices of the first region: posts, roles, who stands in, guardians."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from libs.errors import TongbanError
from tests.service.identity.model.places import Places, Refused
from tests.service.identity.model.rights import ROLE
from tests.support.roles import Roles
from tests.support.substituting import Substitutions
from tests.support.town import FIRST, request_id
from tongban.identity.v1 import mandate_service_pb2, resources_pb2, staff_service_pb2
from tongban.options.v1 import options_pb2

_EVIDENCE = "materials/00000000-0000-7000-8000-000000000001"


@dataclass
class Offices(Places):
    """Clerks, each with a post of their own and a role of its own."""

    clerks: list[str] = field(default_factory=list)
    posts: dict[str, str] = field(default_factory=dict)
    roles: dict[str, resources_pb2.Role] = field(default_factory=dict)

    async def clerk_stands(self, clerk: str, *, stands: bool) -> None:
        """Takes a clerk's post, or gives them a fresh one."""
        token, home = await self.home.admin_token(), self.home
        if stands:
            kept = Roles(home)
            self.roles[clerk] = await kept.make(*sorted(ROLE))
            post = await kept.post([resources_pb2.DUTY_RECEIVING], self.roles[clerk].name)
            self.posts[clerk] = post.name
            await home.assign(clerk, post.name, token)
            return
        asked = staff_service_pb2.UnassignStaffRequest(name=clerk, post=self.posts[clerk], request_id=request_id())
        await home.call(home.offices.UnassignStaff, asked, resources_pb2.Staff, token)

    async def narrow_role(self, clerk: str, permission: str) -> None:
        """Takes a permission from the role of a clerk's post."""
        role = self.roles[clerk]
        self.roles[clerk] = await Roles(self.home).narrow(role.name, permission, etag=role.etag)

    async def stand_in(self, represented: str, substitute: str, seconds: int) -> str:
        """Has one clerk stand in for the other."""
        made = await Substitutions(self.home).arrange(represented, substitute, self.posts[represented], seconds=seconds)
        return made.name

    async def end_stand_in(self, name: str) -> None:
        """Ends that one stands in for another."""
        await Substitutions(self.home).revoke(name, (await self.home.administrators())[0])

    async def ward(self) -> str:
        """Somebody who is ten years old."""
        return await self.home.person(born=date(self.clock.now().year - 10, 1, 1))

    async def guard(self, ward: str, guardian: str, *, seconds: int, scope: Any, **fields: Any) -> str:
        """Records a guardian, whom a second member of staff approves."""
        home = self.home
        draft = resources_pb2.Mandate(principal=ward, agent=guardian, scope=scope, evidence=_EVIDENCE, **fields)
        draft.end_time.FromSeconds(self.now + seconds)
        record = mandate_service_pb2.RecordGuardianRequest(mandate=draft, request_id=request_id())
        clerk, second = await home.staff_token(), await home.staff_token("reviewing")
        made = await home.call(home.mandates.RecordGuardian, record, resources_pb2.Mandate, clerk)
        approve = mandate_service_pb2.ApproveGuardianRequest(name=made.name, etag=FIRST, request_id=request_id())
        return (await home.call(home.mandates.ApproveGuardian, approve, resources_pb2.Mandate, second)).name

    async def give(self, by: str, principal: str, agent: str, **fields: Any) -> str:
        """Gives a mandate, or passes one on."""
        try:
            return (await self.home.mandate(principal, agent, by, **fields)).name
        except TongbanError as error:
            raise Refused(f"{error.reason} {error}") from error

    async def revoke(self, mandate: str, by: str) -> None:
        """Revokes a mandate; ``by`` nobody's token it is staff who do."""
        asked = mandate_service_pb2.RevokeMandateRequest(name=mandate, reason="换人", request_id=request_id())
        token = by or await self.home.staff_token()
        await self.home.call(self.home.mandates.RevokeMandate, asked, resources_pb2.Mandate, token)


def limited(*, travels: bool) -> list[resources_pb2.MandateLimit]:
    """No limit, or one to a region that is none of the two."""
    nowhere = resources_pb2.MandateLimit(regions=resources_pb2.MandateRegions(regions=["330102"]))
    return [] if travels else [nowhere]


def scope_of(items: frozenset[str], powers: frozenset[str]) -> resources_pb2.MandateScope:
    """What a mandate covers, as the contract writes it."""
    whole = items == frozenset({"*"})
    return resources_pb2.MandateScope(
        all_items=whole,
        item_codes=[] if whole else sorted(items),
        powers=[options_pb2.MandatePower.Value(f"MANDATE_POWER_{each}") for each in sorted(powers)],
    )
