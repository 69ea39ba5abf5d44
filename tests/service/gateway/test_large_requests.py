"""What is too large is told so, in the words of HTTP and of gRPC, and ends nobody else's call on the same connection."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from libs.rpc import status
from tests.support.edge import HEAD, Edge, reason_of, running_edge, token_of
from tests.support.http2 import Http2
from tongban.audit.v1 import audit_service_pb2

_PATH = "/v1/audit/identity/auditHead"
_REQUEST = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()


def _fields(edge: Edge, path: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [(":method", "GET"), (":scheme", "http"), (":authority", edge.target), (":path", path), *more]


def _grpc_fields(edge: Edge) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", edge.target),
        (":path", HEAD),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]


@pytest.fixture
def connection(edge: Edge) -> Iterator[Http2]:
    """A connection on which an honest call, stream 1, is under way until the test lets it go on."""
    edge.seen.going.clear()
    opened = Http2(edge.target)
    opened.headers(1, _grpc_fields(edge), end=False)
    opened.body(1, bytes([0]) + len(_REQUEST).to_bytes(4) + _REQUEST, end=True)
    assert edge.seen.waiting.acquire(timeout=30)
    yield opened
    edge.seen.going.set()
    opened.close()


def _honest(edge: Edge, connection: Http2) -> bytes:
    edge.seen.going.set()
    connection.wait(1)
    assert (connection.closed, 1 in connection.reset) == (False, False)
    return connection.data[1]


@pytest.mark.parametrize(
    ("path", "more", "answered"),
    [
        (_PATH, [("x-large", "x" * 70_000)], 431),
        (_PATH, [("x-large", "x" * 200_000)], 431),
        (_PATH, [(f"x-large-{place}", "x" * 2_000) for place in range(40)], 431),
        (_PATH, [(f"x-many-{place}", "x" * 10) for place in range(130)], 431),
        (f"{_PATH}?treeSize={'1' * 20_000}", [], 414),
        ("/" + "x" * 20_000, [], 414),
    ],
    ids=["a large header", "a very large header", "large together", "many headers", "a long query", "a long path"],
)
def test_what_is_too_large_is_told_so(
    client: httpx.Client, edge: Edge, connection: Http2, path: str, more: list[tuple[str, str]], answered: int
) -> None:
    answer = client.get(path, headers=dict(more))
    assert (answer.status_code, reason_of(answer)) == (answered, "MESSAGE_TOO_LARGE")
    connection.headers(3, _fields(edge, path, *more), end=True)
    connection.wait(3)
    assert 3 not in connection.reset
    assert json.loads(connection.data[3])["details"][0]["reason"] == "MESSAGE_TOO_LARGE"
    assert _honest(edge, connection)


@pytest.mark.parametrize("count", [10, 50])
def test_headers_past_all_measure_end_their_own_stream_only(edge: Edge, connection: Http2, count: int) -> None:
    fields = [(f"x-large-{place}", "x" * 60_000) for place in range(count)]
    connection.headers(3, _fields(edge, _PATH, *fields), end=True)
    connection.wait(3)
    assert 3 in connection.reset
    assert _honest(edge, connection)


def test_trailers_that_are_too_large_end_their_own_stream_only(edge: Edge, connection: Http2) -> None:
    connection.headers(3, _grpc_fields(edge), end=False)
    connection.body(3, bytes([0]) + len(_REQUEST).to_bytes(4) + _REQUEST, end=False)
    connection.headers(3, [(f"x-large-{place}", "x" * 60_000) for place in range(10)], end=True)
    connection.wait(3)
    assert _honest(edge, connection)


@pytest.mark.parametrize("path", ["/v1/licenses:verify", "/v1/materials:upload"])
def test_a_body_that_never_ends_is_ended(tmp_path: Path, path: str) -> None:
    """A byte now and then is no idle connection; the whole request has its time, for a file more of it."""
    with running_edge(tmp_path, body_seconds=1, upload_seconds=3) as edge:
        host, _, port = edge.target.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=0.2) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token_of(edge.url)}\r\n"
                "content-type: application/json\r\ncontent-length: 5000\r\n\r\n{".encode()
            )
            answer = _dribbled(connection, 150)
        assert answer.startswith(b"HTTP/1.1 504")
        assert b"DEADLINE_TOO_SHORT" in answer


def _dribbled(connection: socket.socket, most: int) -> bytes:
    """Sends one byte after the other until an answer comes, or ``most`` were sent."""
    for _ in range(most):
        connection.sendall(b" ")
        with contextlib.suppress(TimeoutError):
            return connection.recv(65536)
    return b""


def test_grpc_at_a_json_path_is_told_that_nothing_is_there(edge: Edge) -> None:
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(_PATH)
        with pytest.raises(grpc.RpcError) as refused:
            call(_REQUEST, timeout=20, metadata=[("x-tongban-nowhere", "identity")])
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert status.from_rpc_error(error, "the gateway").reason == "ROUTE_NOT_FOUND"


def _metadata_of(edge: Edge, size: int) -> grpc.RpcError:
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(HEAD)
        metadata = [("x-large", "x" * size)]
        with pytest.raises(grpc.RpcError) as refused:
            call(_REQUEST, timeout=20, metadata=metadata)
    return refused.value


@pytest.mark.parametrize("size", [62_000, 70_000, 200_000])
def test_metadata_that_are_too_large_are_told_so(edge: Edge, size: int) -> None:
    error: Any = _metadata_of(edge, size)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    told = status.from_rpc_error(error, "the gateway")
    assert (told.reason, told.metadata) == ("MESSAGE_TOO_LARGE", {"limit_bytes": "61440"})


def test_what_is_within_measure_passes(client: httpx.Client, edge: Edge) -> None:
    headers = {f"x-{place}": "x" * 1_000 for place in range(55)} | {"authorization": f"Bearer {token_of(edge.url)}"}
    assert client.get(_PATH, headers=headers).status_code == 200
