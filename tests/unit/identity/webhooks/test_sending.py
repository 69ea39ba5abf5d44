"""The way to a receiver: by the address that was looked at, and to no other."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.identity.config import Webhooks
from services.identity.webhooks.rules import SendAnswer, WebhookFailure
from services.identity.webhooks.sending import WebhookSender

HOST = "127.0.0.1"
LOCAL = Webhooks(allow_http=True, private_ranges=("127.0.0.0/8",), seconds=1.0)  # type: ignore[arg-type]
CLOSED = Webhooks(allow_http=True, seconds=1.0)


@asynccontextmanager
async def _served(answer: bytes, *, hang: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    got: list[bytes] = []
    under_way: set[asyncio.Task[None]] = set()
    opened: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        opened.append(writer)
        try:
            await respond(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        if hang:
            await reader.read()

    server = await asyncio.start_server(handle, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1], got
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way)
        for writer in opened:
            writer.transport.abort()
        # What was closed is closed a step of the loop later.
        await asyncio.sleep(0)


async def _sent(url: str, config: Webhooks = LOCAL) -> SendAnswer:
    sender = WebhookSender(config)
    try:
        return await sender.send(url, {"webhook-id": "m"}, b"{}")
    finally:
        await sender.close()


def _named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Has every name resolve to these addresses; returns the names that are asked for."""
    asked: list[str] = []

    async def getaddrinfo(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_is_looked_up_once_and_its_address_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _served(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as (port, got):
        asked = _named(monkeypatch, HOST)
        answer = await _sent(f"http://partner.example:{port}/hook")
    assert (answer.status, answer.failure, answer.taken) == (200, WebhookFailure.NONE, True)
    assert asked == ["partner.example"]
    assert b"POST /hook HTTP/1.1" in got[0]
    assert f"host: partner.example:{port}".encode() in got[0].lower()


@pytest.mark.parametrize("addresses", [(HOST,), ("169.254.169.254",), ("93.184.215.14", HOST)])
async def test_a_name_that_leads_inside_reaches_nothing(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    async with _served(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as (port, got):
        _named(monkeypatch, *addresses)
        answer = await _sent(f"http://partner.example:{port}/", CLOSED)
    assert (answer.status, answer.failure) == (0, WebhookFailure.ADDRESS)
    assert got == []


async def test_an_address_that_is_named_outright_is_looked_at_too() -> None:
    async with _served(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as (port, got):
        answer = await _sent(f"http://{HOST}:{port}/", CLOSED)
    assert (answer.failure, got) == (WebhookFailure.ADDRESS, [])


async def test_a_redirect_is_an_answer_and_no_more() -> None:
    async with _served(b"HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n") as (port, got):
        answer = await _sent(f"http://{HOST}:{port}/")
    assert (answer.status, answer.failure, len(got)) == (307, WebhookFailure.STATUS, 1)


async def test_nobody_there_is_told_apart_from_who_does_not_answer() -> None:
    async with _served(b"") as (port, _):
        pass
    assert (await _sent(f"http://{HOST}:{port}/")).failure is WebhookFailure.UNREACHABLE
    async with _served(b"", hang=True) as (port, _):
        assert (await _sent(f"http://{HOST}:{port}/")).failure is WebhookFailure.TIMEOUT
    async with _served(b"what is this") as (port, _):
        assert (await _sent(f"http://{HOST}:{port}/")).failure is WebhookFailure.UNREACHABLE
    async with _served(b"") as (port, _):
        assert (await _sent(f"http://{HOST}:{port}/")).failure is WebhookFailure.UNREACHABLE


async def test_what_was_answered_counts_also_where_the_rest_never_comes() -> None:
    async with _served(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n") as (port, _):
        assert (await _sent(f"http://{HOST}:{port}/")).taken
    async with _served(b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n" + b"a" * 99_999) as (port, _):
        assert (await _sent(f"http://{HOST}:{port}/")).taken
