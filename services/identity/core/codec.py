"""Tokens as text: signed with our key, read with ours or with a key that was pinned."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key

from libs import outside
from libs.clock import Clock
from services.identity.core.claims import Claims, TokenType, check_times, from_payload, invalid
from services.identity.core.issue import TokenIssue
from services.identity.core.jwk import StoredJwk, choose, public_key
from services.identity.core.signing_keys import TokenKeys

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
"""Where tokens are got."""
LONGEST_TOKEN = 8_192
"""Characters; what is longer is not read."""

Json = dict[str, Any]


def read_unverified(token: str) -> tuple[Json, Json]:
    """Returns header and payload of a JWT that nobody has verified; raises Unauthenticated TOKEN_INVALID."""
    if len(token) > LONGEST_TOKEN:
        raise invalid("size", "the token is too large")
    try:
        return outside.jwt_parts(token, LONGEST_TOKEN)
    except outside.UnacceptableText as error:
        raise invalid("form", f"the token {error}") from error


def verified(token: str, key: Key, algorithm: str) -> Json:
    """Returns the payload of a JWT whose signature holds under ``key``; raises Unauthenticated TOKEN_INVALID."""
    try:
        return dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
    except (JoseError, ValueError) as error:
        raise invalid("signature", "the token's signature does not hold") from error


def verified_by_stored(token: str, header: Json, keys: Sequence[StoredJwk]) -> Json:
    """Returns the payload of a JWT that one of ``keys`` signed with its own algorithm; raises Unauthenticated."""
    stored = choose(keys, str(header.get("kid", "")))
    if stored is None:
        raise invalid("kid", "the token names a key that is not known")
    if header.get("alg") != stored["alg"]:
        raise invalid("alg", "the token is signed by another algorithm than its key is for")
    return verified(token, public_key(stored), stored["alg"])


class TokenCodec:
    """Makes and reads this region's tokens; their times are the machine's, never the business clock's."""

    def __init__(
        self,
        keys: TokenKeys,
        clock: Clock,
        *,
        region: str,
        issuer: str,
        access_seconds: int = 600,
        quota: tuple[int, ...] = (),
    ) -> None:
        self.keys = keys
        self._clock = clock
        self._access_seconds = access_seconds
        self.quota = quota
        self.region = region
        self.issuer = issuer

    def now(self) -> datetime:
        """The machine's time."""
        return self._clock.now()

    def issue(self, key: str = "") -> TokenIssue:
        """Returns what a token made now has in common with every other; ``key`` is the thumbprint of the one that it is bound to."""
        jti, txn = str(uuid.uuid4()), str(uuid.uuid4())
        return TokenIssue(self.region, self.issuer, self._clock.now(), jti, txn, self._access_seconds, key, self.quota)

    def encode(self, claims: Claims) -> str:
        """Signs a token with the key in use."""
        current = self.keys.current
        header = {"alg": "ES256", "typ": claims.type.value, "kid": current.kid}
        return jwt.encode(header, claims.payload(), current.key, algorithms=["ES256"])

    async def own(self, token: str, token_type: TokenType) -> Claims:
        """Reads a token of this region; raises Unauthenticated TOKEN_INVALID naming the rule that does not hold."""
        header, _ = read_unverified(token)
        check_header(header, token_type)
        if header.get("alg") != "ES256":
            raise invalid("alg", "the token is not signed by ES256")
        key = await self.keys.key(str(header.get("kid", "")))
        if key is None:
            raise invalid("kid", "the token names a key that is not known")
        claims = from_payload(token_type, verified(token, key, "ES256"))
        if claims.iss != self.issuer or claims.aud != f"//{self.region}":
            raise invalid("iss", "the token was made elsewhere")
        check_times(claims, self._clock.now())
        return claims


def check_header(header: Json, token_type: TokenType) -> None:
    """Raises Unauthenticated TOKEN_INVALID where the token is of another type (RFC 8725, 3.11)."""
    if header.get("typ") != token_type.value:
        raise invalid("typ", f"the token is not of the type {token_type.value}")
