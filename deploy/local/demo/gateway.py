"""A partner's view of one region: its gateway, by the client that partners have and by JSON, and nothing behind it."""

import time
import uuid
from typing import Any, TypeVar

import grpc
import httpx
from google.protobuf.message import Message

from libs.client import AsyncTongban, PrivateKey
from libs.client.credentials import CLIENT_ASSERTION
from libs.client.region import JWT_BEARER
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import token_service_pb2 as tokens

__all__ = ["CLIENT_ASSERTION", "JWT_BEARER", "Gateway", "Machine", "request_id"]

Answer = TypeVar("Answer", bound=Message)
Machine = PrivateKey
"""A client of the identity service that authenticates by private_key_jwt (RFC 7523)."""

_CALL_SECONDS = 20.0
_SIGNED_IN_SECONDS = 600
"""Who came so long ago signs in again: what decides over trust asks for a sign-in of the last quarter of an hour."""


def request_id() -> str:
    """A fresh idempotency key."""
    return str(uuid.uuid4())


class Gateway:
    """One region's gateway.

    Attributes:
        id: the region's id, which stands in names.
        code: the GB/T 2260 code of the place, which stands in addresses and numbers.
        receipts: those of all recorded calls, in the order in which they were answered.
    """

    def __init__(self, region: str, name: str, url: str, code: str = "") -> None:
        self.id = region
        self.code = code or region
        self.name = name
        self.url = url
        self.receipts: list[common_pb2.Receipt] = []
        self.region = AsyncTongban(url, on_receipt=self.receipts.append)
        self.channel: grpc.aio.Channel = self.region.caller.connection.channel
        self.http: httpx.AsyncClient = self.region.caller.connection.http
        self.http.timeout = httpx.Timeout(_CALL_SECONDS)
        self._known: dict[str, AsyncTongban] = {}
        self._signed_in: dict[str, int] = {}

    def using(self, token: str) -> AsyncTongban:
        """The region as whoever the token speaks for; without one, as anyone."""
        return self.region.as_bearer(token)

    async def call(self, method: Any, request: Message, answer: type[Answer], token: str) -> Answer:  # noqa: ARG002 - the request says which
        """Calls an RPC with a token."""
        return await self.using(token).call(request, answer)

    async def get(self, path: str, token: str = "", **parameters: str) -> Any:
        """Reads JSON from the gateway; raises for an error status."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = await self.http.get(path, params=parameters, headers=headers)
        answer.raise_for_status()
        return answer.json()

    async def post(self, path: str, body: dict[str, Any], token: str = "") -> Any:
        """Posts JSON to the gateway; raises for an error status."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = await self.http.post(path, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def machine(self, machine: PrivateKey) -> AsyncTongban:
        """The region as a client of it."""
        key = machine.client_id
        return self._known.setdefault(key, self.region.as_client(machine))

    def human(self, channel: PrivateKey, subject: str, kind: str, **claims: Any) -> AsyncTongban:
        """The region as a person or a member of staff whom the channel has authenticated (RFC 7523, section 2.1)."""
        key, now = f"{channel.client_id} {subject}", int(time.time())
        if now - self._signed_in.get(key, 0) >= _SIGNED_IN_SECONDS:
            self._signed_in[key] = now
            self._known[key] = self.region.as_client(channel).asserting(subject, kind, **{"auth_time": now, **claims})
        return self._known[key]

    async def machine_token(self, machine: PrivateKey) -> str:
        """Gets a client's own token (client credentials), kept until shortly before it ends."""
        return await self.machine(machine).token()

    async def human_token(self, channel: PrivateKey, subject: str, kind: str, **claims: Any) -> str:
        """Gets a token for a person or a member of staff, kept until shortly before it ends."""
        return await self.human(channel, subject, kind, **claims).token()

    async def exchanged(self, token: str, on_behalf_of: str, mandate: str = "") -> str:
        """Exchanges a person's token for one that acts for a firm, as its representative or under a mandate."""
        key = f"{token} {on_behalf_of} {mandate}"
        if key not in self._known:
            self._known[key] = self.using(token).on_behalf_of(on_behalf_of, mandate)
        return await self._known[key].token()

    async def exchange(self, request: tokens.ExchangeTokenRequest) -> tokens.ExchangeTokenResponse:
        """Exchanges a token (RFC 8693)."""
        return await self.region.call(request, tokens.ExchangeTokenResponse)

    async def close(self) -> None:
        """Closes the connections."""
        await self.region.close()
