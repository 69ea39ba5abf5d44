"""JSON streams through the real Envoy: who reads one can tell the whole from the broken, and learns why it broke (decision 0062)."""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from deploy.pki import development
from libs.rpc import status
from services.gateway.stream_ends import FIELD
from tests.support.edge import Edge, reason_of, running_edge, token_of
from tests.support.edge_licences import RECEIPT, wordy
from tests.support.exchanging import DIGEST, number_of, opened, question
from tests.support.patience import PATIENCE
from tongban.common.v1 import common_pb2

PATH = "/v1/licenses:verifyLicenses"
_FIRST = '[{"answer"'
_PROCESSES = ("identity", "license", "seal", "cases", "sharing", "gateway")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("ends"), materials=True) as running:
        yield running


def _asked(*numbers: str) -> list[Any]:
    return [{"question": {"digest": DIGEST, "number": number}} for number in numbers]


def _headers(edge: Edge, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(edge.url)}", **more}


def _answered(client: httpx.Client, edge: Edge, *numbers: str, **more: str) -> list[Any]:
    answer = client.post(PATH, json=_asked(*numbers), headers=_headers(edge, **more))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    elements: list[Any] = answer.json()
    return elements


def _numbers(elements: list[Any]) -> list[str]:
    return [each["answer"]["identifier"] for each in elements]


def _reason(told: dict[str, Any]) -> str:
    assert told["details"][0]["domain"] == "tongban"
    return str(told["details"][0]["reason"])


def test_a_whole_stream_ends_with_its_last_answer(client: httpx.Client, edge: Edge) -> None:
    assert _numbers(_answered(client, edge, "1", "2", "3")) == ["1", "2", "3"]
    assert _answered(client, edge) == []


@pytest.mark.parametrize(
    ("how", "reason", "code"),
    [("ending", "STREAM_ENDING", 14), ("idle", "STREAM_IDLE", 4), ("wordy", "FIELD_INVALID", 3)],
)
def test_one_that_breaks_says_why_behind_its_answers(
    client: httpx.Client, edge: Edge, how: str, reason: str, code: int
) -> None:
    *answers, last = _answered(client, edge, "1", "2", how, "4")
    assert _numbers(answers) == ["1", "2"]
    assert list(last) == [FIELD]
    told = last[FIELD]
    assert (_reason(told), told["code"]) == (reason, code)
    assert told["details"][-1]["locale"] == "zh-CN"


def test_the_longest_reason_arrives_whole(client: httpx.Client, edge: Edge) -> None:
    """All that may be sent of an error, none of it ASCII."""
    told = _answered(client, edge, "1", "wordy")[-1][FIELD]
    sent = status.to_status(wordy())
    assert told["message"] == sent.message
    assert len(told["details"][1]["fieldViolations"]) == 20


def test_it_is_told_in_the_language_that_is_asked_for(client: httpx.Client, edge: Edge) -> None:
    for how in ("ending", "bare"):
        for asked, told in (("en", "en"), ("fr, zh;q=0.5, en;q=0.1", "zh-CN")):
            last = _answered(client, edge, "1", how, **{"accept-language": asked})[-1]
            assert last[FIELD]["details"][-1]["locale"] == told


def test_what_ends_without_a_word_of_ours_is_typed_all_the_same(client: httpx.Client, edge: Edge) -> None:
    *answers, last = _answered(client, edge, "1", "bare")
    assert _numbers(answers) == ["1"]
    assert (_reason(last[FIELD]), last[FIELD]["code"]) == ("DEPENDENCY_UNAVAILABLE", 14)


def test_what_is_refused_before_the_first_answer_has_its_status(client: httpx.Client, edge: Edge) -> None:
    assert client.post(PATH, json=_asked("bare"), headers=_headers(edge)).status_code == 499
    assert reason_of(client.post(PATH, json=_asked("1"))) == "TOKEN_MISSING"


def test_where_a_receipt_went_before_the_reason_it_is_told_all_the_same(client: httpx.Client, edge: Edge) -> None:
    """Headers that came alone are passed on at once, with 200: then the array has the reason alone."""
    (last,) = _answered(client, edge, "receipt_and_ending")
    assert _reason(last[FIELD]) == "STREAM_ENDING"


def test_a_receipt_goes_before_the_answers(client: httpx.Client, edge: Edge) -> None:
    answer = client.post(PATH, json=_asked("receipt", "2", "ending"), headers=_headers(edge))
    given = answer.headers["tongban-receipt"]
    assert common_pb2.Receipt.FromString(base64.b64decode(given + "=" * (-len(given) % 4))) == RECEIPT
    assert _numbers(answer.json()[:-1]) == ["receipt", "2"]


async def test_a_grpc_caller_gets_status_and_trailers_as_ever(edge: Edge) -> None:
    async with grpc.aio.insecure_channel(edge.target) as channel:
        call = opened(channel, token_of(edge.url), (question(each) for each in ("1", "ending")), timeout=PATIENCE)
        assert number_of(await call.read()) == "1"
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
    error = status.from_rpc_error(ended.value, "license")
    assert (error.reason, ended.value.code()) == ("STREAM_ENDING", grpc.StatusCode.UNAVAILABLE)
    assert "tongban-stream-error" not in dict(ended.value.trailing_metadata())


@pytest.mark.parametrize("http2", [False, True])
def test_what_is_cut_has_no_end(tmp_path: Path, http2: bool) -> None:
    """A process killed in the middle: its answers came, the array is open, and the transport says that more was to come.

    It is killed when the first answer was read: what it had not sent yet, nobody can promise.
    """
    development.ensure(tmp_path, "341500", _PROCESSES)
    command = (sys.executable, "-m", "tests.support.edge_licences", str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        with running_edge(tmp_path, license_ports=(int(dying.stdout.readline()),)) as edge:
            version = "--http2-prior-knowledge" if http2 else "--http1.1"
            asked = ("-d", json.dumps(_asked("1", "waiting")), f"{edge.url}{PATH}")
            told_of = _headers(edge) | {"content-type": "application/json"}
            headers = (part for pair in told_of.items() for part in ("-H", ": ".join(pair)))
            curl = ("curl", "-sSN", version, "--noproxy", "*", "-m", str(PATIENCE), *headers, *asked)
            with subprocess.Popen(curl, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reading:
                assert reading.stdout is not None
                first = reading.stdout.read(len(_FIRST))
                dying.kill()
                rest, told = reading.communicate()
        assert dying.wait() == -signal.SIGKILL
    assert first == _FIRST
    assert reading.returncode == (92 if http2 else 18), told
    with pytest.raises(json.JSONDecodeError):
        json.loads(first + rest)
