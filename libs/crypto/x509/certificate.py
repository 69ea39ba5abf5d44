"""A certificate as a value: read as OpenSSL reads it, judged only where a chain is checked."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from libs.crypto.asn1_budget import Asn1Limits, Asn1Refused, check_asn1
from libs.crypto.errors import InvalidKey, MalformedCertificate, UnsupportedCertificate
from libs.crypto.sm2 import CURVE_OID, Sm2PublicKey
from libs.crypto.sm3 import sm3
from libs.crypto.x509.extensions import Extensions, KeyUsage
from libs.crypto.x509.names import display
from libs.crypto.x509.signed import SM2_WITH_SM3, armor, unarmor
from libs.crypto.x509.tlv import OID, SEQUENCE, Tlv, canonical, dotted, first, moment

LIMITS = Asn1Limits(size=16 * 1024, elements=1_000)
"""No certificate of GM/T 0015 comes near them."""

_EC_KEY = "1.2.840.10045.2.1"


@dataclass(frozen=True, slots=True)
class Certificate:
    """An SM2 certificate, read but not verified; equal if the bytes are equal.

    Attributes:
        der: the bytes as received.
        tbs: the signed part of them.
        signature: DER SEQUENCE {r, s}.
        serial_number: as it stands there; others than ours may be negative, zero or longer than 20 bytes.
        subject: the subject for people, "CN=…, O=…, C=…".
        issuer: the issuer for people.
        subject_der: the subject's encoding, by which chains are linked.
        issuer_der: the issuer's encoding.
        not_before: the first moment of validity, UTC.
        not_after: the last one, UTC.
        public_key: the subject's key.
        is_ca: whether basic constraints make it a CA.
        path_length: how many CAs may follow below it, None for any number.
        key_usage: the allowed usages, None if the extension is absent.
        purposes: object identifiers of the extended key usages (see ``roles.Role``), None if the extension is absent.
        key_identifier: the subject's key identifier or b"".
        authority_key_identifier: the issuer's key identifier or b"".
        resident_number: the number of the subject's resident identity card, where the authority put it in (1.2.156.10260.4.1.1), or "".
        unknown_critical: object identifiers of critical extensions that ``verify_chain`` does not process.
        faults: what is contradictory or unreadable in it; no chain with such a certificate holds.
        tolerated: how it is encoded other than by DER, and was read all the same.
    """

    der: bytes
    tbs: bytes = field(repr=False, compare=False)
    signature: bytes = field(repr=False, compare=False)
    serial_number: int = field(compare=False)
    subject: str = field(compare=False)
    issuer: str = field(compare=False)
    subject_der: bytes = field(repr=False, compare=False)
    issuer_der: bytes = field(repr=False, compare=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    public_key: Sm2PublicKey = field(repr=False, compare=False)
    is_ca: bool = field(compare=False)
    path_length: int | None = field(compare=False)
    key_usage: frozenset[KeyUsage] | None = field(compare=False)
    purposes: frozenset[str] | None = field(compare=False)
    key_identifier: bytes = field(repr=False, compare=False)
    authority_key_identifier: bytes = field(repr=False, compare=False)
    unknown_critical: tuple[str, ...] = field(compare=False)
    resident_number: str = field(repr=False, compare=False, default="")
    faults: tuple[str, ...] = field(compare=False, default=())
    tolerated: tuple[str, ...] = field(compare=False, default=())

    @classmethod
    def parse(cls, der: bytes) -> "Certificate":
        """Reads DER, and BER and what follows the certificate, which openssl reads too, as ``tolerated``.

        Raises:
            UnsupportedCertificate: if key or signature are of another algorithm than SM2.
            MalformedCertificate: if it is no certificate.
        """
        found = _parsed(der)
        if isinstance(found, Certificate):
            return found
        kind, message = found
        raise kind(message)

    @classmethod
    def from_pem(cls, text: bytes) -> "Certificate":
        """Reads a PEM ``CERTIFICATE``.

        Raises:
            MalformedCertificate: as ``parse``.
        """
        return cls.parse(unarmor(text, "CERTIFICATE"))

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return armor("CERTIFICATE", self.der)

    @property
    def digest(self) -> bytes:
        """SM3 of the bytes, as a GB/T 38540 certificate list of type 2 holds it."""
        return sm3(self.der)

    def allows(self, usage: KeyUsage) -> bool:
        """Says whether key usage allows ``usage``; a certificate without the extension allows all."""
        return self.key_usage is None or usage in self.key_usage


_VERSION, _EXTENSIONS = 0xA0, 0xA3


@lru_cache(maxsize=64)
def _parsed(der: bytes) -> "Certificate | tuple[type[MalformedCertificate], str]":
    """Kept, the refusals too: one validation asks for the same few certificates a dozen times."""
    try:
        return _checked(der)
    except UnsupportedCertificate as error:
        return UnsupportedCertificate, str(error)
    except (ValueError, IndexError, OverflowError, InvalidKey) as error:
        return MalformedCertificate, f"not an SM2 certificate: {error}"


def _checked(der: bytes) -> Certificate:
    if len(der) > LIMITS.size:
        raise Asn1Refused(f"more than {LIMITS.size} bytes")
    whole = first(der, SEQUENCE)
    deviations = check_asn1(whole.whole, LIMITS)
    if len(whole.whole) < len(der):
        deviations += ("bytes after the certificate",)
    return Certificate(**_read(der, whole), tolerated=deviations)


def _read(der: bytes, whole: Tlv) -> dict[str, Any]:
    tbs, outer, signature = whole.children
    fields = tbs.expect(SEQUENCE).children
    if fields[0].tag == _VERSION:
        fields.pop(0)
    serial_number, inner, issuer, validity, subject, key = fields[:6]
    _check_algorithm(outer)
    not_before, not_after = (moment(time) for time in validity.expect(SEQUENCE).children)
    extensions = Extensions.read(next((part for part in fields[6:] if part.tag == _EXTENSIONS), None))
    faults = extensions.faults
    # RFC 5280, 4.1.1.2: both algorithms must be the same, parameters included, however they are encoded.
    if canonical(inner) != canonical(outer):
        faults += ("two signature algorithms",)
    return {
        "der": der,
        "tbs": tbs.whole,
        "signature": signature.octets,
        "serial_number": serial_number.integer,
        "subject": display(subject.whole),
        "issuer": display(issuer.whole),
        "subject_der": subject.whole,
        "issuer_der": issuer.whole,
        "not_before": not_before,
        "not_after": not_after,
        "public_key": _public_key(key),
        "is_ca": extensions.is_ca,
        "path_length": extensions.path_length,
        "key_usage": extensions.key_usage,
        "purposes": extensions.purposes,
        "key_identifier": extensions.key_identifier,
        "authority_key_identifier": extensions.authority_key_identifier,
        "unknown_critical": extensions.unknown_critical,
        "resident_number": extensions.resident_number,
        "faults": faults,
    }


def _check_algorithm(algorithm: Tlv) -> None:
    oid = dotted(algorithm.expect(SEQUENCE).children[0])
    if oid != SM2_WITH_SM3:
        raise UnsupportedCertificate(f"not signed by SM2 with SM3, but by {oid}")


def _public_key(info: Tlv) -> Sm2PublicKey:
    algorithm, value = info.expect(SEQUENCE).children
    kinds = [dotted(part) for part in algorithm.expect(SEQUENCE).children if part.tag == OID]
    if kinds not in ([_EC_KEY, CURVE_OID], [CURVE_OID]):
        raise UnsupportedCertificate("its key is none of SM2")
    return Sm2PublicKey.from_point(value.octets)
