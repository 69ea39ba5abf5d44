"""Hands deliveries to their receivers, by HTTPS (services/identity/core/outbound.py says which are reached)."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Mapping

import httpcore

from services.identity.config import Webhooks
from services.identity.core.outbound import FAILURES, TargetRefused, limits, pinned_pool
from services.identity.webhooks.rules import SendAnswer, WebhookFailure, retry_after

_READ_SECONDS = 1.0
_MOST_READ = 65_536
"""So much of an answer is read; nobody looks at it."""


class WebhookSender:
    """Sends deliveries."""

    def __init__(self, config: Webhooks) -> None:
        self._seconds = config.seconds
        self._pool = pinned_pool(config.ca_file, config.private_ranges)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> SendAnswer:
        """Sends a delivery, and says how it was answered; it raises nothing that a receiver could bring about."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                status, wait = await self._post(url, headers, body)
        except TargetRefused:
            found = (0, WebhookFailure.ADDRESS, "")
        except (TimeoutError, httpcore.TimeoutException):
            found = (0, WebhookFailure.TIMEOUT, "")
        except FAILURES as error:
            found = (0, _kind(error), "")
        else:
            taken = SendAnswer(status).taken
            found = (status, WebhookFailure.NONE if taken else WebhookFailure.STATUS, wait)
        took = round((time.monotonic() - begun) * 1000)
        return SendAnswer(found[0], found[1], retry_after(found[2]), took)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        sent = [
            ("content-type", "application/cloudevents+json"),
            ("user-agent", "tongban-webhooks/1"),
            *headers.items(),
        ]
        extensions = limits(self._seconds)
        async with self._pool.stream("POST", url, headers=sent, content=body, extensions=extensions) as answer:
            wait = next((value for name, value in answer.headers if name.lower() == b"retry-after"), b"")
            await _read(answer)
            return answer.status, wait.decode("latin-1").strip()

    async def close(self) -> None:
        """Closes the connections."""
        await self._pool.aclose()


async def _read(answer: httpcore.Response) -> None:
    """Reads what there is of an answer, so that the connection can be used again; the status has said already what it says."""
    with contextlib.suppress(TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(_READ_SECONDS):
            read = 0
            async for part in answer.aiter_stream():
                read += len(part)
                if read > _MOST_READ:
                    break


def _kind(error: BaseException | None) -> WebhookFailure:
    """Whether a failure is that of the receiver's certificate, or of the way to it."""
    while error is not None:
        if isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return WebhookFailure.CERTIFICATE
        error = error.__cause__ or error.__context__
    return WebhookFailure.UNREACHABLE
