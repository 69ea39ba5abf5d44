"""Reads certificates of clients when they come in (X.509, RFC 5280), and refuses what is none."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from libs import outside
from libs.errors import InvalidArgument, invalid_field
from services.identity.core.client_certificates import ClientCertificate

_CURVES = ("secp256r1", "secp384r1")
_RSA_BITS = range(2048, 4097)
_LONGEST_SUBJECT = 500
_FOR_CLIENTS = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)


def thumbprint_of(der: bytes) -> str:
    """Returns the SHA-256 of a certificate, base64url (RFC 8705, 3.1)."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


def checked_certificates(given: Sequence[bytes], field: str, now: datetime) -> tuple[ClientCertificate, ...]:
    """Returns the certificates as they are stored.

    Raises:
        InvalidArgument: FIELD_INVALID where one stands twice, is no certificate of a client, is over, or has another kind of key than is taken.
    """
    read = tuple(_checked(der, f"{field}[{place}].certificate", now) for place, der in enumerate(given))
    if len({each.thumbprint for each in read}) != len(read):
        raise invalid_field(field, "certificate.once", "hold one certificate twice")
    return read


def _checked(der: bytes, field: str, now: datetime) -> ClientCertificate:
    try:
        found = x509.load_der_x509_certificate(der)
        kept = ClientCertificate(
            der,
            thumbprint_of(der),
            outside.line(found.subject.rfc4514_string(), _LONGEST_SUBJECT),
            found.not_valid_before_utc,
            found.not_valid_after_utc,
        )
        key, extensions = found.public_key(), found.extensions
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise invalid_field(
            field,
            "certificate.form",
            "is no X.509 certificate in DER, or names somebody at length or by control characters",
        ) from error
    if found.public_bytes(Encoding.DER) != der:
        raise invalid_field(field, "certificate.form", "is no X.509 certificate in DER")
    _check_key(key, field)
    _check_use(extensions, field)
    if kept.not_after <= now:
        raise invalid_field(field, "certificate.over", "is over")
    return kept


def _check_key(key: object, field: str) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
        return
    raise _unfit(field, "key", "has another kind or size of key than is taken")


def _check_use(extensions: x509.Extensions, field: str) -> None:
    """It is of a client, as the gateway's handshake asks too: what could sign others is never shown by one."""
    uses = _extension(extensions, x509.ExtendedKeyUsage)
    if uses is not None and not any(each in uses for each in _FOR_CLIENTS):
        raise _unfit(field, "use", "is not for clients")
    limits = _extension(extensions, x509.BasicConstraints)
    if limits is not None and limits.ca:
        raise _unfit(field, "authority", "is an authority's")


def _extension(extensions: x509.Extensions, kind: Any) -> Any:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _unfit(field: str, rule: str, message: str) -> InvalidArgument:
    return invalid_field(field, f"certificate.{rule}", message)
