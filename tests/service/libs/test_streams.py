"""Streams both ways through all stages, and those who mean them ill: silent, deaf, broken, gone, too fast."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from libs.rpc import streams as streams_module
from libs.rpc.stages import rate_limit
from libs.rpc.status import from_rpc_error
from libs.security.tokens import LEEWAY_SECONDS
from tests.support.exchanging import VERIFICATION, Verifications, number_of, opened, question, refused
from tests.support.patience import PATIENCE
from tests.support.process import until
from tests.support.rpc_lab import Lab, make_lab

IDLE = 0.6


@pytest.fixture(scope="module")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("streams")


@pytest.fixture
def lab(lab_folder: Path) -> Lab:
    return make_lab(lab_folder)


def serving(lab: Lab, servicer: Verifications, idle: float = IDLE, **more: Any) -> Any:
    return lab.serving(servicer, VERIFICATION, stream_idle_seconds=idle, **more)


async def asked(numbers: Any) -> AsyncIterator[bytes]:
    for number in numbers:
        yield question(number)


async def nobody_is_served(servicer: Verifications) -> bool:
    return bool(servicer.ended)


async def test_each_message_is_answered_in_order(lab: Lab) -> None:
    async with serving(lab, Verifications()) as channel:
        call = opened(channel, lab.token(), asked(range(200)), timeout=PATIENCE)
        assert [number_of(each) async for each in call] == [str(number) for number in range(200)]


async def test_a_stream_that_asks_nothing_is_answered_nothing(lab: Lab) -> None:
    async with serving(lab, Verifications()) as channel:
        call = opened(channel, lab.token(), asked(()), timeout=PATIENCE)
        assert [each async for each in call] == []
        assert await call.code() is grpc.StatusCode.OK


async def test_an_answer_comes_before_the_next_question_is_asked(lab: Lab) -> None:
    async with serving(lab, Verifications()) as channel:
        call = opened(channel, lab.token())
        for number in range(3):
            await call.write(question(number))
            assert number_of(await call.read()) == str(number)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_a_stream_lives_as_long_as_something_comes(lab: Lab) -> None:
    """Four times as long as it may be silent."""
    async with serving(lab, Verifications()) as channel:
        call = opened(channel, lab.token())
        for number in range(8):
            await asyncio.sleep(IDLE / 2)
            await call.write(question(number))
            assert number_of(await call.read()) == str(number)
        call.cancel()


@pytest.mark.parametrize("said", [0, 2])
async def test_who_never_writes_is_ended(lab: Lab, said: int) -> None:
    servicer = Verifications()
    async with serving(lab, servicer) as channel:
        call = opened(channel, lab.token())
        for number in range(said):
            await call.write(question(number))
            await call.read()
        error = await asyncio.wait_for(refused(call), PATIENCE)
        assert (error.reason, error.metadata) == ("STREAM_IDLE", {"idle_seconds": "0.6"})
        assert servicer.ended == ["CancelledError"]


async def test_a_handler_that_hangs_is_ended_too(lab: Lab) -> None:
    async def hang(_request: Any) -> None:
        await asyncio.Event().wait()

    async with serving(lab, Verifications(hang)) as channel:
        call = opened(channel, lab.token(), asked([1]))
        assert (await asyncio.wait_for(refused(call), PATIENCE)).reason == "STREAM_IDLE"


async def test_who_never_reads_holds_back_themselves_alone(lab: Lab) -> None:
    """Their questions are not read any more once the answers pile up, and the place is free after a silence."""
    servicer = Verifications(padding=100_000)
    async with serving(lab, servicer) as channel, serving_channel(lab) as other:
        deaf = opened(channel, lab.token())

        async def flood() -> None:
            for number in range(1000):
                await deaf.write(question(number))

        flooding = asyncio.ensure_future(flood())
        assert [number_of(each) async for each in opened(other, lab.token(), asked([1, 2]))] == ["1", "2"]
        await until(lambda: nobody_is_served(servicer))

        async def let_go() -> bool:
            return len(servicer.ended) == 2

        await until(let_go)
        assert len(servicer.seen) < 300
        flooding.cancel()
        deaf.cancel()
        await asyncio.wait([flooding])


def serving_channel(lab: Lab) -> Any:
    """Another connection to the same server."""
    from libs.rpc.client import neighbour_channel  # noqa: PLC0415 - only this test has two
    from tests.support.backends import HOST  # noqa: PLC0415 - as above

    return neighbour_channel(f"{HOST}:{lab.config.grpc.port}", lab.ground.tls("gateway"))


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"\xff\xff", "FIELD_INVALID"),
        (b"", "FIELD_INVALID"),
        (b"\x0a\x02\x12\x00\x7a\x01x", "FIELD_INVALID"),
        (b"x" * 5_000_000, "MESSAGE_TOO_LARGE"),
    ],
)
async def test_garbage_in_the_middle_ends_it_behind_the_answers_before(lab: Lab, garbage: bytes, reason: str) -> None:
    servicer = Verifications()
    async with serving(lab, servicer, idle=20.0) as channel:
        call = opened(channel, lab.token())
        await call.write(question(1))
        assert number_of(await call.read()) == "1"
        await call.write(garbage)
        assert (await refused(call)).reason == reason
        assert servicer.seen == ["1"]


@pytest.mark.parametrize("answers", [0, 1, 5])
async def test_who_hangs_up_leaves_nothing_behind(lab: Lab, answers: int) -> None:
    servicer = Verifications()
    async with serving(lab, servicer, idle=20.0) as channel:
        for _ in range(rate_limit.MOST_STREAMS + 2):
            call = opened(channel, lab.token())
            for number in range(answers):
                await call.write(question(number))
                await call.read()
            if not answers:
                await call.wait_for_connection() if hasattr(call, "wait_for_connection") else None
            call.cancel()
        call = opened(channel, lab.token(), asked([7]), timeout=PATIENCE)

        async def served() -> bool:
            try:
                return [
                    number_of(each) async for each in opened(channel, lab.token(), asked([7]), timeout=PATIENCE)
                ] == ["7"]
            except grpc.aio.AioRpcError:
                return False

        await until(served)


async def test_who_hangs_up_while_an_answer_is_made_stops_it(lab: Lab) -> None:
    begun = asyncio.Event()

    async def slow(_request: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    servicer = Verifications(slow)
    async with serving(lab, servicer, idle=20.0) as channel:
        call = opened(channel, lab.token())
        await call.write(question(1))
        await begun.wait()
        call.cancel()
        await until(lambda: nobody_is_served(servicer))
        assert servicer.ended == ["CancelledError"]


async def test_a_caller_has_so_many_streams_and_others_theirs(lab: Lab) -> None:
    async with serving(lab, Verifications(), idle=20.0) as channel:
        calls = [opened(channel, lab.token()) for _ in range(rate_limit.MOST_STREAMS)]
        for call in calls:
            await call.write(question(1))
            await call.read()
        assert (await refused(opened(channel, lab.token(), asked([1])))).reason == "RATE_LIMITED"
        other = lab.issuer.token("persons/00000000-0000-7000-8000-0000000000b2", "PERSON", "*")
        assert [number_of(each) async for each in opened(channel, other, asked([1]))] == ["1"]
        for call in calls:
            call.cancel()


async def test_who_sends_faster_than_they_may_call_waits(lab: Lab) -> None:
    async with serving(lab, Verifications(), idle=20.0, calls_per_second_per_caller=20.0) as channel:
        started = asyncio.get_running_loop().time()
        call = opened(channel, lab.token(), asked(range(50)))
        assert len([each async for each in call]) == 50
        assert asyncio.get_running_loop().time() - started > 1.0


async def test_a_stream_takes_so_many_messages(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "MOST_MESSAGES", 5)
    servicer = Verifications()
    async with serving(lab, servicer) as channel:
        error = await refused(opened(channel, lab.token(), asked(range(9))))
    assert (error.reason, error.metadata) == ("STREAM_TOO_LONG", {"limit_messages": "5"})
    assert servicer.seen == ["0", "1", "2", "3", "4"]


async def test_strangers_get_nothing(lab: Lab) -> None:
    servicer = Verifications()
    async with serving(lab, servicer) as channel:
        assert (await refused(opened(channel, "", asked([1])))).reason == "TOKEN_MISSING"
        without = lab.token(scope="license.licenses.get")
        assert (await refused(opened(channel, without, asked([1])))).reason == "PERMISSION_MISSING"
    assert servicer.seen == []


async def test_a_token_whose_time_is_over_ends_the_stream(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "ASKED_AGAIN_SECONDS", 0.0)
    async with serving(lab, Verifications(), idle=20.0) as channel:
        # Made so that it is good for two seconds more, with the minute that clocks may differ by.
        call = opened(channel, lab.token(now=int(time.time()) - 600 - LEEWAY_SECONDS + 2))
        answered: list[str] = []

        async def go_on() -> None:
            while True:
                await call.write(question(len(answered)))
                answered.append(number_of(await call.read()))
                await asyncio.sleep(0.1)

        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await go_on()
        assert answered == [str(number) for number in range(len(answered))] != []
        assert from_rpc_error(ended.value, "license").reason == "TOKEN_INVALID"


async def test_a_process_that_stops_tells_each_stream_between_two_messages(lab: Lab) -> None:
    going = asyncio.Event()
    begun = asyncio.Event()

    async def slow(request: Any) -> None:
        if request.question.number == "2":
            begun.set()
            await going.wait()

    servicer = Verifications(slow)
    builder = lab.builder(allow={VERIFICATION.full_name: ["gateway"]}, stream_idle_seconds=20.0)
    server = await builder.add(VERIFICATION, servicer).build()
    await server.start()
    async with serving_channel(lab) as channel:
        call, silent = opened(channel, lab.token()), opened(channel, lab.token())
        for number in (1, 2):
            await call.write(question(number))
        assert number_of(await call.read()) == "1"
        await begun.wait()
        builder.streams.end()
        assert (await refused(silent)).reason == "STREAM_ENDING"
        going.set()
        assert number_of(await call.read()) == "2"
        error = await refused(call)
    await server.stop(None)
    assert (error.reason, error.code.name, error.retry_after) == ("STREAM_ENDING", "UNAVAILABLE", 1.0)
    assert servicer.seen == ["1", "2"]
