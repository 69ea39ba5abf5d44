"""HTTP Message Signatures (RFC 9421) and Content-Digest (RFC 9530): what a signature is made over, and what it stands in.

Without I/O and without keys: who signs and who verifies brings them.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from libs.crypto.sm3 import sm3

SIGNATURE, SIGNATURE_INPUT, CONTENT_DIGEST = "signature", "signature-input", "content-digest"


def _sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


DIGESTS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType({"sha-256": _sha256, "sm3": sm3})
"""The digests that are taken: ``sha-256`` of RFC 9530, and ``sm3`` (GB/T 32905-2016), which its registry does not have."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What of a request can be signed.

    Attributes:
        method: its verb.
        scheme: ``http`` or ``https``, as the public calls the gateway.
        authority: the host with its port, as the request names it.
        target: path and query, as they were sent.
        headers: by names in lower case.
        body: the whole of it.
    """

    method: str
    scheme: str
    authority: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query alone."""
        return self.target.partition("?")[2]


def content_digest(body: bytes, algorithm: str = "sha-256") -> str:
    """Returns the Content-Digest of a body (RFC 9530, 2) by one of ``DIGESTS``."""
    return f"{algorithm}=:{base64.b64encode(DIGESTS[algorithm](body)).decode()}:"


def component(request: HttpRequest, name: str) -> str | None:
    """Returns the value of a component (RFC 9421, 2): derived where it begins with ``@``, else a header; None where there is none."""
    if not name.startswith("@"):
        return request.headers.get(name)
    derived = _DERIVED.get(name)
    return derived(request) if derived else None


def signature_base(components: Sequence[tuple[str, str]], parameters: str) -> bytes:
    """Returns what is signed (RFC 9421, 2.5).

    Args:
        components: names and values, in order.
        parameters: the inner list of the names with its parameters, as Signature-Input has it.

    Raises:
        ValueError: a value is not ASCII, or holds a line's end: two bases could be one text.
    """
    lines = [*((f'"{name}"', value) for name, value in components), ('"@signature-params"', parameters)]
    if any("\n" in value or "\r" in value for _, value in lines):
        raise ValueError("a component holds a line's end")
    return "\n".join(f"{name}: {value}" for name, value in lines).encode("ascii")


def _authority(request: HttpRequest) -> str:
    """In lower case, without a port that is the scheme's own (RFC 9421, 2.2.3)."""
    usual = {"http": ":80", "https": ":443"}.get(request.scheme, ":")
    return request.authority.lower().removesuffix(usual)


_DERIVED: dict[str, Callable[[HttpRequest], str]] = {
    "@method": lambda request: request.method,
    "@scheme": lambda request: request.scheme,
    "@authority": _authority,
    "@target-uri": lambda request: f"{request.scheme}://{_authority(request)}{request.target}",
    "@request-target": lambda request: request.target,
    "@path": lambda request: request.path or "/",
    "@query": lambda request: f"?{request.query}",
}
