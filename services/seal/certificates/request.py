"""Reads a PKCS #10 request (RFC 2986) for an SM2 key and checks that the key signed it."""

from dataclasses import dataclass

from asn1crypto import csr, x509

from libs.crypto.asn1_budget import Asn1Limits, check_asn1
from libs.crypto.errors import CryptoError
from libs.crypto.provider import SmProvider
from libs.crypto.sm2 import Sm2PublicKey
from libs.crypto.x509.signed import SM2_WITH_SM3, UNREADABLE, split
from libs.errors import InvalidArgument, reasons

_LIMITS = Asn1Limits(size=16 * 1024, elements=1_000)


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request whose signature holds.

    Attributes:
        subject: the name as received.
        public_key: the key that the certificate shall speak for.
    """

    subject: x509.Name
    public_key: Sm2PublicKey


def read_request(der: bytes, provider: SmProvider) -> CertificateRequest:
    """Reads and checks a request.

    Raises:
        InvalidArgument: CERTIFICATE_REQUEST_INVALID with rule ``structure``, ``subject``, ``algorithm`` or ``signature``.
    """
    try:
        if check_asn1(der, _LIMITS):
            raise ValueError("not DER, as PKCS #10 asks for")
        parts = split(der)
        request = csr.CertificationRequest.load(der, strict=True)
        info = request["certification_request_info"]
        subject, algorithm = info["subject"], request["signature_algorithm"]["algorithm"].native
        public_key = Sm2PublicKey.from_spki(info["subject_pk_info"].dump())
        is_named = bool(subject.native.get("common_name"))
    except (*UNREADABLE, CryptoError) as error:
        raise _invalid("structure") from error
    if not is_named:
        raise _invalid("subject")
    if algorithm != SM2_WITH_SM3:
        raise _invalid("algorithm")
    try:
        provider.sm2_verify(public_key, parts.tbs, parts.signature)
    except CryptoError as error:
        raise _invalid("signature") from error
    return CertificateRequest(subject, public_key)


def _invalid(rule: str) -> InvalidArgument:
    return reasons.certificate_request_invalid(f"the request breaks the rule {rule}", rule=rule)
