"""Requests whose body is still coming while others are looked at: each is judged by what it holds itself."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse

import httpx
import pytest

from tests.support.edge import Edge, reason_of, running_edge

_VERIFY = "/v1/licenses:verify"
_BODY = json.dumps({"identifier": "1.2.156.3005.2.11320400014000000Q00000000.11100000MB0000010X.001.0"}).encode()
_MISSPELT = {"identifire": "x"}


@contextmanager
def _half_sent(edge: Edge, target: str) -> Iterator[socket.socket]:
    """A POST of which half the body has come."""
    host, port = edge.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=20)) as connection:
        head = f"POST {target} HTTP/1.1\r\nhost: edge\r\ncontent-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n"
        connection.sendall(head.encode() + _BODY[:20])
        yield connection


def _finished(connection: socket.socket) -> tuple[int, dict[str, object]]:
    connection.sendall(_BODY[20:])
    answer = HTTPResponse(connection, method="POST")
    answer.begin()
    return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One whose licence service answers; Envoy has one thread here, which looks at everybody's requests."""
    with running_edge(tmp_path_factory.mktemp("edge"), materials=True) as running:
        yield running


def test_a_fault_found_before_the_body_is_not_forgotten(edge: Edge, client: httpx.Client) -> None:
    with _half_sent(edge, f"{_VERIFY}?identifier=2") as waiting:
        assert client.post(_VERIFY, content=_BODY).is_success
        status, answer = _finished(waiting)
    assert status == 400
    assert "query.beside_body" in json.dumps(answer)


def test_the_faults_of_others_are_not_told_to_who_waited(edge: Edge, client: httpx.Client) -> None:
    with _half_sent(edge, _VERIFY) as waiting:
        refused = client.post(_VERIFY, json=_MISSPELT)
        assert (refused.status_code, reason_of(refused)) == (400, "FIELD_INVALID")
        status, answer = _finished(waiting)
    assert status == 200, answer
    assert "identifire" not in json.dumps(answer)
