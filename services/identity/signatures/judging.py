"""Which signed requests are taken: how a signature is read, what it must cover, how old it may be, under which key it holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import http_sf
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from libs.errors import Unauthenticated, reasons
from libs.security.message_signatures import (
    CONTENT_DIGEST,
    DIGESTS,
    SIGNATURE,
    SIGNATURE_INPUT,
    HttpRequest,
    component,
    signature_base,
)
from services.identity.core.jwk import StoredJwk, public_key

OLDEST_SECONDS, EARLIEST_SECONDS = 300, 30
"""How old a signature may be, and how far its time may lie ahead of ours."""
_ALGORITHMS = {"ecdsa-p256-sha256": "ES256"}
"""The names of RFC 9421 (6.2) for the keys that clients have; without one the key's own algorithm counts (3.3.7)."""
_MOST_BYTES, _MOST_COMPONENTS = 4096, 32
_NONCE = range(16, 129)
_WHERE = ("@authority", "@path"), ("@authority", "@request-target"), ("@target-uri",)
_WITH_QUERY = ("@query", "@request-target", "@target-uri")
GUARDED = ("authorization", "content-type", CONTENT_DIGEST, "content-encoding", "grpc-encoding", "upload-offset")
"""Headers that say what a request asks for, or for whom: each that is there is signed."""
FURTHER = ("accept", "accept-language", "date", "range", "if-match", "if-none-match", "if-range", "traceparent")
"""Headers that may be signed."""


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """A signature as a request brings it.

    Attributes:
        components: the names of what is signed, in order.
        parameters: the inner list of Signature-Input, as it is signed.
        created, expires: in seconds since the epoch; ``expires`` is None where it is not said.
        nonce: what makes it unlike any other of the client.
        key_id: the `kid` of one of the client's keys.
        algorithm: by the name of RFC 9421; empty where it is not said.
        value: the signature.
    """

    components: tuple[str, ...]
    parameters: str
    created: int
    expires: int | None
    nonce: str
    key_id: str
    algorithm: str
    value: bytes


def invalid(rule: str, message: str) -> Unauthenticated:
    """A signature that does not hold."""
    return reasons.signature_invalid(message, rule=rule)


def read_signature(headers: Mapping[str, str]) -> RequestSignature:
    """Reads the one signature of a request (RFC 9421, 4); raises Unauthenticated SIGNATURE_INVALID."""
    inputs, values = (_dictionary(headers, name) for name in (SIGNATURE_INPUT, SIGNATURE))
    if len(inputs) != 1 or inputs.keys() != values.keys():
        raise invalid("one", "there must be one signature, with one Signature-Input of the same label")
    ((items, said),) = inputs.values()
    ((value, _),) = values.values()
    if not isinstance(items, list) or not isinstance(value, bytes):
        raise invalid("form", "Signature-Input holds a list, and Signature bytes")
    return RequestSignature(
        components=tuple(_names(items)),
        parameters=_serialized(items, said),
        created=_said(said, "created", int),
        expires=_said(said, "expires", int) if "expires" in said else None,
        nonce=_said(said, "nonce", str),
        key_id=_said(said, "keyid", str),
        algorithm=_said(said, "alg", str) if "alg" in said else "",
        value=value,
    )


def _serialized(items: Any, parameters: Any) -> str:
    """As they are signed: strictly (RFC 9421, 2.3), whatever blanks the header had."""
    return http_sf.ser([(items, parameters)])


def _dictionary(headers: Mapping[str, str], name: str) -> dict[str, Any]:
    def twice(key: str, _context: str) -> None:
        raise invalid("one", f"{name} holds {key!r} twice")

    text = headers.get(name, "")
    if not text or len(text) > _MOST_BYTES or not text.isascii():
        raise invalid("form", f"{name} is missing, or longer than {_MOST_BYTES} characters of ASCII")
    try:
        found: Any = http_sf.parse(text.encode(), tltype="dictionary", on_duplicate_key=twice)
    except http_sf.StructuredFieldError as error:
        raise invalid("form", f"{name} is no dictionary of structured fields") from error
    return dict(found)


def _said(said: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = said.get(name)
    if type(value) is not kind:
        raise invalid(name, f"the parameter {name} must be there, and {kind.__name__}")
    return value


def _names(items: Sequence[Any]) -> Iterable[str]:
    if len(items) > _MOST_COMPONENTS or len({str(name) for name, _ in items}) != len(items):
        raise invalid("component", f"at most {_MOST_COMPONENTS} components are signed, each once")
    for name, parameters in items:
        if type(name) is not str or parameters:
            raise invalid("component", "components are named by strings without parameters")
        yield name


def check_signed(request: HttpRequest, signature: RequestSignature, keys: Sequence[StoredJwk], now: datetime) -> None:
    """Checks all but whether the nonce was used; raises Unauthenticated SIGNATURE_INVALID.

    Args:
        request: what came.
        signature: its signature.
        keys: those of the client that are taken now.
        now: the machine's time.
    """
    _check_times(signature, now.timestamp())
    if len(signature.nonce) not in _NONCE:
        raise invalid("nonce", f"a nonce has {_NONCE.start} to {_NONCE.stop - 1} characters")
    _check_covered(request, frozenset(signature.components))
    _check_digest(request)
    _check_value(_base(request, signature), signature, keys)


def _check_times(signature: RequestSignature, now: float) -> None:
    if not now - OLDEST_SECONDS <= signature.created <= now + EARLIEST_SECONDS:
        raise invalid("created", f"it is older than {OLDEST_SECONDS} s, or from the future; compare your clock")
    if signature.expires is not None and signature.expires <= now:
        raise invalid("expires", "it has expired")


def _check_covered(request: HttpRequest, covered: frozenset[str]) -> None:
    """What a request asks for is signed wholly: what is added to it on the way, or taken away, is seen."""
    needed = {"@method", "authorization", *(name for name in GUARDED if name in request.headers)}
    if request.body:
        needed.add(CONTENT_DIGEST)
    if missing := sorted(needed - covered):
        raise invalid("covered", f"these must be signed too: {', '.join(missing)}")
    if not any(covered.issuperset(way) for way in _WHERE) or (request.query and covered.isdisjoint(_WITH_QUERY)):
        raise invalid("covered", "@authority with @path and @query must be signed, or @target-uri")


def _check_digest(request: HttpRequest) -> None:
    if CONTENT_DIGEST not in request.headers:
        return
    told = _dictionary(request.headers, CONTENT_DIGEST)
    known = {name: value for name, (value, _) in told.items() if name in DIGESTS}
    if not known:
        raise invalid("digest", f"the body's digest is by one of {', '.join(DIGESTS)}")
    if any(value != DIGESTS[name](request.body) for name, value in known.items()):
        raise invalid("digest", "the body has another digest")


def _base(request: HttpRequest, signature: RequestSignature) -> bytes:
    found = [(name, component(request, name)) for name in signature.components]
    if unknown := [name for name, value in found if value is None]:
        raise invalid("component", f"these are not there, or can't be signed here: {', '.join(unknown)}")
    try:
        return signature_base([(name, value or "") for name, value in found], signature.parameters)
    except ValueError as error:
        raise invalid("component", "a component holds what can't be signed") from error


def _check_value(base: bytes, signature: RequestSignature, keys: Sequence[StoredJwk]) -> None:
    named = [key for key in keys if key["kid"] == signature.key_id]
    if not named:
        raise invalid("keyid", "the client has no such key")
    fitting = [key for key in named if not signature.algorithm or _ALGORITHMS.get(signature.algorithm) == key["alg"]]
    if not fitting:
        raise invalid("alg", "the key is for another algorithm")
    if not any(_holds(base, signature.value, key) for key in fitting):
        raise invalid("signature", "it does not hold")


def _holds(base: bytes, value: bytes, key: StoredJwk) -> bool:
    try:
        return bool(JWSRegistry.algorithms[key["alg"]].verify(base, value, public_key(key)))
    except (JoseError, ValueError):
        return False
