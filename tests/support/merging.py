"""Two accounts of one human being, and how they become one."""

from typing import Any

from tests.support.held import PASSPORT, Papers, document
from tests.support.town import FIRST, Town, request_id
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import resources_pb2, verification_service_pb2

EVIDENCE = "materials/00000000-0000-7000-8000-000000000001"
CITIZEN = "111"


class Merging:
    """Opens accounts of one name, and merges them."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.drawn = 0

    def passport(self) -> common_pb2.IdentityDocument:
        """A passport that nobody has yet."""
        self.drawn += 1
        return document(f"EM{request_id()[:8].upper()}{self.drawn}", PASSPORT)

    def citizen(self) -> common_pb2.IdentityDocument:
        """A resident card that nobody has yet."""
        return document(self.town.people.citizen_id(None), CITIZEN)

    async def account(
        self, name: str, of: common_pb2.IdentityDocument, *, phone: str = "", verified: bool = True
    ) -> str:
        """Opens an account; the person was seen unless not ``verified``."""
        draft = resources_pb2.Person(full_name=name, documents=[resources_pb2.HeldDocument(document=of)])
        if phone:
            draft.contact_points.add(phone=phone)
        request = pb.CreatePersonRequest(person=draft, request_id=request_id())
        token = await self.town.staff_token()
        made = await self.town.call(self.town.accounts.CreatePerson, request, resources_pb2.Person, token)
        if verified:
            check = verification_service_pb2.RecordVerificationRequest(person=made.name, request_id=request_id())
            check.in_person.place = "大厅 A1"
            await self.town.call(self.town.checks.RecordVerification, check, resources_pb2.Verification, token)
        return made.name

    async def two(self, name: str = "") -> tuple[str, str]:
        """The two accounts of somebody: one by the resident card, one by the passport."""
        name = name or self.town.people.person().name
        return await self.account(name, self.citizen()), await self.account(name, self.passport())

    async def ask(self, kept: str, merged: str, token: str = "") -> resources_pb2.PersonMerge:
        """Asks for a merge, as receiving staff."""
        draft = resources_pb2.PersonMerge(kept=kept, merged=merged, evidence=[EVIDENCE])
        request = pb.CreatePersonMergeRequest(person_merge=draft, request_id=request_id())
        token = token or await self.town.staff_token()
        return await self.town.call(self.town.accounts.CreatePersonMerge, request, resources_pb2.PersonMerge, token)

    async def asked_of(self, kept: str) -> resources_pb2.PersonMerge:
        """Asks to merge another account of the same name into one, as receiving staff."""
        name = (await Papers(self.town).clear(kept)).full_name
        return await self.ask(kept, await self.account(name, self.passport()))

    async def approve_of(self, kept: str, token: str) -> resources_pb2.PersonMerge:
        """Approves such a merge."""
        return await self.approve((await self.asked_of(kept)).name, token)

    async def refuse_of(self, kept: str, token: str) -> resources_pb2.PersonMerge:
        """Refuses such a merge."""
        return await self.refuse((await self.asked_of(kept)).name, token)

    async def approve(self, name: str, token: str = "", etag: str = FIRST, **given: Any) -> resources_pb2.PersonMerge:
        """Approves a merge, as reviewing staff."""
        request = pb.ApprovePersonMergeRequest(name=name, etag=etag, **{"request_id": request_id(), **given})
        token = token or await self.town.staff_token("reviewing")
        return await self.town.call(self.town.accounts.ApprovePersonMerge, request, resources_pb2.PersonMerge, token)

    async def refuse(self, name: str, token: str = "", etag: str = FIRST) -> resources_pb2.PersonMerge:
        """Refuses a merge, as reviewing staff."""
        request = pb.RefusePersonMergeRequest(name=name, etag=etag, request_id=request_id())
        token = token or await self.town.staff_token("reviewing")
        return await self.town.call(self.town.accounts.RefusePersonMerge, request, resources_pb2.PersonMerge, token)

    async def merge(self, kept: str, merged: str) -> resources_pb2.PersonMerge:
        """Makes two accounts one."""
        return await self.approve((await self.ask(kept, merged)).name)

    async def claims(self, token: str) -> dict[str, Any]:
        """What a token says."""
        return dict((await self.town.verifier().verify(token)).claims)
