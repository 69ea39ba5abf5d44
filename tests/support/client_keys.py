"""Clients of a region with a key of their own, with which they sign assertions."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from tongban.identity.v1 import (
    resources_pb2,
)


def public_jwk(key: ECKey) -> resources_pb2.JsonWebKey:
    """The public half of a key as the contract writes it."""
    public = key.as_dict(private=False)
    return resources_pb2.JsonWebKey(
        kid=str(key.kid), kty="EC", alg="ES256", use="sig", crv="P-256", x=str(public["x"]), y=str(public["y"])
    )


def new_key(kid: str) -> ECKey:
    """A fresh key of a client."""
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"}, auto_kid=False)


class Machine:
    """A client with a key, and a clock (in seconds since the epoch) of its own."""

    def __init__(self, client_id: str, key: ECKey, now: Callable[[], float] = time.time) -> None:
        self.client_id = client_id
        self.key = key
        self.now = now

    def sign(self, subject: str, audience: str, **claims: Any) -> str:
        """Signs an assertion about ``subject``; any claim can be set, None leaves it out."""
        now = int(self.now())
        content = {
            "iss": self.client_id,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "exp": now + 55,
            "jti": str(uuid.uuid4()),
            **claims,
        }
        header = {"alg": "ES256", "kid": str(self.key.kid)}
        return jwt.encode(header, {k: v for k, v in content.items() if v is not None}, self.key, algorithms=["ES256"])
