"""Documents of a person's account, as people and clerks change and find them."""

from typing import Any

from tests.support.refusing import asked
from tests.support.town import Town
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import account_service_pb2_grpc, resources_pb2

WHY = common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对身份")
PASSPORT, CITIZEN = "414", "111"


def document(number: str, type_code: str = PASSPORT) -> common_pb2.IdentityDocument:
    """A document, by default a passport."""
    return common_pb2.IdentityDocument(type_code=type_code, number=number)


def adding(person: str, of: common_pb2.IdentityDocument, *, seen: bool = False, etag: str = "") -> Any:
    """Asks to add a document; ``seen`` by staff in person."""
    request: Any = asked("AddDocument", person, etag)
    request.ClearField("document")
    request.ClearField("in_person")
    request.document.document.CopyFrom(of)
    if seen:
        request.in_person.place = "大厅 A1"
    return request


def removing(person: str, of: common_pb2.IdentityDocument, etag: str = "") -> Any:
    """Asks to take a document away."""
    request: Any = asked("RemoveDocument", person, etag)
    request.document.CopyFrom(of)
    return request


class Papers:
    """The documents of people of a region."""

    def __init__(self, town: Town) -> None:
        self.town = town

    async def add(self, request: Any, token: str) -> resources_pb2.Person:
        """Adds a document."""
        return await self.town.call(self.town.accounts.AddDocument, request, resources_pb2.Person, token)

    async def remove(self, request: Any, token: str) -> resources_pb2.Person:
        """Takes a document away."""
        return await self.town.call(self.town.accounts.RemoveDocument, request, resources_pb2.Person, token)

    async def clear(self, person: str) -> resources_pb2.Person:
        """The account in clear, as a clerk reads it."""
        reveal = pb.RevealPersonRequest(name=person, use_context=WHY)
        token = await self.town.staff_token()
        return await self.town.call(self.town.accounts.RevealPerson, reveal, resources_pb2.Person, token)

    async def numbers(self, person: str) -> list[str]:
        """The numbers of a person's documents, that on which the account stands first."""
        return [each.document.number for each in (await self.clear(person)).documents]

    async def lookup(self, of: common_pb2.IdentityDocument) -> str:
        """Whose a document is."""
        request = pb.LookupPersonRequest(document=of, use_context=WHY)
        token = await self.town.staff_token()
        return (await self.town.call(self.town.accounts.LookupPerson, request, resources_pb2.Person, token)).name

    async def believed(self, person: str, name: str, of: common_pb2.IdentityDocument) -> bool:
        """Whether CheckIdentities believes that somebody has a document; of nobody where ``person`` is empty."""
        channel = self.town.neighbour("cases")
        stub = account_service_pb2_grpc.AccountServiceStub(channel)
        stated = pb.StatedIdentity(subject=person, display_name=name, document=of)
        request = pb.CheckIdentitiesRequest(identities=[stated])
        answer = await self.town.call(stub.CheckIdentities, request, pb.CheckIdentitiesResponse, "")
        await channel.close()
        return bool(answer.matches[0])
