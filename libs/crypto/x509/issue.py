"""Issues SM2 certificates."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from asn1crypto import keys, x509

from libs.crypto.provider import Signer
from libs.crypto.sm2 import Sm2PublicKey
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.roles import Role
from libs.crypto.x509.signed import algorithm, join, time_value


class Profile(Enum):
    """What a certificate is for; decides basic constraints, key usage and roles."""

    SUBORDINATE_CA = "SUBORDINATE_CA"
    SEAL_MAKER = "SEAL_MAKER"
    SIGNER = "SIGNER"
    LOG = "LOG"
    TIME_STAMPING = "TIME_STAMPING"

    @property
    def purposes(self) -> frozenset[str]:
        """The object identifiers of the roles that a certificate of this profile gives, or a CA's may pass on."""
        return frozenset(role.value for role in _ROLES[self])


_ROOT_USAGE = {"key_cert_sign", "crl_sign"}
_USAGES = {
    Profile.SUBORDINATE_CA: _ROOT_USAGE,
    Profile.SEAL_MAKER: {"digital_signature", "non_repudiation"},
    Profile.SIGNER: {"digital_signature", "non_repudiation"},
    Profile.LOG: {"digital_signature"},
    Profile.TIME_STAMPING: {"digital_signature", "non_repudiation"},
}
_ROLES = {
    Profile.SUBORDINATE_CA: (Role.SEAL_MAKER, Role.SEAL_SIGNER, Role.AUDIT_LOG),
    Profile.SEAL_MAKER: (Role.SEAL_MAKER,),
    Profile.SIGNER: (Role.SEAL_SIGNER,),
    Profile.LOG: (Role.AUDIT_LOG,),
    Profile.TIME_STAMPING: (Role.TIME_STAMPING,),
}
"""An end entity has one role; a CA below the root is bound to those that it may give."""


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """A distinguished name.

    Attributes:
        common_name: 1 to 64 characters.
        organization: the body's full name, or "".
        unit: the department, or "".
        identifier: a code that tells namesakes apart, such as a USCC or a seal's number, or "".
        country: two letters.
    """

    common_name: str
    organization: str = ""
    unit: str = ""
    identifier: str = ""
    country: str = "CN"

    def to_name(self) -> x509.Name:
        """Returns the ASN.1 name, from the country down."""
        if not 1 <= len(self.common_name) <= 64:
            raise ValueError("a common name has 1 to 64 characters")
        parts = {
            "country_name": self.country,
            "organization_name": self.organization,
            "organizational_unit_name": self.unit,
            "serial_number": self.identifier,
            "common_name": self.common_name,
        }
        return x509.Name.build({kind: value for kind, value in parts.items() if value})


@dataclass(frozen=True, slots=True)
class Validity:
    """The period of validity, both ends included, to the second."""

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        if self.not_before >= self.not_after:
            raise ValueError("a certificate's validity must end after it begins")

    @classmethod
    def days(cls, start: datetime, count: int) -> "Validity":
        """Returns the period of ``count`` days from ``start``."""
        return cls(start, start + timedelta(days=count))


def make_root(
    signer: Signer, subject: DistinguishedName, validity: Validity, serial_number: int | None = None
) -> Certificate:
    """Makes a self-signed root; any number of CAs may follow below it.

    Args:
        signer: the root's own key.
        subject: its name.
        validity: its period.
        serial_number: random (127 bits) unless given.
    """
    name = subject.to_name()
    identifier = _key_identifier(signer.public_key)
    extensions = [
        _extension("basic_constraints", {"ca": True}, critical=True),
        _extension("key_usage", _ROOT_USAGE, critical=True),
        _extension("key_identifier", identifier),
        _extension("authority_key_identifier", {"key_identifier": identifier}),
    ]
    return _sign(signer, name, name, signer.public_key, validity, serial_number, extensions)


def issue_certificate(
    issuer: Certificate,
    signer: Signer,
    subject: DistinguishedName | x509.Name,
    public_key: Sm2PublicKey,
    profile: Profile,
    validity: Validity,
    *,
    serial_number: int | None = None,
    crl_url: str = "",
) -> Certificate:
    """Issues a certificate for ``public_key``.

    Args:
        issuer: the CA's certificate.
        signer: the CA's key.
        subject: whose certificate it is; a name as it was received is taken as it is.
        public_key: the key it speaks for.
        profile: what it is for.
        validity: must lie within the issuer's.
        serial_number: random (127 bits) unless given; unique for the issuer.
        crl_url: where the issuer's CRL is found, if anywhere.

    Raises:
        ValueError: if the issuer is no CA, the signer has another key, or the validity is longer than the issuer's.
    """
    _check_issuer(issuer, signer, validity)
    is_ca = profile is Profile.SUBORDINATE_CA
    constraints: dict[str, object] = {"ca": True, "path_len_constraint": 0} if is_ca else {"ca": False}
    extensions = [
        _extension("basic_constraints", constraints, critical=True),
        _extension("key_usage", _USAGES[profile], critical=True),
        # Critical where it entitles, so that nobody takes the key for something else.
        _extension("extended_key_usage", sorted(profile.purposes), critical=not is_ca),
        _extension("key_identifier", _key_identifier(public_key)),
        _extension("authority_key_identifier", {"key_identifier": issuer.key_identifier}),
    ]
    if crl_url:
        extensions.append(_extension("crl_distribution_points", [_distribution_point(crl_url)]))
    issuer_name = x509.Name.load(issuer.subject_der)
    name = subject.to_name() if isinstance(subject, DistinguishedName) else subject
    return _sign(signer, issuer_name, name, public_key, validity, serial_number, extensions)


def _check_issuer(issuer: Certificate, signer: Signer, validity: Validity) -> None:
    if not issuer.is_ca or signer.public_key != issuer.public_key:
        raise ValueError("the issuer is no CA, or the signer has another key than it")
    if validity.not_before < issuer.not_before or validity.not_after > issuer.not_after:
        raise ValueError("the certificate would be valid outside its issuer's validity")


def _sign(
    signer: Signer,
    issuer: x509.Name,
    subject: x509.Name,
    public_key: Sm2PublicKey,
    validity: Validity,
    serial_number: int | None,
    extensions: list[x509.Extension],
) -> Certificate:
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial_number or _random_serial_number(),
            "signature": algorithm(),
            "issuer": issuer,
            "validity": {
                "not_before": time_value(validity.not_before),
                "not_after": time_value(validity.not_after),
            },
            "subject": subject,
            "subject_public_key_info": keys.PublicKeyInfo.load(public_key.spki),
            "extensions": extensions,
        }
    )
    return Certificate.parse(join(tbs, signer))


def _random_serial_number() -> int:
    # At least 64 random bits (CA/Browser Forum BR 7.1), positive, and of constant length.
    return secrets.randbits(126) | 1 << 126


def _key_identifier(public_key: Sm2PublicKey) -> bytes:
    # RFC 5280, 4.2.1.2 (1): not a security function, and what OpenSSL computes too.
    return hashlib.sha1(public_key.point, usedforsecurity=False).digest()


def _distribution_point(url: str) -> x509.DistributionPoint:
    location = x509.GeneralName("uniform_resource_identifier", url)
    return x509.DistributionPoint({"distribution_point": x509.DistributionPointName("full_name", [location])})


def _extension(kind: str, value: object, *, critical: bool = False) -> x509.Extension:
    return x509.Extension({"extn_id": kind, "critical": critical, "extn_value": value})
