"""A stream both ways, served with the default stages by a servicer that the test decides over."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from libs.errors import TongbanError
from libs.rpc.status import from_rpc_error
from tongban.license.v1 import verification_service_pb2 as pb

VERIFICATION = pb.DESCRIPTOR.services_by_name["VerificationService"]
PATH = f"/{VERIFICATION.full_name}/VerifyLicenses"
DIGEST = "sm3:" + "0" * 64


async def _at_once(_request: Any) -> None:
    """Answers at once."""


@dataclass
class Verifications:
    """A VerificationService that answers each question with its own digest, after what the test has it wait for."""

    before: Callable[[Any], Awaitable[None]] = _at_once
    seen: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    padding: int = 0

    async def verify_license(self, request: Any, call: Any) -> Any:
        raise AssertionError

    async def verify_licenses(self, request: AsyncIterator[Any], call: Any) -> Any:
        try:
            async for each in request:
                self.seen.append(each.question.number)
                await self.before(each)
                answer = pb.VerifyLicenseResponse(identifier=each.question.number + "x" * self.padding)
                yield pb.VerifyLicensesResponse(answer=answer)
            self.ended.append("closed")
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise


def question(number: str | int) -> bytes:
    """A question, told apart by its number."""
    asked = pb.VerifyLicenseRequest(digest=DIGEST, number=str(number))
    return pb.VerifyLicensesRequest(question=asked).SerializeToString()


def number_of(answer: bytes) -> str:
    """Which question an answer is of."""
    return str(pb.VerifyLicensesResponse.FromString(answer).answer.identifier).rstrip("x")


def opened(channel: Any, token: str, requests: Any = None, **more: Any) -> Any:
    """Opens the stream; raw bytes both ways."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    return channel.stream_stream(PATH)(requests, metadata=metadata, **more)


async def refused(call: Any) -> TongbanError:
    """What a stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await _to_its_end(call)
    return from_rpc_error(raised.value, "license")


async def _to_its_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass
