"""SM2 keys and signatures as values (GB/T 32918): encodings, checks, and the digest that is signed. No arithmetic."""

from dataclasses import dataclass, field

from asn1crypto import keys, pem
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from libs.crypto.errors import InvalidKey, InvalidSignature
from libs.crypto.sm3 import sm3

CURVE_OID = "1.2.156.10197.1.301"
"""The SM2 curve, as the named-curve parameter of id-ecPublicKey."""

DEFAULT_ID = b"1234567812345678"
"""The signer's distinguishing identifier where none is agreed on (GM/T 0009-2012, 10)."""

ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""n of GB/T 32918.5-2017."""

_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
_GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """A public key.

    Attributes:
        point: 65 bytes, 0x04 and both coordinates; on the curve.
    """

    point: bytes

    def __post_init__(self) -> None:
        if len(self.point) != 65 or self.point[0] != 4 or not _is_on_curve(self.point):
            raise InvalidKey("an SM2 public key is an uncompressed point of the SM2 curve")

    @classmethod
    def from_spki(cls, der: bytes) -> "Sm2PublicKey":
        """Reads a DER SubjectPublicKeyInfo.

        Raises:
            InvalidKey: if it holds no SM2 key.
        """
        if not der.startswith(_SPKI_PREFIX):
            raise InvalidKey("not an SM2 SubjectPublicKeyInfo")
        return cls(der[len(_SPKI_PREFIX) :])

    @classmethod
    def from_point(cls, octets: bytes) -> "Sm2PublicKey":
        """Reads a point in any form that SEC 1, 2.3.4 knows: uncompressed, compressed or hybrid.

        Raises:
            InvalidKey: if it is none of the curve.
        """
        form, x = octets[:1], octets[1:33]
        if form in (b"\x06", b"\x07") and len(octets) == 65 and octets[-1] & 1 == form[0] & 1:
            return cls(b"\x04" + octets[1:])
        if form not in (b"\x02", b"\x03") or len(octets) != 33:
            return cls(octets)
        number = int.from_bytes(x)
        # p is 3 modulo 4, so that a square's root is a power of it; a number that is none gives a point off the curve.
        y = pow((number * number * number + _A * number + _B) % _P, (_P + 1) // 4, _P)
        return cls(b"\x04" + x + (y if y & 1 == form[0] & 1 else _P - y).to_bytes(32))

    @classmethod
    def from_pem(cls, text: bytes) -> "Sm2PublicKey":
        """Reads a PEM ``PUBLIC KEY``.

        Raises:
            InvalidKey: if it holds no SM2 key.
        """
        return cls.from_spki(_unarmor(text, "PUBLIC KEY"))

    @property
    def spki(self) -> bytes:
        """The key as DER SubjectPublicKeyInfo."""
        return _SPKI_PREFIX + self.point

    @property
    def pem(self) -> bytes:
        """The key as PEM ``PUBLIC KEY``, as ``openssl pkey -pubin`` reads it."""
        return bytes(pem.armor("PUBLIC KEY", self.spki))


@dataclass(frozen=True, slots=True)
class Sm2PrivateKey:
    """A private key in software; neither ``repr`` nor ``str`` shows it.

    Attributes:
        pkcs8: DER PrivateKeyInfo, unencrypted.
        public_key: the public half.
    """

    pkcs8: bytes = field(repr=False)
    public_key: Sm2PublicKey

    @classmethod
    def from_pkcs8(cls, der: bytes) -> "Sm2PrivateKey":
        """Reads a DER PrivateKeyInfo that holds its public key too (as OpenSSL, GmSSL and Tongsuo write it).

        Raises:
            InvalidKey: if it holds no SM2 key or no public half.
        """
        try:
            info = keys.PrivateKeyInfo.load(der, strict=True)
            curve = info["private_key_algorithm"]["parameters"].native
            public = info["private_key"].parsed["public_key"].native
            scalar = info["private_key"].parsed["private_key"].native
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise InvalidKey("not a PKCS #8 private key") from error
        if curve != CURVE_OID or public is None or not 1 <= scalar <= ORDER - 2:
            raise InvalidKey("not an SM2 private key with its public half")
        return cls(der, Sm2PublicKey(public))

    @classmethod
    def from_pem(cls, text: bytes) -> "Sm2PrivateKey":
        """Reads an unencrypted PEM ``PRIVATE KEY``.

        Raises:
            InvalidKey: as ``from_pkcs8``.
        """
        return cls.from_pkcs8(_unarmor(text, "PRIVATE KEY"))

    @property
    def pem(self) -> bytes:
        """The key as unencrypted PEM ``PRIVATE KEY``."""
        return bytes(pem.armor("PRIVATE KEY", self.pkcs8))


def z_value(public_key: Sm2PublicKey, identifier: bytes = DEFAULT_ID) -> bytes:
    """Returns Z, the digest of the signer's identifier, the curve and the key (GB/T 32918.2-2016, 5.5)."""
    curve = b"".join(number.to_bytes(32) for number in (_A, _B, _GX, _GY))
    return sm3((len(identifier) * 8).to_bytes(2) + identifier + curve + public_key.point[1:])


def message_digest(public_key: Sm2PublicKey, message: bytes, identifier: bytes = DEFAULT_ID) -> bytes:
    """Returns e, the digest that SM2 signs: SM3(Z || M) (GB/T 32918.2-2016, 6.1)."""
    return sm3(z_value(public_key, identifier) + message)


def signature_to_raw(signature: bytes) -> bytes:
    """Turns a DER signature into the 64 bytes r || s of JSON interfaces.

    Raises:
        InvalidSignature: if it is not canonical DER, or r or s is outside 1 to n - 1.
    """
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise InvalidSignature("not a DER sequence of two integers") from error
    if not (0 < r < ORDER and 0 < s < ORDER) or encode_dss_signature(r, s) != signature:
        raise InvalidSignature("r or s out of range, or not canonical DER")
    return r.to_bytes(32) + s.to_bytes(32)


def signature_from_raw(raw: bytes) -> bytes:
    """Turns the 64 bytes r || s into a DER signature.

    Raises:
        InvalidSignature: if the length is not 64, or r or s is outside 1 to n - 1.
    """
    if len(raw) != 64:
        raise InvalidSignature("a raw signature has 64 bytes")
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    signature_to_raw(signature)
    return signature


def _is_on_curve(point: bytes) -> bool:
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    return x < _P and y < _P and (y * y - (x * x * x + _A * x + _B)) % _P == 0


def _unarmor(text: bytes, label: str) -> bytes:
    try:
        found, _, der = pem.unarmor(text)
    except ValueError as error:
        raise InvalidKey("not PEM") from error
    if found != label:
        raise InvalidKey(f"PEM of {found}, wanted {label}")
    return bytes(der)
