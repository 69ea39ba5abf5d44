"""Envoy carries everybody's calls to a service over one connection: nobody may reset it, and nobody may fill it."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from libs.errors import InvalidArgument, Violation
from tests.support.edge import HEAD, Edge, running_edge, token_of
from tongban.audit.v1 import audit_service_pb2

_RECORD = "/tongban.audit.v1.AuditService/GetAuditRecord"
_VERIFY = "/tongban.license.v1.VerificationService/VerifyLicense"


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("shared")
    with running_edge(folder, materials=True) as running:
        yield running


def _channel(edge: Edge) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(edge.target, options=[("grpc.use_local_subchannel_pool", 1)])


def _head(channel: grpc.aio.Channel) -> Any:
    call: Any = channel.unary_unary(HEAD)
    return call(audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString(), timeout=60)


async def test_one_caller_s_errors_end_nobody_else_s_calls(edge: Edge) -> None:
    """Errors about 5,000 fields with names of 4 KB: what is under way on the same connection stays under way."""
    broken = tuple(Violation(f"face_fields[{'k' * 4000}{n}]", "string.min_len", "x" * 500) for n in range(5000))
    edge.seen.error = InvalidArgument("FIELD_INVALID", "长" * 5000, violations=broken)
    edge.seen.going.clear()
    async with _channel(edge) as honest, _channel(edge) as hostile:
        under_way = [_head(honest) for _ in range(10)]
        for _ in under_way:
            await asyncio.to_thread(edge.seen.waiting.acquire)
        for _ in range(20):
            call: Any = hostile.unary_unary(_RECORD)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(b"", timeout=60)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        edge.seen.going.set()
        assert len(await asyncio.gather(*under_way)) == 10


def _slow_reader(edge: Edge) -> socket.socket:
    """Asks for a file and takes its first bytes off the wire, and no more."""
    host, _, port = edge.target.rpartition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect((host, int(port)))
    head = (
        f"POST /v1/materials:download HTTP/1.1\r\nhost: {edge.target}\r\nauthorization: Bearer {token_of(edge.url)}\r\n"
    )
    connection.sendall(f"{head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


async def test_readers_who_do_not_read_hold_nobody_up(edge: Edge) -> None:
    """Twenty files of 60 MB that nobody takes off the wire: more than any window of the connection that all share."""
    readers = [await asyncio.to_thread(_slow_reader, edge) for _ in range(20)]
    async with _channel(edge) as honest:
        verify: Any = honest.unary_unary(_VERIFY)
        for _ in range(50):
            assert await verify(b"", timeout=30) == b""
    for reader in readers:
        reader.close()
