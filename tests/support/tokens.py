"""An issuer of access tokens for service tests: real ES256 tokens, signed by a key made for the test."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

DEPARTMENT = "departments/00000000-0000-7000-8000-0000000000dd"
"""The department of staff for whom a test names none; None leaves it out."""


def human_of(subject: str, claims: Mapping[str, Any]) -> str:
    """The human being that a member of staff is in these tests: a person of the staff's own id."""
    acting = str((claims.get("act") or {}).get("sub", "")) or subject
    return f"persons/{acting.rpartition('/')[2]}"


class Issuer:
    """Signs tokens as the identity service would, and is the key source that verifies them."""

    def __init__(self, issuer: str, audience: str) -> None:
        self.issuer = issuer
        self.audience = audience
        self._stands = True
        self._key = ECKey.generate_key("P-256", {"kid": "test", "alg": "ES256", "use": "sig"})

    async def key(self, kid: str) -> ECKey | None:
        """Returns the verification key (``libs.security.jwks.KeySource``)."""
        return self._key if kid == "test" and self._stands else None

    def drop(self) -> None:
        """Takes the key away, as one that leaked."""
        self._stands = False

    def token(self, subject: str, kind: str, scope: str = "*", **claims: Any) -> str:
        """Signs a token; any claim can be set or overwritten, ``None`` leaves it out."""
        now = int(claims.pop("now", time.time()))
        if kind == "STAFF":
            claims.setdefault("dept", DEPARTMENT)
        if claims.get("mandate"):
            claims.setdefault("mandate_powers", ["APPLY", "PRESENT", "COLLECT"])
        if kind in ("PERSON", "STAFF"):
            claims.setdefault("auth_time", now)
        header = {"alg": "ES256", "typ": claims.pop("typ", "at+jwt"), "kid": claims.pop("kid", "test")}
        content = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "actor_kind": kind,
            "scope": scope,
            "acr": "4",
            "iat": now,
            "exp": now + 600,
            "jti": str(uuid.uuid4()),
            "client_id": "clients/test",
            "human": human_of(subject, claims) if kind == "STAFF" else None,
            **claims,
        }
        return jwt.encode(header, {k: v for k, v in content.items() if v is not None}, self._key, algorithms=["ES256"])
