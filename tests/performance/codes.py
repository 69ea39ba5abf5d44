"""Personal codes: shows one by one, and scans at gates by many in one message of one stream."""

import asyncio
import uuid
from collections import deque
from typing import Any

from deploy.local.demo.people import Registry
from tests.performance.ground import Ground
from tests.performance.load import Measured, measure
from tests.performance.names import SCANNED_CODES, SCANS, SHOWN_CODE
from tongban.identity.v1 import code_service_pb2 as pb
from tongban.identity.v1 import code_service_pb2_grpc

SHOWS, BATCH = 8000, SCANS
_WARM_UP, _SEED = 2, 31


class _Stream:
    """One stream both ways; answers come in the order of the messages."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._reading = asyncio.create_task(self._read())
        self._writing = asyncio.Lock()

    async def ask(self, message: pb.ScanTransportCodesRequest) -> pb.ScanTransportCodesResponse:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with self._writing:
            self._waiting.append(answered)
            await self._call.write(message)
        found: pb.ScanTransportCodesResponse = await answered
        return found

    async def _read(self) -> None:
        async for answer in self._call:
            self._waiting.popleft().set_result(answer)

    async def close(self) -> None:
        await self._call.done_writing()
        await self._reading


async def shows_and_scans(ground: Ground) -> list[Measured]:
    """Shows codes, and scans each of them while it holds: both within a minute."""
    stub: Any = code_service_pb2_grpc.CodeServiceStub(ground.channels["identity"])
    person = await Registry(ground.office, _SEED).person()
    metadata = ground.metadata(await ground.office.token_of_person(person.name))
    codes: list[str] = []

    async def show(_number: int) -> None:
        codes.append((await stub.IssueCode(pb.IssueCodeRequest(), metadata=metadata)).code)

    shown = await measure(SHOWN_CODE, show, SHOWS, ground.meter, ("identity",), warm_up=_WARM_UP * BATCH)
    messages = [_message(codes[place : place + BATCH]) for place in range(0, len(codes), BATCH)]
    stream = _Stream(stub.ScanTransportCodes(metadata=ground.metadata(await ground.office.admin_token())))

    async def scan(number: int) -> None:
        answer = await stream.ask(messages[number])
        assert all(each.WhichOneof("result") == "answer" for each in answer.answer.scans)

    count = len(messages) - _WARM_UP
    scanned = await measure(
        SCANNED_CODES, scan, count, ground.meter, ("identity",), units=BATCH, warm_up=_WARM_UP, at_once=2
    )
    await stream.close()
    return [shown, scanned]


def _message(codes: list[str]) -> pb.ScanTransportCodesRequest:
    scans = [pb.ScanTransportCodeRequest(code=code, scan=str(uuid.uuid4())) for code in codes]
    return pb.ScanTransportCodesRequest(scans=scans)
