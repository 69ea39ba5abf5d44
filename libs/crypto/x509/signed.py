"""The outer shape that certificates and CRLs share: what is signed, the algorithm, the signature."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from asn1crypto import algos, core, parser, pem, x509

from libs.crypto.errors import MalformedCertificate
from libs.crypto.provider import Signer

SM2_WITH_SM3 = "1.2.156.10197.1.501"
"""The signature algorithm SM2 with SM3 (GM/T 0006-2012)."""

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What asn1crypto raises on broken input: it checks lazily, so whatever its insides stumble over."""

_BIT_STRING = 0x03
_SEQUENCE = 0x30
_SEQUENCE_TAG = 16
_LAST_UTC_TIME_YEAR = 2049


@dataclass(frozen=True, slots=True)
class SignedParts:
    """The parts of ``SEQUENCE {tbs, algorithm, signature}`` as received."""

    tbs: bytes
    algorithm: bytes
    signature: bytes


def split(der: bytes) -> SignedParts:
    """Cuts the parts out of ``der`` without encoding anything anew.

    Raises:
        MalformedCertificate: if it is no such sequence, or bytes are left over.
    """
    try:
        tbs, algorithm, signature = _children(der)
    except UNREADABLE as error:
        raise MalformedCertificate("not a signed sequence") from error
    if signature.whole[0] != _BIT_STRING or not signature.content.startswith(b"\x00"):
        raise MalformedCertificate("the signature is no bit string of whole bytes")
    return SignedParts(tbs.whole, algorithm.whole, signature.content[1:])


def join(tbs: core.Asn1Value, signer: Signer) -> bytes:
    """Signs ``tbs`` and returns the DER of the whole."""
    signed: bytes = tbs.dump()
    parts = (signed, algorithm().dump(), core.OctetBitString(signer.sign(signed)).dump())
    whole: bytes = parser.emit(0, 1, _SEQUENCE_TAG, b"".join(parts))
    return whole


def algorithm() -> algos.SignedDigestAlgorithm:
    """Returns the AlgorithmIdentifier of SM2 with SM3; its parameters are absent (GM/T 0015-2012, 5.2.3.3)."""
    return algos.SignedDigestAlgorithm({"algorithm": SM2_WITH_SM3})


def time_value(moment: datetime) -> x509.Time:
    """Returns a Time of whole seconds: UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5)."""
    moment = moment.astimezone(UTC).replace(microsecond=0)
    if moment.year <= _LAST_UTC_TIME_YEAR:
        return x509.Time("utc_time", core.UTCTime(moment))
    return x509.Time("general_time", core.GeneralizedTime(moment))


def armor(label: str, der: bytes) -> bytes:
    """Returns ``der`` as PEM."""
    return bytes(pem.armor(label, der))


def unarmor(text: bytes, label: str) -> bytes:
    """Returns the DER of a PEM with this label.

    Raises:
        MalformedCertificate: if it is not.
    """
    try:
        found, _, der = pem.unarmor(text)
    except ValueError as error:
        raise MalformedCertificate("not PEM") from error
    if found != label:
        raise MalformedCertificate(f"PEM of {found}, wanted {label}")
    return bytes(der)


def unarmor_all(text: bytes, label: str) -> list[bytes]:
    """Returns the DER of each PEM in a file, all with this label.

    Raises:
        MalformedCertificate: if one is not, or there is none.
    """
    try:
        found = list(pem.unarmor(text, multiple=True))
    except ValueError as error:
        raise MalformedCertificate("not PEM") from error
    if others := {each for each, _, _ in found} - {label}:
        raise MalformedCertificate(f"PEM of {', '.join(sorted(others))}, wanted {label}")
    return [bytes(der) for _, _, der in found]


class _Element(NamedTuple):
    whole: bytes
    content: bytes


def _children(der: bytes) -> list[_Element]:
    if der[0] != _SEQUENCE:
        raise ValueError("not a sequence")
    rest = parser.parse(der, strict=True)[4]
    elements: list[_Element] = []
    while rest:
        _, _, _, header, content, trailer = parser.parse(rest)
        elements.append(_Element(header + content + trailer, content))
        rest = rest[len(elements[-1].whole) :]
    return elements
