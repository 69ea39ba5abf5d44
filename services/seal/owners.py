"""What the seal service asks of identity: whether a seal's owner bears the name and the code that are cut into it."""

from collections.abc import Callable

import grpc

from libs.errors import invalid_field
from libs.ids.documents import CREDIT_CODE
from libs.rpc.client import invoke
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub

Channel = Callable[[], grpc.aio.Channel]


class Owners:
    """Owners of seals, as identity knows them; every call is the service's own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def check(self, owner: str, name: str, uscc: str) -> None:
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
            raise invalid_field("owner", "identity.account", "must have the name on the arc and the code of the seal")
