"""AccountService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.identity.usecases.accounts import Accounts
from services.identity.usecases.identities import Identities
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class AccountServicer(AccountServiceServicer):
    """Serves ``tongban.identity.v1.AccountService``."""

    def __init__(self, accounts: Accounts, identities: Identities) -> None:
        self._accounts = accounts
        self._identities = identities

    async def CreatePerson(self, request: pb.CreatePersonRequest, context: Context) -> resources.Person:
        """Opens a person's account."""
        return await self._accounts.create_person(command_of(request), request.person)

    async def GetPerson(self, request: pb.GetPersonRequest, context: Context) -> resources.Person:
        """Gets a person, masked."""
        return await self._accounts.get_person(request)

    async def RevealPerson(self, request: pb.RevealPersonRequest, context: Context) -> pb.RevealPersonResponse:
        """Gets a person in clear."""
        return await self._accounts.reveal_person(request)

    async def LookupPerson(self, request: pb.LookupPersonRequest, context: Context) -> resources.Person:
        """Finds a person by document."""
        return await self._accounts.lookup_person(request)

    async def CreateOrganization(
        self, request: pb.CreateOrganizationRequest, context: Context
    ) -> resources.Organization:
        """Opens an organisation's account."""
        return await self._accounts.create_organization(command_of(request), request.organization)

    async def GetOrganization(self, request: pb.GetOrganizationRequest, context: Context) -> resources.Organization:
        """Gets an organisation."""
        return await self._accounts.get_organization(request.name)

    async def LookupOrganization(
        self, request: pb.LookupOrganizationRequest, context: Context
    ) -> resources.Organization:
        """Finds an organisation by its code."""
        return await self._accounts.lookup_organization(request.uscc)

    async def SetLegalRepresentative(
        self, request: pb.SetLegalRepresentativeRequest, context: Context
    ) -> resources.Organization:
        """Sets the legal representative."""
        return await self._accounts.set_legal_representative(command_of(request), request)

    async def CheckIdentities(self, request: pb.CheckIdentitiesRequest, context: Context) -> pb.CheckIdentitiesResponse:
        """Says whether stated names and documents are those of accounts."""
        return await self._identities.check(request)
