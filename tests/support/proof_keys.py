"""Keys to which tokens are bound, and the proofs that they sign (RFC 9449), also such as nobody should take."""

import base64
import hashlib
import time
import uuid
from typing import Any

import grpc
import httpx
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import ECKey, Key
from joserfc.jws import JWSRegistry

from libs.rpc.status import from_rpc_error
from tests.support.patience import PATIENCE
from tests.support.town import Town


class _Registry(JWSRegistry):
    max_header_length = 4096


def sha256(token: str) -> str:
    """What a proof says of the token that it goes with (`ath`)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode("ascii")).digest()).decode().rstrip("=")


class Holder:
    """Who has a key."""

    def __init__(self, key: Key | None = None, algorithm: str = "ES256") -> None:
        self.key = key or ECKey.generate_key("P-256")
        self.algorithm = algorithm
        self.thumbprint = self.key.thumbprint()

    def proof(self, method: str, uri: str, token: str = "", header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Signs a proof for one request; any claim and any part of the header can be set, None leaves it out."""
        said = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": uri,
            "iat": int(time.time()),
            "ath": sha256(token) if token else None,
            **claims,
        }
        parts = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.key.as_dict(private=False), **(header or {})}
        parts = {name: value for name, value in parts.items() if value is not None}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(parts, said, self.key, registry=_Registry(algorithms=[self.algorithm]))

    def shown(self, method: str, uri: str, token: str) -> dict[str, str]:
        """The headers with which a bound token is brought."""
        return {"authorization": f"DPoP {token}", "dpop": self.proof(method, uri, token)}


async def bound_grant(town: Town, holder: Holder, **form: str) -> httpx.Response:
    """Asks a region's token endpoint with a proof."""
    proof = holder.proof("POST", f"{town.base}/oauth/token")
    return await town.http.post("/oauth/token", data=form, headers={"dpop": proof})


async def bound_token(town: Town, holder: Holder, **form: str) -> str:
    """The token that comes of it."""
    answer = await bound_grant(town, holder, **form)
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    return str(answer.json()["access_token"])


async def rpc(town: Town, path: str, request: Message, metadata: dict[str, str]) -> bytes:
    """Calls an RPC as the gateway does, with what the caller brought and what it saw; returns the bytes of the answer.

    Raises:
        TongbanError: what it was refused with.
    """
    function: Any = town.service.channel.unary_unary(path, request_serializer=type(request).SerializeToString)
    try:
        return bytes(await function(request, metadata=list(metadata.items()), timeout=PATIENCE))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, "identity") from error
