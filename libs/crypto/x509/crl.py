"""Certificate revocation lists (RFC 5280, 5), signed by SM2."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import x509

from libs.crypto.asn1_budget import Asn1Limits, check_asn1
from libs.crypto.errors import MalformedCertificate
from libs.crypto.provider import Signer
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.extensions import split_extension
from libs.crypto.x509.names import display
from libs.crypto.x509.signed import SM2_WITH_SM3, algorithm, armor, join, time_value, unarmor
from libs.crypto.x509.tlv import (
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    Tlv,
    canonical,
    dotted,
    moment,
    only,
)

MAX_SIZE = 16 * 1024 * 1024
"""Bytes that ``Crl.parse`` takes at most."""
_LIMITS = Asn1Limits(size=MAX_SIZE, elements=2_000_000)
_ENUMERATED, _EXTENSIONS = 0x0A, 0xA0


class RevocationReason(Enum):
    """Why a certificate is revoked (RFC 5280, 5.3.1)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    CERTIFICATE_HOLD = "certificate_hold"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"
    AA_COMPROMISE = "aa_compromise"


_KEY_IN_OTHER_HANDS = frozenset(
    (RevocationReason.KEY_COMPROMISE, RevocationReason.CA_COMPROMISE, RevocationReason.AA_COMPROMISE)
)


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One revoked certificate.

    Attributes:
        serial_number: its serial number.
        revocation_time: from when it holds no longer.
        reason: why.
        invalidity_time: from when its key may have been in other hands, where that is known (RFC 5280, 5.3.2).
    """

    serial_number: int
    revocation_time: datetime
    reason: RevocationReason = RevocationReason.UNSPECIFIED
    invalidity_time: datetime | None = None

    @property
    def doubtful_from(self) -> datetime:
        """From when a use counts only if it is proven to be older: the reason decides.

        A compromised key was in other hands before anybody revoked it; a certificate that was merely replaced or no
        longer needed was good until it was revoked.
        """
        if self.invalidity_time is None or self.reason not in _KEY_IN_OTHER_HANDS:
            return self.revocation_time
        return min(self.invalidity_time, self.revocation_time)


@dataclass(frozen=True, slots=True)
class Crl:
    """A CRL, read but not verified.

    Attributes:
        der: the bytes as received.
        tbs: the signed part of them.
        signature: DER SEQUENCE {r, s}.
        issuer: the issuer for people.
        issuer_der: the issuer's encoding.
        number: the CRL number; one more for each CRL of the issuer.
        this_update: when it was made, UTC.
        next_update: when the next one comes at the latest, UTC.
        entries: the revoked certificates by serial number.
    """

    der: bytes = field(repr=False)
    tbs: bytes = field(repr=False, compare=False)
    signature: bytes = field(repr=False, compare=False)
    issuer: str = field(compare=False)
    issuer_der: bytes = field(repr=False, compare=False)
    number: int = field(compare=False)
    this_update: datetime = field(compare=False)
    next_update: datetime = field(compare=False)
    entries: Mapping[int, RevokedEntry] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, der: bytes) -> "Crl":
        """Reads DER or BER, as ``Certificate.parse`` does.

        Raises:
            MalformedCertificate: if it is no version 2 CRL with an SM2 signature, a number and a next update, or has
                a critical extension (such as a delta CRL's), or an entry with one.
        """
        try:
            return cls(**_read(der))
        except (ValueError, LookupError, OverflowError) as error:
            raise MalformedCertificate(f"not an SM2 CRL: {error}") from error

    @classmethod
    def from_pem(cls, text: bytes) -> "Crl":
        """Reads a PEM ``X509 CRL``.

        Raises:
            MalformedCertificate: as ``parse``.
        """
        return cls.parse(unarmor(text, "X509 CRL"))

    @property
    def pem(self) -> bytes:
        """The CRL as PEM."""
        return armor("X509 CRL", self.der)


def make_crl(
    issuer: Certificate,
    signer: Signer,
    number: int,
    this_update: datetime,
    next_update: datetime,
    entries: Iterable[RevokedEntry],
) -> Crl:
    """Makes the full CRL of a CA.

    Raises:
        ValueError: if the signer has another key than the issuer, or the times are the wrong way round.
    """
    if signer.public_key != issuer.public_key or this_update >= next_update:
        raise ValueError("the signer must have the issuer's key, and the next update must be later")
    fields: dict[str, object] = {
        "version": "v2",
        "signature": algorithm(),
        "issuer": x509.Name.load(issuer.subject_der),
        "this_update": time_value(this_update),
        "next_update": time_value(next_update),
        "crl_extensions": [
            _extension("authority_key_identifier", {"key_identifier": issuer.key_identifier}),
            _extension("crl_number", number),
        ],
    }
    revoked = [_revoked(entry) for entry in sorted(entries, key=lambda entry: entry.serial_number)]
    # RFC 5280, 5.1.2.6: the list must be absent when it is empty.
    if revoked:
        fields["revoked_certificates"] = revoked
    return Crl.parse(join(asn1_crl.TbsCertList(fields), signer))


def _revoked(entry: RevokedEntry) -> dict[str, object]:
    fields: dict[str, object] = {
        "user_certificate": entry.serial_number,
        "revocation_date": time_value(entry.revocation_time),
    }
    # RFC 5280, 5.3.1: "unspecified" is said by leaving the extension out.
    values: list[tuple[str, object]] = []
    if entry.reason is not RevocationReason.UNSPECIFIED:
        values.append(("crl_reason", entry.reason.value))
    if entry.invalidity_time is not None:
        values.append(("invalidity_date", entry.invalidity_time.astimezone(UTC).replace(microsecond=0)))
    if values:
        fields["crl_entry_extensions"] = [
            asn1_crl.CRLEntryExtension({"extn_id": kind, "critical": False, "extn_value": value})
            for kind, value in values
        ]
    return fields


def _extension(kind: str, value: object) -> asn1_crl.TBSCertListExtension:
    return asn1_crl.TBSCertListExtension({"extn_id": kind, "critical": False, "extn_value": value})


_INVALIDITY_DATE, _REASON, _NUMBER = "2.5.29.24", "2.5.29.21", "2.5.29.20"
_REASONS = dict(enumerate(RevocationReason)) | {
    9: RevocationReason.PRIVILEGE_WITHDRAWN,
    10: RevocationReason.AA_COMPROMISE,
}
del _REASONS[7], _REASONS[8]
"""By their numbers (RFC 5280, 5.3.1): 7 is not used, and 8 belongs into a delta CRL."""
_VERSION_2 = 1


def _read(der: bytes) -> dict[str, Any]:
    check_asn1(der, _LIMITS)
    tbs, outer, signature = only(der, SEQUENCE).children
    version, inner, issuer, this_update, *rest = tbs.expect(SEQUENCE).children
    if version.integer != _VERSION_2 or dotted(outer.expect(SEQUENCE).children[0]) != SM2_WITH_SM3:
        raise ValueError("wanted version 2, signed by SM2 with SM3")
    if canonical(inner) != canonical(outer):
        raise ValueError("two signature algorithms")
    next_update = rest.pop(0) if rest and rest[0].tag in (UTC_TIME, GENERALIZED_TIME) else None
    if next_update is None:
        raise ValueError("no next update")
    revoked = rest.pop(0).children if rest and rest[0].tag == SEQUENCE else []
    return {
        "der": der,
        "tbs": tbs.whole,
        "signature": signature.octets,
        "issuer": display(issuer.whole),
        "issuer_der": issuer.whole,
        "number": _number(only(rest[0].expect(_EXTENSIONS).content, SEQUENCE)),
        "this_update": moment(this_update),
        "next_update": moment(next_update),
        "entries": {entry.serial_number: entry for entry in map(_read_entry, revoked)},
    }


def _read_entry(entry: Tlv) -> RevokedEntry:
    serial_number, at, *rest = entry.expect(SEQUENCE).children
    said = _not_critical(rest[0]) if rest else {}
    reason, since = said.get(_REASON), said.get(_INVALIDITY_DATE)
    return RevokedEntry(
        serial_number.integer,
        moment(at),
        RevocationReason.UNSPECIFIED if reason is None else _REASONS[only(reason, _ENUMERATED).content[0]],
        None if since is None else moment(only(since, GENERALIZED_TIME)),
    )


def _number(extensions: Tlv) -> int:
    found = _not_critical(extensions)
    if _NUMBER not in found:
        raise ValueError("no CRL number")
    return only(found[_NUMBER], INTEGER).integer


def _not_critical(extensions: Tlv) -> dict[str, bytes]:
    """Returns the values of extensions; raises ValueError where one is critical, or stands twice."""
    found: dict[str, bytes] = {}
    for kind, critical, value in map(split_extension, extensions.expect(SEQUENCE).children):
        if critical or kind in found:
            raise ValueError("a critical extension, or one that stands twice")
        found[kind] = value.expect(OCTET_STRING).content
    return found
