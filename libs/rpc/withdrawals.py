"""What identity says was withdrawn, asked over gRPC as the service itself."""

import math
from datetime import UTC, datetime

import grpc

from libs.rpc.client import invoke
from libs.security.withdrawals import STANDS_NOT, Ask, WithdrawnParties
from tongban.identity.v1 import token_service_pb2 as pb
from tongban.identity.v1 import token_service_pb2_grpc

_TIMEOUT = 2.0


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
