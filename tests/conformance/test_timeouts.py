"""How long a call may take is said once, in its contract: the server, the gateway and the client library follow."""

from typing import Any, cast

import pytest
from google.protobuf.message import Message

from libs.client.calls import AsyncRegionCalls
from libs.client.connection import Connection
from libs.client.retrying import RetryPolicy
from libs.client.signing import RequestSigner
from libs.client.tokens import GivenToken
from libs.rpc.contract import DEFAULT_SECONDS, Method
from libs.rpc.stages.deadline import seconds_for
from tests.support import contracts
from tongban.options.v1 import options_pb2
from tongban.seal.v1 import seal_service_pb2, sealing_service_pb2

LONGEST = 60


def _unary() -> list[Method]:
    methods = contracts.methods()
    return [each for each in methods if not (each.descriptor.client_streaming or each.descriptor.server_streaming)]


def _declared(method: Method) -> int:
    return int(method.descriptor.GetOptions().Extensions[options_pb2.rpc].timeout_seconds)


def test_some_say_another_time_than_all_and_none_is_an_operation() -> None:
    said = {_declared(each) for each in contracts.methods() if _declared(each)}
    assert said
    assert DEFAULT_SECONDS not in said, "what all have is not said again"
    assert max(said) <= LONGEST


@pytest.mark.parametrize("method", _unary(), ids=lambda method: method.name)
def test_the_server_gives_a_call_no_more_than_its_contract(method: Method) -> None:
    most = float(_declared(method) or DEFAULT_SECONDS)
    assert [seconds_for(method, given) for given in (None, 3600.0, 2.0)] == [most, most, 2.0]


class _Heard(Connection):
    """A gateway that notes how long it is waited for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def call(
        self, method: Method, request: Message, seconds: float, token: str, signer: RequestSigner | None = None
    ) -> Message:
        self.seconds.append(seconds)
        return method.response_type()


@pytest.mark.parametrize(("given", "of_client", "waited"), [(None, None, LONGEST), (3.0, None, 3), (None, 9.0, 9)])
async def test_a_client_waits_as_long_as_the_contract_says_where_nobody_says_else(
    given: float | None, of_client: float | None, waited: float
) -> None:
    heard = _Heard()
    calls = AsyncRegionCalls(heard, GivenToken(), RetryPolicy(), of_client)
    await calls.call(sealing_service_pb2.SealDocumentRequest(), sealing_service_pb2.SealDocumentResponse, given)
    assert heard.seconds == [pytest.approx(waited, abs=0.5)]
    if given is of_client is None:
        await calls.call(seal_service_pb2.GetSealRequest(), cast(Any, _answer()), None)
        assert heard.seconds[1] == pytest.approx(DEFAULT_SECONDS, abs=0.5)


def _answer() -> type[Message]:
    return next(each.response_type for each in contracts.methods() if each.name.endswith("SealService.GetSeal"))
