"""Checks time stamps (RFC 3161) made with SM2 and SM3: the proof that something existed at a time.

The token is CMS signed data (RFC 5652, or GM/T 0010-2012 with object identifiers of its own) around a TSTInfo. CMS is
BER by its standard, so that nothing is said where a token is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from libs.crypto.asn1_budget import CONSTRUCTED, Asn1Limits, check_asn1
from libs.crypto.errors import CryptoError, InvalidSignature
from libs.crypto.provider import SmProvider
from libs.crypto.sm3 import sm3
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.chain import TrustPolicy, verify_chain
from libs.crypto.x509.names import same
from libs.crypto.x509.roles import Role
from libs.crypto.x509.signed import SM2_WITH_SM3
from libs.crypto.x509.tlv import OCTET_STRING, SEQUENCE, SET, Tlv, as_set, canonical, dotted, moment, only

LIMITS = Asn1Limits(size=64 * 1024, elements=2_000)
_SM3 = "1.2.156.10197.1.401"
_SM2 = frozenset(("1.2.156.10197.1.301", "1.2.156.10197.1.301.1", SM2_WITH_SM3))
_SIGNED_DATA = frozenset(("1.2.840.113549.1.7.2", "1.2.156.10197.6.1.4.2.2"))
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_FIRST, _KEY_IDENTIFIER = 0xA0, 0x80


class TimeStampNotAccepted(CryptoError):
    """The time stamp is broken, of another algorithm, or of other bytes."""


@dataclass(frozen=True, slots=True)
class _Token:
    """What of a token matters: TSTInfo, the certificates that came with it, and the parts of its one signer."""

    info: bytes
    certificates: tuple[bytes, ...]
    signer: Tlv
    attributes: Tlv
    signature: bytes


def verify_time_stamp(
    token: bytes, stamped: bytes, now: datetime, policy: TrustPolicy, provider: SmProvider
) -> datetime:
    """Checks that ``token`` stamps the bytes ``stamped``; returns when they existed.

    The authority's certificate must entitle it to stamp and to nothing else, hold at that time, and hold still (RFC 3161,
    4.3; a stamp under a stamp is not read).

    Raises:
        TimeStampNotAccepted: if it does not.
        CertificateNotAccepted: if its authority's chain does not hold.
    """
    try:
        check_asn1(token, LIMITS)
        read = _read(token)
        at = _stamped_at(read.info, stamped)
        _check_attributes(read)
        known = tuple(_certificates(read.certificates))
        authority = next((each for each in known if _is_signer(read.signer, each)), None)
    except (ValueError, IndexError, OverflowError) as error:
        raise TimeStampNotAccepted(f"not a time stamp of these bytes: {error}") from error
    if authority is None:
        raise TimeStampNotAccepted("the authority's certificate is not there, or none of SM2")
    _verify(authority, read, provider)
    verify_chain(authority, known, at, policy, provider, Role.TIME_STAMPING, proven=now)
    return at


def _verify(authority: Certificate, token: _Token, provider: SmProvider) -> None:
    """Checks the signature over the attributes: a SET OF in DER, however and under whatever tag they came (RFC 5652, 5.4).

    Some sign the order that they send and not that of DER; OpenSSL verifies that too.
    """
    attributes = [canonical(each) for each in token.attributes.children]
    for order in (attributes, sorted(attributes)):
        try:
            return provider.sm2_verify(authority.public_key, as_set(order), token.signature)
        except InvalidSignature:
            continue
    raise InvalidSignature("the signature does not hold")


def _read(token: bytes) -> _Token:
    kind, held = only(token, SEQUENCE).children
    if dotted(kind) not in _SIGNED_DATA:
        raise ValueError("no signed data")
    _, _, content, *rest = only(held.expect(_FIRST).content, SEQUENCE).children
    content_type, info = content.expect(SEQUENCE).children
    signers = rest[-1].expect(SET).children
    if dotted(content_type) != _TST_INFO or len(signers) != 1:
        raise ValueError("not the signed data of one time stamp")
    _, signer, digest, attributes, algorithm, signature, *_ = signers[0].expect(SEQUENCE).children
    if dotted(digest.children[0]) != _SM3 or dotted(algorithm.children[0]) not in _SM2:
        raise ValueError("another algorithm than SM2 with SM3")
    certificates = tuple(each.whole for part in rest[:-1] if part.tag == _FIRST for each in part.children)
    inner = only(info.expect(_FIRST).content, OCTET_STRING).content
    return _Token(inner, certificates, signer, attributes.expect(_FIRST), signature.expect(OCTET_STRING).content)


def _stamped_at(info: bytes, stamped: bytes) -> datetime:
    _, _, imprint, _, at, *_ = only(info, SEQUENCE).children
    algorithm, digest = imprint.expect(SEQUENCE).children
    if dotted(algorithm.children[0]) != _SM3 or digest.expect(OCTET_STRING).content != sm3(stamped):
        raise ValueError("it stamps other bytes")
    return moment(at)


def _check_attributes(token: _Token) -> None:
    found = {dotted(kind): values.expect(SET).children for kind, values in map(_pair, token.attributes.children)}
    (content_type,) = found.get(_CONTENT_TYPE, [])
    (digest,) = found.get(_MESSAGE_DIGEST, [])
    if dotted(content_type) != _TST_INFO or digest.expect(OCTET_STRING).content != sm3(token.info):
        raise ValueError("what is signed is not what it holds")


def _pair(attribute: Tlv) -> tuple[Tlv, Tlv]:
    kind, values = attribute.expect(SEQUENCE).children
    return kind, values


def _certificates(ders: Iterable[bytes]) -> Iterable[Certificate]:
    for der in ders:
        try:
            yield Certificate.parse(der)
        except CryptoError:
            continue


def _is_signer(identifier: Tlv, certificate: Certificate) -> bool:
    if identifier.tag | CONSTRUCTED == _KEY_IDENTIFIER | CONSTRUCTED:
        return certificate.key_identifier == identifier.implicit(_KEY_IDENTIFIER)
    issuer, serial_number = identifier.expect(SEQUENCE).children
    return serial_number.integer == certificate.serial_number and same(issuer.whole, certificate.issuer_der)
