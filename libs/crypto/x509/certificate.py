"""A certificate as a value."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from asn1crypto import x509

from libs.crypto.asn1_budget import Asn1Limits, check_asn1
from libs.crypto.errors import InvalidKey, MalformedCertificate
from libs.crypto.sm2 import Sm2PublicKey
from libs.crypto.sm3 import sm3
from libs.crypto.x509.signed import SM2_WITH_SM3, UNREADABLE, armor, split, unarmor

LIMITS = Asn1Limits(size=16 * 1024, elements=1_000)
"""No certificate of GM/T 0015 comes near them."""


class KeyUsage(Enum):
    """What a key may be used for (RFC 5280, 4.2.1.3)."""

    DIGITAL_SIGNATURE = "digital_signature"
    NON_REPUDIATION = "non_repudiation"
    KEY_ENCIPHERMENT = "key_encipherment"
    DATA_ENCIPHERMENT = "data_encipherment"
    KEY_AGREEMENT = "key_agreement"
    KEY_CERT_SIGN = "key_cert_sign"
    CRL_SIGN = "crl_sign"
    ENCIPHER_ONLY = "encipher_only"
    DECIPHER_ONLY = "decipher_only"


@dataclass(frozen=True, slots=True)
class Certificate:
    """An SM2 certificate, read but not verified; equal if the bytes are equal.

    Attributes:
        der: the bytes as received.
        tbs: the signed part of them.
        signature: DER SEQUENCE {r, s}.
        serial_number: positive, at most 20 bytes.
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
        unknown_critical: object identifiers of critical extensions that ``verify_chain`` does not process.
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

    @classmethod
    def parse(cls, der: bytes) -> "Certificate":
        """Reads DER.

        Raises:
            MalformedCertificate: if it is no version 3 certificate with an SM2 key and an SM2 signature.
        """
        try:
            check_asn1(der, LIMITS)
            return cls(**_read(der))
        except (*UNREADABLE, InvalidKey) as error:
            raise MalformedCertificate(f"not an SM2 certificate: {error}") from error

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


_PROCESSED = (
    "basic_constraints", "key_usage", "key_identifier", "authority_key_identifier", "subject_alt_name",
    "extended_key_usage",
)  # fmt: skip


def _read(der: bytes) -> dict[str, Any]:
    parts = split(der)
    certificate = x509.Certificate.load(der, strict=True)
    tbs = certificate["tbs_certificate"]
    _check_algorithms(certificate)
    constraints, authority, usage, purposes = (
        certificate.basic_constraints_value,
        certificate.authority_key_identifier_value,
        certificate.key_usage_value,
        certificate.extended_key_usage_value,
    )
    is_ca = constraints is not None and constraints["ca"].native
    return {
        "der": der,
        "tbs": parts.tbs,
        "signature": parts.signature,
        "serial_number": tbs["serial_number"].native,
        "subject": display(certificate.subject),
        "issuer": display(certificate.issuer),
        "subject_der": certificate.subject.dump(),
        "issuer_der": certificate.issuer.dump(),
        "not_before": certificate.not_valid_before,
        "not_after": certificate.not_valid_after,
        "public_key": Sm2PublicKey.from_spki(certificate.public_key.dump()),
        "is_ca": is_ca,
        "path_length": constraints["path_len_constraint"].native if is_ca else None,
        "key_usage": None if usage is None else frozenset(KeyUsage(name) for name in usage.native),
        "purposes": None if purposes is None else frozenset(purpose.dotted for purpose in purposes),
        "key_identifier": certificate.key_identifier or b"",
        "authority_key_identifier": (authority["key_identifier"].native if authority else None) or b"",
        "unknown_critical": _unknown_critical(tbs["extensions"]),
    }


def display(name: x509.Name) -> str:
    """Returns a distinguished name for people, most specific part first, in the order of RFC 4514."""
    short = {
        "common_name": "CN", "organization_name": "O", "organizational_unit_name": "OU", "country_name": "C",
        "state_or_province_name": "ST", "locality_name": "L", "serial_number": "serialNumber",
    }  # fmt: skip
    pairs = [(pair["type"].native, pair["value"].native) for relative in name.chosen for pair in relative]
    return ", ".join(f"{short.get(kind, kind)}={value}" for kind, value in reversed(pairs))


def _check_algorithms(certificate: x509.Certificate) -> None:
    tbs = certificate["tbs_certificate"]
    if tbs["version"].native != "v3" or not 0 < tbs["serial_number"].native < 1 << 160:
        raise ValueError("wanted version 3 and a serial number of at most 20 bytes")
    outer, inner = certificate["signature_algorithm"], tbs["signature"]
    # RFC 5280, 4.1.1.2: both must be the same, parameters included.
    if outer["algorithm"].native != SM2_WITH_SM3 or outer.dump() != inner.dump():
        raise ValueError("not signed by SM2 with SM3")


def _unknown_critical(extensions: Iterable[x509.Extension]) -> tuple[str, ...]:
    return tuple(
        extension["extn_id"].dotted
        for extension in extensions
        if extension["critical"].native and extension["extn_id"].native not in _PROCESSED
    )
