"""By which documents somebody is known, asked of identity with their own token: sharing keeps no accounts."""

from collections.abc import Callable

import grpc

from libs.rpc.client import invoke
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub

_OWN_USE = common_pb2.UseContext(purpose_code="OWN_USE")


class KnownDocuments:
    """The documents of accounts."""

    def __init__(self, identity: Callable[[], grpc.aio.Channel]) -> None:
        self._identity = identity

    async def numbers(self, subject: str, token: str) -> list[str]:
        """Returns the numbers of a person's documents, or a firm's code; none for those of other regions.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
            PermissionDenied: PERMISSION_MISSING, the token may not read the account.
        """
        if subject.startswith("//"):
            return []
        stub = AccountServiceStub(self._identity())
        if subject.startswith("organizations/"):
            request = accounts.GetOrganizationRequest(name=subject)
            firm = await invoke(stub.GetOrganization, request, resources.Organization, to="identity", token=token)
            return [firm.uscc]
        asked = accounts.RevealPersonRequest(name=subject, use_context=_OWN_USE)
        person = await invoke(stub.RevealPerson, asked, resources.Person, to="identity", token=token)
        return [each.document.number for each in person.documents]
