"""Waiting for operations, with a bar on a terminal and silently elsewhere; and streams both ways, gone on with after a restart."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.longrunning import operations_pb2

from libs.client import Bearer
from libs.client.waiting import ProgressBar, bar_of
from libs.errors import Cancelled, DeadlineExceeded, InvalidArgument, reasons
from libs.rpc import status
from tests.support.region_stub import RegionStub, region_stub
from tongban.audit.v1 import audit_service_pb2
from tongban.license.v1 import verification_service_pb2
from tongban.operations.v1 import operation_service_pb2 as pb

NAME = "operations/license/0190c0de-0000-7000-8000-000000000001"
Response = audit_service_pb2.ExportAuditRecordsResponse


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest_asyncio.fixture
async def region() -> AsyncIterator[RegionStub]:
    async with region_stub() as stub:
        yield stub


def at(done: int, total: int, phase: str = "WRITING") -> operations_pb2.Operation:
    """An operation that has come so far."""
    made = operations_pb2.Operation(name=NAME)
    made.metadata.Pack(pb.OperationMetadata(done_items=done, total_items=total, phase=phase))
    return made


def ended(**result: Any) -> operations_pb2.Operation:
    made = at(10, 10)
    made.done = True
    if "error" in result:
        made.error.CopyFrom(status.to_status(result["error"]))
    else:
        made.response.Pack(Response(record_count=10))
    return made


def looks(region: RegionStub, *operations: operations_pb2.Operation) -> None:
    """What each further look at the operation finds."""
    left = list(operations)
    region.answers["WaitOperation"] = lambda _: left.pop(0)


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        (at(0, 0, ""), f"[{'-' * 30}]   ?% 0 waiting"),
        (at(7, 0, "COUNTING"), f"[{'-' * 30}]   ?% 7 COUNTING"),
        (at(3, 10), f"[{'#' * 9}{'-' * 21}]  30% 3/10 WRITING"),
        (at(999, 1000), f"[{'#' * 29}-]  99% 999/1000 WRITING"),
        (ended(), f"[{'#' * 30}] 100% 10/10 done"),
        (ended(error=reasons.export_empty("none")), f"[{'#' * 30}] 100% 10/10 failed"),
    ],
)
def test_a_bar_tells_how_far_it_is(operation: operations_pb2.Operation, line: str) -> None:
    assert bar_of(operation) == line


async def test_its_response_is_returned_and_a_terminal_shows_the_way(region: RegionStub) -> None:
    looks(region, at(5, 10), ended())
    terminal = Terminal()
    async with region.client(Bearer("t")) as client:
        response = await client.wait(at(0, 0, ""), Response, bar=ProgressBar(terminal))
    assert response == Response(record_count=10)
    drawn = terminal.getvalue()
    assert drawn.endswith("\n")
    assert [line.rstrip() for line in drawn.strip().split("\r")] == [
        bar_of(each) for each in (at(0, 0, ""), at(5, 10), ended())
    ]
    assert [request.timeout.ToMilliseconds() for _, request, _ in region.seen] == [1000, 1000]


async def test_elsewhere_it_is_silent_and_asks_seldom(region: RegionStub) -> None:
    looks(region, ended())
    stream = io.StringIO()
    async with region.client(Bearer("t")) as client:
        await client.wait(at(0, 0), Response, bar=ProgressBar(stream))
    assert stream.getvalue() == ""
    assert [request.timeout.ToMilliseconds() for _, request, _ in region.seen] == [15_000]


async def test_its_error_is_raised_as_meant(region: RegionStub) -> None:
    looks(region, ended(error=reasons.operation_cancelled("stopped", resource=NAME)))
    async with region.client(Bearer("t")) as client:
        with pytest.raises(Cancelled) as raised:
            await client.wait(at(0, 0), Response)
    assert (raised.value.reason, raised.value.metadata) == ("OPERATION_CANCELLED", {"resource": NAME})


async def test_who_has_no_time_left_is_told_that_it_goes_on(region: RegionStub) -> None:
    async with region.client(Bearer("t")) as client:
        with pytest.raises(DeadlineExceeded):
            await client.wait(at(0, 0), Response, timeout=0)
        with pytest.raises(TypeError):
            await client.wait(ended(), pb.OperationMetadata)
    assert region.seen == []


def question(number: int) -> verification_service_pb2.VerifyLicensesRequest:
    asked = verification_service_pb2.VerifyLicenseRequest(digest="sm3:" + "0" * 64, number=str(number))
    return verification_service_pb2.VerifyLicensesRequest(question=asked)


def answering(ends_at: set[tuple[str, int]]) -> Any:
    """Answers each question with its number; ends the stream, once each, at some."""

    def serve(asked: tuple[int, Any]) -> verification_service_pb2.VerifyLicensesResponse:
        _, request = asked
        number = request.question.number
        for each in tuple(ends_at):
            if each[0] == number:
                ends_at.discard(each)
                raise reasons.stream_ending("about to stop", retry_after=1.0)
        answer = verification_service_pb2.VerifyLicenseResponse(identifier=number)
        return verification_service_pb2.VerifyLicensesResponse(answer=answer)

    return serve


@pytest.mark.parametrize("lazily", [False, True])
async def test_a_stack_is_gone_on_with_where_a_process_stopped(region: RegionStub, lazily: bool) -> None:
    region.answers["VerifyLicenses"] = answering({("0", 1), ("3", 1), ("9", 1), ("9", 2)})

    async def asked() -> AsyncIterator[verification_service_pb2.VerifyLicensesRequest]:
        for number in range(10):
            yield question(number)

    async with region.client(Bearer("t")) as client:
        given: Any = asked() if lazily else map(question, range(10))
        found = [each.answer.identifier async for each in client.license.verify_licenses(given)]
    assert found == [str(number) for number in range(10)]
    assert len(region.paused) == 4


async def test_another_error_ends_a_stack(region: RegionStub) -> None:
    def refusing(_asked: Any) -> Any:
        raise reasons.field_invalid("no")

    region.answers["VerifyLicenses"] = refusing
    async with region.client(Bearer("t")) as client:
        with pytest.raises(InvalidArgument):
            await anext(client.license.verify_licenses([question(1)]))
