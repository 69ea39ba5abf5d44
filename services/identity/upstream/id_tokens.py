"""ID tokens of identity providers: whether they are theirs, for us, and the answer to what was asked (OpenID Connect Core, 3.1.3.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from libs import outside
from services.identity.core.client_assertions import audiences_of

ALGORITHMS = ("ES256", "PS256", "RS256")
"""Those that are taken, whatever a token says; never `none`, and none with a shared key."""
LEEWAY_SECONDS = 60
LONGEST_TOKEN = 32_768
_OLDEST_SECONDS = 600
_SHORTEST_MODULUS = 342
"""Characters of base64url of a modulus of 2048 bits."""
_KINDS = {"ES256": "EC", "PS256": "RSA", "RS256": "RSA"}
_TYPES = (None, "JWT", "jwt")
_LONGEST_TEXT, _LONGEST_SUBJECT = 200, 255


class TokenRefused(Exception):
    """An ID token that is not taken; ``rule`` says why in one word, for the log."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class KeyUnknown(TokenRefused):
    """It names a key that is not among those that are known: there may be new ones."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say: by whom, for whom, in answer to what."""

    issuer: str
    client_id: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Identified:
    """Who signed in there, how surely in its own word (empty where it has none), when, and what else it says."""

    subject: str
    acr: str
    auth_time: int
    claims: Mapping[str, Any]


def identified(token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now: datetime) -> Identified:
    """Returns whom an ID token tells of; raises TokenRefused, KeyUnknown."""
    try:
        header, _ = outside.jwt_parts(token, LONGEST_TOKEN)
    except outside.UnacceptableText as error:
        raise TokenRefused("form") from error
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise TokenRefused("alg")
    if header.get("typ") not in _TYPES or "crit" in header:
        raise TokenRefused("typ")
    key = _key(keys, header.get("kid"), str(algorithm))
    try:
        claims = dict(jwt.decode(token, key, algorithms=[str(algorithm)]).claims)
    except (JoseError, ValueError) as error:
        raise TokenRefused("signature") from error
    return _checked(claims, expected, now.timestamp())


def _key(keys: Sequence[Mapping[str, Any]], kid: Any, algorithm: str) -> Key:
    fit = [
        each
        for each in keys
        if each.get("kty") == _KINDS[algorithm]
        and each.get("use", "sig") == "sig"
        and each.get("alg", algorithm) == algorithm
        and (kid is None or each.get("kid") == kid)
    ]
    if len(fit) != 1:
        raise KeyUnknown("kid")
    try:
        if algorithm == "ES256":
            return ECKey.import_key({name: fit[0][name] for name in ("kty", "crv", "x", "y")})
        if len(fit[0]["n"]) < _SHORTEST_MODULUS:
            raise TokenRefused("key")
        return RSAKey.import_key({name: fit[0][name] for name in ("kty", "n", "e")})
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise TokenRefused("key") from error


def _checked(claims: Mapping[str, Any], expected: Expected, seconds: float) -> Identified:
    _check_parties(claims, expected)
    auth_time = _check_times(claims, seconds)
    if not compare_digest(str(claims.get("nonce")).encode(), expected.nonce.encode()):
        raise TokenRefused("nonce")
    subject, acr = claims.get("sub"), claims.get("acr", "")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise TokenRefused("sub")
    if not isinstance(acr, str) or len(acr) > _LONGEST_TEXT:
        raise TokenRefused("acr")
    return Identified(subject, acr, int(auth_time), claims)


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("iss")
    audiences = audiences_of(claims)
    if expected.client_id not in audiences:
        raise TokenRefused("aud")
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise TokenRefused("azp")


def _check_times(claims: Mapping[str, Any], seconds: float) -> float:
    """Returns when they signed in there."""
    if _number(claims, "exp") + LEEWAY_SECONDS <= seconds:
        raise TokenRefused("exp")
    if not seconds - _OLDEST_SECONDS <= _number(claims, "iat") <= seconds + LEEWAY_SECONDS:
        raise TokenRefused("iat")
    if "nbf" in claims and _number(claims, "nbf") > seconds + LEEWAY_SECONDS:
        raise TokenRefused("nbf")
    auth_time = _number(claims, "auth_time")
    if auth_time > seconds + LEEWAY_SECONDS:
        raise TokenRefused("auth_time")
    return auth_time


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise TokenRefused(name)
    return float(value)
