"""Signing requests as a client of a region (HTTP Message Signatures, RFC 9421): over gRPC by itself, over HTTP by ``headers``."""

import base64
import secrets
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from libs.security.message_signatures import (
    CONTENT_DIGEST,
    SIGNATURE,
    SIGNATURE_INPUT,
    HttpRequest,
    component,
    content_digest,
    signature_base,
)

_LABEL = "sig1"
_SIGNED = ("content-type", CONTENT_DIGEST, "authorization", "upload-offset")
"""The headers that are signed where they are there."""
_ALWAYS = ("@method", "@authority", "@path", "@query")
_SECONDS = 60


class RequestSigner:
    """Signs requests with a client's key.

    Args:
        key: the client's private key (P-256); its `kid` is what the region knows it by.
        digest: of the body: ``sha-256``, or ``sm3``.
        clock: the time, in seconds since the epoch.
    """

    def __init__(self, key: ECKey, digest: str = "sha-256", clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._digest = digest
        self._clock = clock

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> dict[str, str]:
        """Returns the headers to send besides: Content-Digest where there is a body, Signature-Input, Signature.

        Args:
            method: the verb, in capitals.
            url: the whole address as it is sent, escaped already.
            headers: those that are sent; ``authorization``, ``content-type`` and ``upload-offset`` are signed.
            body: the body, byte for byte.
        """
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        named = {name.lower(): value.strip() for name, value in headers.items()}
        request = HttpRequest(method, parts.scheme, parts.netloc.rpartition("@")[2], target, named, body)
        added = {CONTENT_DIGEST: content_digest(body, self._digest)} if body else {}
        return {**added, **self._signed(replace(request, headers=named | added))}

    def of_call(self, url: str, path: str, message: bytes, shown: str) -> list[tuple[str, str]]:
        """Returns the metadata of a gRPC call with one message and ``authorization`` as ``shown``: its body is the message in its frame, not compressed."""
        headers = {"content-type": "application/grpc", "authorization": shown}
        frame = struct.pack(">BI", 0, len(message)) + message
        return list(self.headers("POST", f"{url}{path}", headers, frame).items())

    def _signed(self, request: HttpRequest) -> dict[str, str]:
        names = [*_ALWAYS, *(name for name in _SIGNED if name in request.headers)]
        created = int(self._clock())
        inner = " ".join(f'"{name}"' for name in names)
        parameters = (
            f'({inner});created={created};expires={created + _SECONDS};nonce="{secrets.token_urlsafe(18)}"'
            f';keyid="{self._key.kid}";alg="ecdsa-p256-sha256"'
        )
        base = signature_base([(name, component(request, name) or "") for name in names], parameters)
        value = base64.b64encode(JWSRegistry.algorithms["ES256"].sign(base, self._key)).decode()
        return {SIGNATURE_INPUT: f"{_LABEL}={parameters}", SIGNATURE: f"{_LABEL}=:{value}:"}
