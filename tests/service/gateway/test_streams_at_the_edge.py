"""Streams both ways through the real Envoy: longer than a body may take to come, in order, as JSON too, and cut with who hangs up."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.support.edge import Edge, reason_of, running_edge, token_of
from tests.support.exchanging import DIGEST, number_of, opened, question

BODY_SECONDS = 1
JSON_PATH = "/v1/licenses:verifyLicenses"


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("streams")
    with running_edge(folder, materials=True, body_seconds=BODY_SECONDS) as running:
        yield running


def _opened(channel: Any, edge: Edge, requests: Any = None) -> Any:
    return opened(channel, token_of(edge.url), requests)


async def test_a_stream_goes_on_for_longer_than_a_body_may_take(edge: Edge) -> None:
    async with grpc.aio.insecure_channel(edge.target) as channel:
        call = _opened(channel, edge)
        for number in range(5):
            await call.write(question(number))
            assert number_of(await call.read()) == str(number)
            await asyncio.sleep(BODY_SECONDS / 2)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_its_caller_may_give_it_a_deadline(edge: Edge) -> None:
    async with grpc.aio.insecure_channel(edge.target) as channel:
        call = opened(channel, token_of(edge.url), timeout=0.5)
        await call.write(question(1))
        assert number_of(await call.read()) == "1"
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_thousands_of_answers_are_in_order(edge: Edge) -> None:
    async def questions() -> Any:
        for number in range(3000):
            yield question(number)

    async with grpc.aio.insecure_channel(edge.target) as channel:
        found = [number_of(each) async for each in _opened(channel, edge, questions())]
    assert found == [str(number) for number in range(3000)]


def test_a_stack_as_json_is_an_array_both_ways(edge: Edge, client: httpx.Client) -> None:
    bearer = {"authorization": f"Bearer {token_of(edge.url)}"}
    asked = [{"question": {"digest": DIGEST, "number": str(number)}} for number in range(3)]
    answer = client.post(JSON_PATH, json=asked, headers=bearer)
    assert answer.status_code == 200
    assert [each["answer"]["identifier"] for each in answer.json()] == ["0", "1", "2"]


def test_a_stack_as_json_may_take_longer_than_its_questions_may(edge: Edge, client: httpx.Client) -> None:
    bearer = {"authorization": f"Bearer {token_of(edge.url)}"}
    asked = [{"question": {"digest": DIGEST, "number": "slow"}}] * (2 * BODY_SECONDS)
    answer = client.post(JSON_PATH, json=asked, headers=bearer)
    assert [each["answer"]["identifier"] for each in answer.json()] == ["slow"] * (2 * BODY_SECONDS)


def test_json_that_the_contract_does_not_know_is_named(client: httpx.Client, edge: Edge) -> None:
    bearer = {"authorization": f"Bearer {token_of(edge.url)}"}
    answer = client.post(JSON_PATH, json=[{"question": {"digst": DIGEST}}], headers=bearer)
    assert reason_of(answer) == "FIELD_INVALID"
    assert reason_of(client.post(JSON_PATH, json=[])) == "TOKEN_MISSING"


async def test_who_hangs_up_ends_nobody_elses(edge: Edge) -> None:
    async with grpc.aio.insecure_channel(edge.target) as channel:
        honest = _opened(channel, edge)
        await honest.write(question("mine"))
        assert number_of(await honest.read()) == "mine"
        for said in range(20):
            call = _opened(channel, edge)
            for number in range(said % 3):
                await call.write(question(number))
            call.cancel()
        await honest.write(question("still"))
        assert number_of(await honest.read()) == "still"
        honest.cancel()
