"""The region's SM2 authority for seals: issues certificates and revocation lists. Below the root, which lies elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from asn1crypto import x509

from libs.crypto.errors import CryptoError
from libs.crypto.keystore import KeyRef
from libs.crypto.sm2 import Sm2PublicKey
from libs.crypto.x509 import (
    Certificate,
    Crl,
    DistinguishedName,
    Profile,
    RevokedEntry,
    Validity,
    issue_certificate,
    make_crl,
)
from libs.errors import reasons
from services.seal.core.keys import OpenedKeys, key_unavailable

KEY = "ca"
"""The authority's key in the key store; its certificate lies beside it."""


@dataclass(frozen=True)
class SealAuthority:
    """The authority. Its methods block: they use its key.

    Attributes:
        root: the region's root.
        certificate: the authority's own, issued by the root.
        keys: where its key is opened.
        key: its key.
        crl_url: where anyone finds its revocation list; stands in every certificate.
    """

    root: Certificate
    certificate: Certificate
    keys: OpenedKeys
    key: KeyRef
    crl_url: str

    @classmethod
    def open(cls, folder: Path, keys: OpenedKeys, base_url: str) -> "SealAuthority":
        """Reads ``ca.der`` and ``root.der`` from the folder of the key store."""
        root, certificate = (Certificate.parse((folder / f"{name}.der").read_bytes()) for name in ("root", KEY))
        return cls(root, certificate, keys, keys.ensure(KEY), f"{base_url}/v1/certificates:crl")

    def within(self, not_before: datetime, not_after: datetime) -> Validity:
        """Returns the part of a period in which the authority's own certificate holds.

        Raises:
            FailedPrecondition: CERTIFICATE_NOT_VALID, there is none.
        """
        start = max(_whole_seconds(not_before), self.certificate.not_before)
        end = min(_whole_seconds(not_after), self.certificate.not_after)
        if start >= end:
            raise reasons.certificate_not_valid(
                "the authority's certificate does not hold then", certificate="authority"
            )
        return Validity(start, end)

    def issue(
        self, subject: DistinguishedName | x509.Name, public_key: Sm2PublicKey, profile: Profile, validity: Validity
    ) -> Certificate:
        """Issues a certificate; raises Unavailable KEY_UNAVAILABLE."""
        signer = self.keys.signer(self.key.name, self.key.version)
        try:
            return issue_certificate(
                self.certificate, signer, subject, public_key, profile, validity, crl_url=self.crl_url
            )
        except (CryptoError, OSError) as error:
            raise key_unavailable() from error

    def make_crl(
        self, number: int, this_update: datetime, next_update: datetime, entries: Iterable[RevokedEntry]
    ) -> Crl:
        """Makes a revocation list; raises Unavailable KEY_UNAVAILABLE."""
        signer = self.keys.signer(self.key.name, self.key.version)
        try:
            return make_crl(self.certificate, signer, number, this_update, next_update, entries)
        except (CryptoError, OSError) as error:
            raise key_unavailable() from error

    def chain_of(self, kind: str) -> tuple[bytes, ...]:
        """Returns the certificates above one of this kind, the root last."""
        above = {"ROOT": (), "AUTHORITY": (self.root.der,)}
        return above.get(kind, (self.certificate.der, self.root.der))


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
