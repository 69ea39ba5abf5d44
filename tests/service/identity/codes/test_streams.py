"""Codes at gates over one stream: each answered once and in order, by what the scan of one would be answered."""

import asyncio
import uuid

import pytest

from libs.rpc import status
from tests.support.codes import Codes, gate
from tests.support.silence import records, silenced
from tests.support.town import Town, reason_of
from tongban.identity.v1 import code_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def codes(home: Town) -> Codes:
    return Codes(home)


async def _made(codes: Codes, count: int) -> list[str]:
    person, mint = (await codes.town.person()).removeprefix("persons/"), codes.mint()
    return [mint.make(person, 3)[0] for _ in range(count)]


def outcomes(answer: pb.ScanTransportCodesResponse) -> list[str]:
    """What became of each scan of a message: OK, or the reason of a refusal."""
    assert answer.WhichOneof("result") == "answer"
    return [
        status.from_status(each.error).reason if each.WhichOneof("result") == "error" else "OK"
        for each in answer.answer.scans
    ]


async def test_each_message_is_answered_in_order(codes: Codes) -> None:
    good = await _made(codes, 24)
    messages = [gate(*good[:20]), gate(good[20], "no code", good[0]), gate(*good[21:])]
    found = await codes.stream(messages)
    assert [outcomes(each) for each in found] == [["OK"] * 20, ["OK", "CODE_INVALID", "CODE_REPLAYED"], ["OK"] * 3]
    assert len({each.receipt.record for each in found}) == 3
    assert found[0].answer.scans[0].answer.code.assurance == 3


async def test_a_message_that_is_sent_again_is_answered_again_and_counted_once(codes: Codes) -> None:
    message, before = gate(*await _made(codes, 10)), (await codes.statistics()).total_scans
    assert [outcomes(each) for each in await codes.stream([message])] == [["OK"] * 10]
    assert [outcomes(each) for each in await codes.stream([message, message])] == [["OK"] * 10] * 2
    assert (await codes.statistics()).total_scans - before == 10


async def test_one_code_twice_in_a_message_is_scanned_once(codes: Codes) -> None:
    (code,) = await _made(codes, 1)
    scan = pb.ScanTransportCodeRequest(code=code, scan=str(uuid.uuid4()))
    other = pb.ScanTransportCodeRequest(code=code, scan=str(uuid.uuid4()))
    (found,) = await codes.stream([pb.ScanTransportCodesRequest(scans=[scan, other, scan])])
    assert outcomes(found) == ["OK", "CODE_REPLAYED", "OK"]


async def test_messages_with_the_same_codes_never_wait_for_one_another(codes: Codes) -> None:
    """Two replicas, or two streams, use the codes of a message up in one order."""
    good = await _made(codes, 60)
    found = await asyncio.gather(*(codes.stream([gate(*order)]) for order in (good, good[::-1], good[30:] + good[:30])))
    each = list(zip(*(next(map(outcomes, answers)) for answers in found), strict=True))
    assert sum(each_of.count("OK") for each_of in each) == 60
    assert {outcome for each_of in each for outcome in each_of} == {"OK", "CODE_REPLAYED"}


async def test_a_message_of_nothing_that_holds_is_on_record_too(codes: Codes) -> None:
    before = len(await records(codes.town.service))
    (found,) = await codes.stream([gate("no code", "nor this")])
    assert outcomes(found) == ["CODE_INVALID"] * 2
    assert found.receipt.record
    assert len(await records(codes.town.service)) == before + 1


async def test_a_stream_without_a_message_ends_without_an_answer(codes: Codes) -> None:
    assert await codes.stream([]) == []


async def test_what_breaks_the_contract_ends_the_stream(codes: Codes) -> None:
    assert await reason_of(codes.stream([pb.ScanTransportCodesRequest()])) == "FIELD_INVALID"
    scan = pb.ScanTransportCodeRequest(code="x", scan="none")
    assert await reason_of(codes.stream([pb.ScanTransportCodesRequest(scans=[scan])])) == "FIELD_INVALID"
    many = pb.ScanTransportCodesRequest(scans=[pb.ScanTransportCodeRequest(code="x", scan=str(uuid.uuid4()))] * 501)
    assert await reason_of(codes.stream([many])) == "FIELD_INVALID"


async def test_no_record_no_answer(codes: Codes) -> None:
    message, token = gate(*await _made(codes, 3)), await codes.scanner("Transport")
    async with silenced(codes.town.service, "identity"):
        await reason_of(codes.stream([message], token))
    assert [outcomes(each) for each in await codes.stream([message], token)] == [["OK"] * 3]
