"""JWTs that clients sign: about themselves to authenticate, or about who sits before them (RFC 7523, 3)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.identity.core.claims import LEEWAY_SECONDS, invalid

LONGEST_SECONDS = 300
"""An assertion ends at most so long after it is used; longer ones would have to be remembered for longer."""
_LONGEST_TEXT, _LONGEST_LEVEL = 200, 64


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """What a client's assertion says.

    Attributes:
        issuer: the client.
        subject: the client itself, or `persons/…` or `staff/…`.
        jti: its id, unique with the issuer.
        expire: when it ends, in seconds since the epoch.
        acr: how far the channel knows the person in this session, in our word or the channel's; empty where it does not say.
        auth_time: when they signed in, in seconds since the epoch (OpenID Connect Core, 2); 0 where it does not say.
    """

    issuer: str
    subject: str
    jti: str
    expire: float
    acr: str = ""
    auth_time: int = 0


def from_claims(claims: Mapping[str, Any], audiences: Collection[str], now: datetime) -> ClientAssertion:
    """Reads and checks the claims of an assertion whose signature holds.

    Raises:
        Unauthenticated: TOKEN_INVALID with rule `claims`, `aud`, `exp`, `iat`, `nbf`, `auth_time` or `lifetime`.
    """
    seconds = now.timestamp()
    expire = _number(claims, "exp")
    if expire + LEEWAY_SECONDS <= seconds:
        raise invalid("exp", "the assertion has expired")
    if expire - seconds > LONGEST_SECONDS + LEEWAY_SECONDS:
        raise invalid("lifetime", f"the assertion lives longer than {LONGEST_SECONDS} seconds")
    for name in ("iat", "nbf"):
        if name in claims and _number(claims, name) - LEEWAY_SECONDS > seconds:
            raise invalid(name, "the assertion is from the future")
    if audiences_of(claims).isdisjoint(audiences):
        raise invalid("aud", "the assertion is for another audience")
    signed_in = int(_number(claims, "auth_time")) if "auth_time" in claims else 0
    if signed_in - LEEWAY_SECONDS > seconds:
        raise invalid("auth_time", "the assertion tells of a sign-in in the future")
    named = (_text(claims, "iss"), _text(claims, "sub"), _text(claims, "jti"))
    return ClientAssertion(*named, expire, _acr(claims), signed_in)


def audiences_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """Returns the audiences: one text, or a list of them (RFC 7519, 4.1.3)."""
    found = claims.get("aud")
    return frozenset(each for each in (found if isinstance(found, list) else [found]) if isinstance(each, str))


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise invalid("claims", f"the assertion lacks {name}, or it is no time")
    return float(value)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise invalid("claims", f"the assertion lacks {name}, or it is no short text")
    return value


def _acr(claims: Mapping[str, Any]) -> str:
    value = claims.get("acr")
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | str) or not 0 < len(str(value)) <= _LONGEST_LEVEL:
        raise invalid("acr", "the assertion's acr is no level")
    return str(value)
