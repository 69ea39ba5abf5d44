"""Proofs that who brings a token has what it is bound to: a key by DPoP (RFC 9449), or the certificate of the connection (RFC 8705).

A proof is a JWT that the caller signs for one request: its verb, its address, the token. Where a proof was used is kept in Redis, for all
services of the region together; without Redis none is taken.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

from libs import outside
from libs.access.actor import Actor
from libs.access.bound_keys import SCHEME, is_certificate, not_proven, require_same
from libs.clock import Clock
from libs.security import client_certificates
from libs.security.once import UsedOnce

ALGORITHMS = ("ES256", "PS256")
"""What proofs are signed by, as clients' assertions are."""
CHALLENGE = f'{SCHEME} error="invalid_dpop_proof", algs="{" ".join(ALGORITHMS)}"'
"""How HTTP tells that a proof is missing, or does not hold (WWW-Authenticate)."""
HEADER, METHOD_SEEN, PATH_SEEN, REQUEST_SEEN = "dpop", "x-tongban-method", "x-tongban-path", "x-tongban-request"
"""The header of a proof; what the gateway saw of the request that brought it, and what it calls it. No caller can set the last three."""
THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
"""The SHA-256 of a key (RFC 7638)."""
LASTS_SECONDS, LEEWAY_SECONDS = 60, 60
"""How old a proof may be, and by how much the clocks of caller and region may differ."""
_LONGEST_PROOF, _LONGEST_ID = 4_096, 200
_RSA_BITS, _RSA_EXPONENT = range(2048, 4097), 65537
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
_TYPES = {"ES256": "EC", "PS256": "RSA"}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PORTS = {"https": 443, "http": 80}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class _Registry(JWSRegistry):
    """Takes headers that bring a key: one of RSA is larger than what joserfc takes."""

    max_header_length = _LONGEST_PROOF


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """A request as the gateway saw it, with the proof that it brought.

    Attributes:
        proof: the proof; empty where none came.
        method, path: what was asked for, of the public's address; the path without its query.
        request: the gateway's own name of the request, the same however often it sends it to us; empty where there is none.
        certificate: the caller's, as tokens say that are bound to it; empty where they came without one.
    """

    proof: str
    method: str
    path: str
    request: str = ""
    certificate: str = ""

    @classmethod
    def of_call(cls, metadata: Mapping[str, str], path: str) -> "RequestSeen":
        """Reads what the gateway says of a call; ``path`` is the RPC's own, at which it was called where nothing else is said."""
        method, seen = metadata.get(METHOD_SEEN, "POST"), metadata.get(PATH_SEEN, path)
        certificate = client_certificates.presented(metadata.get(client_certificates.HEADER, ""))
        return cls(
            metadata.get(HEADER, ""), method, seen.partition("?")[0], metadata.get(REQUEST_SEEN, ""), certificate
        )


@dataclass(frozen=True, slots=True)
class HeldProof:
    """What a proof says whose signature holds.

    Attributes:
        key: the thumbprint of the key that signed it.
        jti: its id.
        issued: when it was made, in seconds since the epoch.
    """

    key: str
    jti: str
    issued: float


class ProofsOfPossession:
    """Checks proofs for the addresses ``bases`` under which the public knows the region."""

    def __init__(self, used: UsedOnce, clock: Clock, bases: Collection[str]) -> None:
        self._used = used
        self._clock = clock
        self._bases = frozenset(bases)

    async def key(self, seen: RequestSeen) -> str:
        """Returns the thumbprint of the key that a request proves, and uses the proof up; empty where it brings none.

        Raises:
            Unauthenticated: POSSESSION_NOT_PROVEN.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        if not seen.proof:
            return ""
        proof = self._held(seen, "")
        await self._use_up(proof, seen)
        return proof.key

    async def bound(self, seen: RequestSeen) -> str:
        """Returns what a request proves that tokens can be bound to: the key of its proof, or else the certificate that it came with.

        Raises:
            Unauthenticated: POSSESSION_NOT_PROVEN.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        return await self.key(seen) or seen.certificate

    async def require(self, actor: Actor, scheme: str, seen: RequestSeen) -> None:
        """Checks that who brings a token may: a bearer's anybody, a bound one who proves its key for this very request, or comes with its certificate.

        Args:
            actor: whom the token speaks for.
            scheme: by which it was brought (`Bearer`, `DPoP`).
            seen: the request.

        Raises:
            Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        bound = scheme.lower() == SCHEME.lower()
        if not actor.bound_key or is_certificate(actor.bound_key):
            if bound:
                raise not_proven("unbound", "the token is bound to no key")
            require_same(actor.bound_key, seen.certificate)
            return
        if not bound or not seen.proof:
            raise not_proven("missing", f"the token is bound to a key: bring it as {SCHEME}, with a proof")
        proof = self._held(seen, actor.token)
        if proof.key != actor.bound_key:
            raise not_proven("key", "the token is bound to another key than the proof's")
        await self._use_up(proof, seen)

    def _held(self, seen: RequestSeen, token: str) -> HeldProof:
        """Returns what a proof says that holds for a request, and for a token where there is one."""
        key, claims = _signed(seen.proof)
        if claims.get("htm") != seen.method:
            raise not_proven("htm", "the proof is for another verb")
        asked = claims.get("htu")
        places = {normalized(f"{base}{seen.path}") for base in self._bases} - {""}
        if not isinstance(asked, str) or normalized(asked) not in places:
            raise not_proven("htu", "the proof is for another address")
        if token and claims.get("ath") != _sha256(token.encode()):
            raise not_proven("ath", "the proof is for another token")
        issued, now = claims.get("iat"), self._clock.now().timestamp()
        if not isinstance(issued, int | float) or isinstance(issued, bool):
            raise not_proven("iat", "the proof does not say when it was made")
        if not now - LASTS_SECONDS - LEEWAY_SECONDS < issued <= now + LEEWAY_SECONDS:
            raise not_proven("iat", "the proof was made too long ago, or is from the future")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_ID:
            raise not_proven("jti", "the proof has no id, or it is no short text")
        return HeldProof(key, jti, float(issued))

    async def _use_up(self, proof: HeldProof, seen: RequestSeen) -> None:
        # As long as it would still be taken.
        seconds = proof.issued + LASTS_SECONDS + LEEWAY_SECONDS - self._clock.now().timestamp()
        if not await self._used.take("dpop", proof.key, proof.jti, seconds, seen.request):
            raise not_proven("jti", "the proof was used before")


def _signed(proof: str) -> tuple[str, dict[str, Any]]:
    """Returns the thumbprint of the key that signed a proof, and what it says (RFC 9449, 4.2 and 4.3)."""
    try:
        header, _ = outside.jwt_parts(proof, _LONGEST_PROOF)
    except outside.UnacceptableText as error:
        raise not_proven("form", f"the proof {error}") from error
    if header.get("typ") != "dpop+jwt":
        raise not_proven("typ", "the proof is not of the type dpop+jwt")
    algorithm, jwk = str(header.get("alg")), header.get("jwk")
    if algorithm not in ALGORITHMS:
        raise not_proven("alg", f"the proof is not signed by one of {', '.join(ALGORITHMS)}")
    key = _public_key(jwk, _TYPES[algorithm])
    try:
        claims = dict(jwt.decode(proof, key, registry=_Registry(algorithms=[algorithm])).claims)
    except (JoseError, ValueError) as error:
        raise not_proven("signature", "the proof's signature does not hold") from error
    return key.thumbprint(), claims


def _public_key(jwk: object, kind: str) -> Key:
    if not isinstance(jwk, dict) or jwk.get("kty") != kind or _PRIVATE & jwk.keys():
        raise not_proven("jwk", "the proof does not bring the public key that fits its algorithm")
    members: dict[str, str | list[str]] = {name: str(jwk.get(name, "")) for name in _MEMBERS[kind]}
    if not _fits(members):
        raise not_proven("jwk", "the proof's key is of another curve or size than is taken")
    try:
        return ECKey.import_key(members) if kind == "EC" else RSAKey.import_key(members)
    except (JoseError, ValueError) as error:
        raise not_proven("jwk", "the proof's key is none") from error


def _fits(members: Mapping[str, Any]) -> bool:
    if members["kty"] == "EC":
        return bool(members["crv"] == "P-256")
    # A large exponent would make each check slow, for whoever wants that.
    return _number(members["n"]).bit_length() in _RSA_BITS and _number(members["e"]) == _RSA_EXPONENT


def _number(text: str) -> int:
    try:
        return int.from_bytes(outside.base64url(text))
    except outside.UnacceptableText:
        return 0


def normalized(address: str) -> str:
    """Returns an address as it is compared (RFC 3986, 6.2.2 and 6.2.3), without query and fragment; empty where it is none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{place}{_ESCAPE.sub(_unescaped, parts.path) or '/'}"


def _unescaped(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if _UNRESERVED.fullmatch(letter) else found[0].upper()


def _sha256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
