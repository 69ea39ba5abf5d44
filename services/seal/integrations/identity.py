"""What the seal service asks of identity: whether an owner bears a seal's name and code, and who its users are."""

import asyncio
from collections.abc import Callable, Iterable

import grpc

from libs.errors import NotFound, invalid_field
from libs.ids.documents import CREDIT_CODE
from libs.rpc.client import invoke
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1 import resources_pb2 as identity
from tongban.identity.v1 import staff_service_pb2 as staff
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub
from tongban.identity.v1.staff_service_pb2_grpc import StaffServiceStub

Channel = Callable[[], grpc.aio.Channel]


class IdentityService:
    """The identity service, as this service sees it; every call is the service's own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def check_owner(self, owner: str, name: str, uscc: str) -> None:
        """Raises FIELD_INVALID unless the department or organisation ``owner`` has this name and this code.

        Raises:
            InvalidArgument: FIELD_INVALID for ``owner`` with rule ``identity.account``.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        document = common_pb2.IdentityDocument(type_code=CREDIT_CODE, number=uscc)
        stated = accounts.StatedIdentity(subject=owner, display_name=name, document=document)
        request = accounts.CheckIdentitiesRequest(identities=[stated])
        stub = AccountServiceStub(self._channel())
        answer = await invoke(stub.CheckIdentities, request, accounts.CheckIdentitiesResponse, to="identity", token="")
        if not all(answer.matches):
            raise invalid_field(
                "seal.owner", "identity.account", "must have the name on the arc and the code of the seal"
            )

    async def humans(self, subjects: Iterable[str]) -> list[str]:
        """Returns the human being that each user of a seal is; an empty string for machines and departments.

        Raises:
            InvalidArgument: FIELD_INVALID for staff and departments that identity does not know.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        return list(await asyncio.gather(*(self._human(place, name) for place, name in enumerate(subjects))))

    async def _human(self, place: int, subject: str) -> str:
        stub = StaffServiceStub(self._channel())
        try:
            if subject.startswith("staff/"):
                asked = staff.GetStaffRequest(name=subject)
                return str((await invoke(stub.GetStaff, asked, identity.Staff, to="identity", token="")).person)
            if subject.startswith("departments/"):
                wanted = staff.GetDepartmentRequest(name=subject)
                await invoke(stub.GetDepartment, wanted, identity.Department, to="identity", token="")
        except NotFound as error:
            raise invalid_field(
                f"seal.users[{place}].subject", "identity.known", "must be known to identity"
            ) from error
        return ""
