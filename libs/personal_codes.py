"""The personal code (个人码): the text that a phone shows as a QR code, and the check of it without asking anybody.

``tbc1.<content>.<signature>``, both parts base64url without padding. The signature is ES256 (ECDSA on P-256 with SHA-256, r and s as
32 bytes each, RFC 7518, 3.4) over the ASCII text before the last dot, by a key that the region of issue has for nothing else. The content:

    1 byte length of the region's id, the id in ASCII; 8 bytes: the first of the RFC 7638 thumbprint of the key;
    5 bytes: when it was made, in seconds since 1970; 1 byte: the assurance of the holder, 0 to 4; the rest: the handle.

The handle is closed to everybody but the region that made it, and another one in each code: who scans two codes can't tell whether
they are of one person. Standard library and ``cryptography`` only: clients carry this file.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

LIFE_SECONDS = 60
"""How long a code can be shown."""
LEEWAY_SECONDS = 5
"""How far the clocks of who makes a code and who checks it may differ, in both directions."""
LONGEST_CODE = 320
"""Characters; what is longer is not read. Those that are made have fewer than 230."""
MARK = "tbc1"
"""The first part of every code of this form."""

_TEXT = re.compile(rf"{MARK}\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{{86}})", re.ASCII)
_REGION = re.compile(rb"[a-z0-9][a-z0-9-]{0,30}[a-z0-9]")
_KEY_BYTES, _TIME_BYTES, _HALF, _MOST_ASSURANCE = 8, 5, 32, 4
_ES256 = ec.ECDSA(SHA256())

KeyId = tuple[str, bytes]
"""By what a code names a key: the region, and the first bytes of the key's thumbprint."""


class CodeRefused(ValueError):
    """A code that is not taken.

    Attributes:
        rule: ``form``, ``key`` (not known), ``signature``, ``early`` (made later than now) or ``expired``.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(f"the code is refused: {rule}")
        self.rule = rule


@dataclass(frozen=True, slots=True)
class CodeContent:
    """What a code says.

    Attributes:
        region: the id of the region that made it.
        key: the first 8 bytes of the thumbprint of the key that signed it.
        issued: when it was made, in whole seconds since 1970.
        assurance: how far the holder's real name is proven, 0 to 4.
        handle: who holds it, as that region alone can read.
    """

    region: str
    key: bytes
    issued: int
    assurance: int
    handle: bytes

    @property
    def expires(self) -> int:
        """When it ends, in seconds since 1970."""
        return self.issued + LIFE_SECONDS


@dataclass(frozen=True, slots=True)
class ReadCode:
    """A code as it was read; nobody has verified it yet."""

    content: CodeContent
    signed: bytes
    signature: bytes

    @property
    def id(self) -> bytes:
        """16 bytes that every text of this code has in common, and no other code has."""
        return hashlib.sha256(self.signed).digest()[:16]


def key_part(jwk: Mapping[str, object]) -> bytes:
    """Returns by what a code names a public key of P-256 (RFC 7517): it follows from the key, and not from what it is called."""
    members = json.dumps({"crv": "P-256", "kty": "EC", "x": jwk["x"], "y": jwk["y"]}, separators=(",", ":"))
    return hashlib.sha256(members.encode()).digest()[:_KEY_BYTES]


def write(content: CodeContent, sign: Callable[[bytes], bytes]) -> str:
    """Returns the text of a code; ``sign`` makes an ECDSA signature in DER over SHA-256, as ``cryptography`` does."""
    region = content.region.encode("ascii")
    packed = b"".join(
        (
            len(region).to_bytes(1),
            region,
            content.key,
            content.issued.to_bytes(_TIME_BYTES),
            content.assurance.to_bytes(1),
            content.handle,
        )
    )
    signed = f"{MARK}.{_encoded(packed)}"
    r, s = decode_dss_signature(sign(signed.encode()))
    return f"{signed}.{_encoded(r.to_bytes(_HALF) + s.to_bytes(_HALF))}"


def read(text: str) -> ReadCode:
    """Reads a code, and verifies nothing; raises CodeRefused ``form``."""
    found = _TEXT.fullmatch(text) if len(text) <= LONGEST_CODE else None
    if found is None:
        raise CodeRefused("form")
    return ReadCode(_content(_decoded(found[1])), text.rpartition(".")[0].encode(), _decoded(found[2]))


def check_signature(code: ReadCode, key: ec.EllipticCurvePublicKey | None) -> None:
    """Raises CodeRefused ``key`` where there is none, ``signature`` where it does not hold under ``key``."""
    if key is None:
        raise CodeRefused("key")
    r, s = int.from_bytes(code.signature[:_HALF]), int.from_bytes(code.signature[_HALF:])
    try:
        key.verify(encode_dss_signature(r, s), code.signed, _ES256)
    except InvalidSignature as error:
        raise CodeRefused("signature") from error


def check_time(content: CodeContent, now: float) -> None:
    """Raises CodeRefused ``early`` or ``expired`` unless the code holds at ``now`` (seconds since 1970), by the leeway of clocks."""
    if now < content.issued - LEEWAY_SECONDS:
        raise CodeRefused("early")
    if now >= content.expires + LEEWAY_SECONDS:
        raise CodeRefused("expired")


def keys_of(region: str, jwks: Iterable[Mapping[str, object]]) -> dict[KeyId, ec.EllipticCurvePublicKey]:
    """Returns the public keys of a region's set (RFC 7517) by what a code names them; raises ValueError where one is none."""
    found: dict[KeyId, ec.EllipticCurvePublicKey] = {}
    for jwk in jwks:
        x, y = (int.from_bytes(_decoded(str(jwk[name]))) for name in ("x", "y"))
        found[region, key_part(jwk)] = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return found


def check(text: str, keys: Mapping[KeyId, ec.EllipticCurvePublicKey], now: float) -> CodeContent:
    """Checks a code without asking anybody: form, signature and time, in this order.

    It tells that such a code was made by the region, and of which level its holder is. It does not tell whether it was shown before,
    nor whether the account was closed since: that is known on line.

    Args:
        text: what the QR code says.
        keys: those that are trusted, by :func:`keys_of`; of one region or of several.
        now: seconds since 1970.

    Raises:
        CodeRefused: ``form``, ``key``, ``signature``, ``early``, ``expired``.
    """
    code = read(text)
    check_signature(code, keys.get((code.content.region, code.content.key)))
    check_time(code.content, now)
    return code.content


def _content(data: bytes) -> CodeContent:
    size = data[0]
    region, rest = data[1 : 1 + size], data[1 + size :]
    key, issued, last = rest[:_KEY_BYTES], rest[_KEY_BYTES : _KEY_BYTES + _TIME_BYTES], rest[_KEY_BYTES + _TIME_BYTES :]
    if _REGION.fullmatch(region) is None or len(last) < 2 or last[0] > _MOST_ASSURANCE:
        raise CodeRefused("form")
    return CodeContent(region.decode("ascii"), key, int.from_bytes(issued), last[0], last[1:])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise CodeRefused("form") from error
    if _encoded(decoded) != text:
        raise CodeRefused("form")  # bits that mean nothing are set: one text for one code
    return decoded
