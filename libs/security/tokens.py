"""Verifies access tokens (RFC 9068: JWT, ES256, typ at+jwt)."""

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from libs import outside
from libs.access.actor import Actor, from_claims
from libs.clock import Clock
from libs.errors import Unauthenticated, reasons
from libs.security.jwks import KeySource
from libs.security.withdrawals import Withdrawals

LEEWAY_SECONDS = 60
"""How far the clocks of those who make a token and those who check it may differ, in both directions; Envoy's too."""
_CACHE_SIZE = 20_000
_MAX_TOKEN = 8_192


def _invalid(rule: str, message: str) -> Unauthenticated:
    return reasons.token_invalid(message, rule=rule)


class TokenVerifier:
    """Turns an access token into a Actor, checking signature, type, issuer, audience and times.

    A verified token is remembered until it expires, as long as its key stands: the signature of the same text can't change.
    """

    def __init__(
        self, keys: KeySource, *, issuer: str, audience: str, clock: Clock, withdrawals: Withdrawals | None = None
    ) -> None:
        self._keys = keys
        self._withdrawals = withdrawals
        self._issuer = issuer
        self._audience = audience
        self.clock = clock
        self._known: dict[str, tuple[Actor, float, str]] = {}

    async def verify(self, token: str) -> Actor:
        """Returns who ``token`` speaks for.

        Raises:
            Unauthenticated: TOKEN_INVALID naming the rule that does not hold.
            Unavailable: it can't be told whether it holds.
        """
        actor = await self._verify(token)
        if self._withdrawals is not None:
            if not self._withdrawals.ready:
                await self._withdrawals.be_ready()
            self._withdrawals.check(actor)
        return actor

    async def _verify(self, token: str) -> Actor:
        now = self.clock.now().timestamp()
        known = self._known.get(token)
        if known is not None:
            if known[1] + LEEWAY_SECONDS <= now:
                del self._known[token]
                raise _invalid("exp", "the access token has expired")
            # A key that leaked is gone from one moment to the next, and with it whatever it signed.
            await self._key(known[2])
            return known[0]
        actor, expires, kid = await self._check(token, now)
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[token] = (actor, expires, kid)
        return actor

    async def _key(self, kid: str) -> ECKey:
        key = await self._keys.key(kid)
        if key is None:
            raise _invalid("kid", "the access token names an unknown key")
        return key

    async def _check(self, token: str, now: float) -> tuple[Actor, float, str]:
        if len(token) > _MAX_TOKEN:
            raise _invalid("size", "the access token is too large")
        try:
            header, _ = outside.jwt_parts(token, _MAX_TOKEN)
        except outside.UnacceptableText as error:
            raise _invalid("form", "the access token is not a JWT") from error
        if header.get("alg") != "ES256" or header.get("typ") != "at+jwt":
            raise _invalid("typ", "the token is not an ES256 access token (RFC 9068)")
        kid = str(header.get("kid", ""))
        key = await self._key(kid)
        try:
            claims = jwt.decode(token, key, algorithms=["ES256"]).claims
        except (JoseError, ValueError) as error:
            raise _invalid("signature", "the access token's signature does not hold") from error
        return *self._principal(claims, token, now), kid

    def _principal(self, claims: dict[str, object], token: str, now: float) -> tuple[Actor, float]:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expires, issued = claims.get("exp"), claims.get("iat")
        if not isinstance(expires, int) or not isinstance(issued, int) or not claims.get("sub"):
            raise _invalid("claims", "the access token lacks exp, iat or sub")
        if claims.get("iss") != self._issuer:
            raise _invalid("iss", "the access token is from another issuer")
        if self._audience not in audiences:
            raise _invalid("aud", "the access token is for another audience")
        if claims.get("actor_kind") == "STAFF" and not claims.get("human"):
            raise _invalid("human", "the access token does not tell who the member of staff is")
        if expires + LEEWAY_SECONDS <= now:
            raise _invalid("exp", "the access token has expired")
        if issued - LEEWAY_SECONDS > now:
            raise _invalid("iat", "the access token is from the future")
        begins = claims.get("nbf", issued)
        if not isinstance(begins, int) or begins - LEEWAY_SECONDS > now:
            raise _invalid("nbf", "the access token does not hold yet")
        try:
            return from_claims(claims, token), float(expires)
        except (ValueError, TypeError, AttributeError) as error:
            raise _invalid("sub", "the access token speaks of nobody who is known to be somebody") from error
