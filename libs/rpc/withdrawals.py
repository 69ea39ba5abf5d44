"""What identity says was withdrawn, asked over gRPC as the service itself."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import grpc

from libs.errors import TongbanError, reasons
from libs.rpc.client import invoke
from libs.security.withdrawals import STANDS_NOT, Ask, WithdrawnParties
from tongban.identity.v1 import token_service_pb2 as pb
from tongban.identity.v1 import token_service_pb2_grpc

_TIMEOUT = 2.0
_ENDED = frozenset(
    {
        "PERSON_NOT_ACTIVE",
        "ORGANIZATION_NOT_ACTIVE",
        "STAFF_NOT_ACTIVE",
        "CLIENT_NOT_ACTIVE",
        "CLIENT_EXPIRED",
        "CLIENT_MAY_NOT_ASSERT",
        "NOT_LEGAL_REPRESENTATIVE",
        "MANDATE_NOT_ACTIVE",
        "MANDATE_WRONG_AGENT",
        "MANDATE_WRONG_PRINCIPAL",
        "RESOURCE_NOT_FOUND",
    }
)
"""What identity says against one of those behind a token, who all stood when it was made."""


def asking(identity: grpc.aio.Channel) -> Ask:
    """Returns the question to the identity service behind ``identity``."""
    stub = token_service_pb2_grpc.TokenServiceStub(identity)

    async def ask(since: float) -> WithdrawnParties:
        request = pb.ReadWithdrawalsRequest()
        if since > 0:
            request.start_time.FromDatetime(datetime.fromtimestamp(since, UTC))
        answer = await invoke(
            stub.ReadWithdrawals, request, pb.ReadWithdrawalsResponse, to="identity", token="", timeout=_TIMEOUT
        )
        return told(answer)

    return ask


def told(answer: pb.ReadWithdrawalsResponse) -> WithdrawnParties:
    """Reads the answer. Tokens tell whole seconds: one made in the second of the restoration is taken."""
    parties = {
        each.party: math.floor(each.restore_time.seconds) if each.HasField("restore_time") else STANDS_NOT
        for each in answer.withdrawals
    }
    return WithdrawnParties(parties, answer.read_time.ToNanoseconds() / 1e9)


@contextmanager
def standing() -> Iterator[None]:
    """Lets a token be changed for another: who has ended since it was made has a token that holds no more.

    Identity says of whom and why; the caller's token is refused for it everywhere within seconds, and so here at once.

    Raises Unauthenticated TOKEN_INVALID (rule ``withdrawn``).
    """
    try:
        yield
    except TongbanError as error:
        if error.reason not in _ENDED:
            raise
        raise reasons.token_invalid("what the token rests on has ended", rule="withdrawn") from error
