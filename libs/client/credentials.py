"""Who a program is to a region's identity service: the ways in which a client authenticates (RFC 6749, 2.3; RFC 7523; RFC 8705)."""

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from libs.client.certificates import ByCertificate

CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SECONDS = 55
"""How long an assertion holds: the identity service takes none that holds longer than a minute."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client that authenticates by a secret (client_secret_post)."""

    client_id: str
    secret: str

    def form(self, _endpoint: str) -> dict[str, str]:
        """What the token endpoint is told of the client."""
        return {"client_id": self.client_id, "client_secret": self.secret}

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ClientSecret({self.client_id!r})"


class PrivateKey:
    """A client that authenticates by private_key_jwt (RFC 7523); a channel also asserts whom it has authenticated."""

    def __init__(self, client_id: str, key: ECKey, issuer: str = "", *, signs: bool = False) -> None:
        """``issuer`` is what the region calls itself, where that is not the address that it is reached by; ``signs`` has each call signed."""
        self.client_id = client_id
        self.key = key
        self.issuer = issuer
        self.signs = signs

    @classmethod
    def from_file(cls, path: Path, *, signs: bool = False) -> "PrivateKey":
        """Reads ``credentials.json`` as the first start of a region wrote it."""
        content = json.loads(path.read_text(encoding="utf-8"))
        key = ECKey.import_key(content["private_key_jwk"])
        return cls(content["client_id"], key, str(content.get("issuer", "")), signs=signs)

    def sign(self, audience: str, subject: str, seconds: int = _SECONDS, **claims: Any) -> str:
        """Signs an assertion of this client about ``subject``."""
        now = int(time.time())
        content = {
            "iss": self.client_id,
            "sub": subject,
            "aud": audience if audience.startswith(self.issuer) else [audience, self.issuer],
            "iat": now,
            "exp": now + seconds,
            "jti": str(uuid.uuid4()),
            **claims,
        }
        return jwt.encode({"alg": "ES256", "kid": str(self.key.kid)}, content, self.key, algorithms=["ES256"])

    def form(self, endpoint: str) -> dict[str, str]:
        """What the token endpoint is told of the client."""
        return {
            "client_id": self.client_id,
            "client_assertion_type": CLIENT_ASSERTION,
            "client_assertion": self.sign(endpoint, self.client_id),
        }


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token that the program has already; who gave it renews it."""

    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return "Bearer(...)"


Credentials = ClientSecret | PrivateKey | ByCertificate | Bearer
