"""A partner's view of one region: its gateway, by gRPC and by JSON, and nothing behind it."""

import json
import time
import uuid
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import ECKey

from libs.rpc.client import gateway_channel, invoke
from libs.rpc.regions import ACCESS_TOKEN
from tongban.identity.v1 import token_service_pb2 as tokens
from tongban.identity.v1 import token_service_pb2_grpc

Answer = TypeVar("Answer", bound=Message)

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RENEW_BEFORE = 60.0
_CALL_SECONDS = 20.0


def request_id() -> str:
    """A fresh idempotency key."""
    return str(uuid.uuid4())


class Machine:
    """A client of the identity service that authenticates by private_key_jwt (RFC 7523)."""

    def __init__(self, client_id: str, key: ECKey) -> None:
        self.client_id = client_id
        self.key = key

    @classmethod
    def from_file(cls, path: Path) -> "Machine":
        """Reads ``credentials.json`` as the first start wrote it."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["client_id"], ECKey.import_key(content["private_key_jwk"]))

    def sign(self, audience: str, subject: str, seconds: int = 55, **claims: Any) -> str:
        """Signs an assertion of this client about ``subject``."""
        now = int(time.time())
        content = {
            "iss": self.client_id,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "exp": now + seconds,
            "jti": str(uuid.uuid4()),
            **claims,
        }
        return jwt.encode({"alg": "ES256", "kid": str(self.key.kid)}, content, self.key, algorithms=["ES256"])


class Gateway:
    """One region's gateway."""

    def __init__(self, code: str, name: str, url: str) -> None:
        self.code = code
        self.name = name
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, timeout=_CALL_SECONDS, trust_env=False)
        self.channel: grpc.aio.Channel = gateway_channel(url)
        self._tokens: dict[str, tuple[str, float]] = {}

    async def call(self, method: Any, request: Message, answer: type[Answer], token: str) -> Answer:
        """Calls an RPC with a token."""
        return await invoke(method, request, answer, to=self.name, timeout=_CALL_SECONDS, token=token)

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

    async def machine_token(self, machine: Machine) -> str:
        """Gets a client's own token (client credentials), kept until shortly before it ends."""
        form = {"grant_type": "client_credentials", **self._client(machine)}
        return await self._kept(machine.client_id, form)

    async def human_token(self, channel: Machine, subject: str, kind: str, **claims: Any) -> str:
        """Gets a token for a person or a member of staff whom the channel has authenticated (RFC 7523, section 2.1)."""
        assertion = channel.sign(self.url, subject, actor_kind=kind, **claims)
        form = {"grant_type": JWT_BEARER, "assertion": assertion, **self._client(channel)}
        return await self._kept(f"{channel.client_id} {subject}", form)

    async def exchanged(self, token: str, on_behalf_of: str, mandate: str = "") -> str:
        """Exchanges a person's token for one that acts for a firm, as its representative or under a mandate."""
        key = f"{token} {on_behalf_of} {mandate}"
        known = self._tokens.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        request = tokens.ExchangeTokenRequest(
            subject_token=token, subject_token_type=ACCESS_TOKEN, on_behalf_of=on_behalf_of, mandate=mandate
        )
        got = await self.exchange(request)
        self._tokens[key] = (got.access_token, time.monotonic() + got.expires_in - _RENEW_BEFORE)
        return got.access_token

    async def exchange(self, request: tokens.ExchangeTokenRequest) -> tokens.ExchangeTokenResponse:
        """Exchanges a token (RFC 8693)."""
        stub = token_service_pb2_grpc.TokenServiceStub(self.channel)
        return await self.call(stub.ExchangeToken, request, tokens.ExchangeTokenResponse, "")

    def _client(self, machine: Machine) -> dict[str, str]:
        audience = f"{self.url}/oauth/token"
        return {
            "client_id": machine.client_id,
            "client_assertion_type": CLIENT_ASSERTION,
            "client_assertion": machine.sign(audience, machine.client_id),
        }

    async def _kept(self, key: str, form: dict[str, str]) -> str:
        known = self._tokens.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        answer = await self.http.post("/oauth/token", data=form)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{self.name}: no token: {answer.text}")
        content = answer.json()
        self._tokens[key] = (content["access_token"], time.monotonic() + content["expires_in"] - _RENEW_BEFORE)
        return str(content["access_token"])

    async def close(self) -> None:
        """Closes the connections."""
        await self.http.aclose()
        await self.channel.close()
