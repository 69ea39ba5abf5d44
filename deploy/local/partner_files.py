"""The files of a listener for partners, looked at before Envoy gets them: it goes on without a listener that it can't make, and by a list that it can't read it lets nobody in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class PartnerFiles:
    """Where they lie.

    Attributes:
        cert, key: the listener's own certificate with those above it, and its private key.
        ca: the authorities of partners.
        crl: what those have revoked; None where nothing is looked up.
    """

    cert: Path
    key: Path
    ca: Path
    crl: Path | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yields which file can't be what it is for, and why."""
        files = {"cert": self.cert, "key": self.key, "ca": self.ca, "crl": self.crl}
        missing = [name for name, file in files.items() if file is not None and not file.is_file()]
        if missing:
            yield from ((name, "there is no such file") for name in missing)
            return
        looks = {"cert": self._own, "key": self._pair, "ca": self._authorities, "crl": self._lists}
        for name, look in looks.items():
            try:
                if fault := look():
                    yield name, fault
            except OSError as error:
                yield name, f"can't be read: {error.strerror}"

    def ends(self) -> Iterator[tuple[Path, str, datetime]]:
        """Yields until when each of them is good, and what it is.; nothing of what can't be read, which is a fault; raises OSError."""
        for own in _certificates(self.cert)[:1]:
            yield self.cert, "the listener's certificate", own.not_valid_after_utc
        for each in _certificates(self.ca):
            yield self.ca, f"the authority {_called(each.subject)}", each.not_valid_after_utc
        if self.crl is None:
            return
        for told in _revocations(self.crl):
            if told.next_update_utc is not None:
                yield self.crl, f"the list of {_called(told.issuer)}", told.next_update_utc

    def _own(self) -> str:
        return "" if _certificates(self.cert) else "holds no certificates in PEM"

    def _pair(self) -> str:
        try:
            key = load_pem_private_key(self.key.read_bytes(), None)
        except _UNREADABLE:
            return "holds no private key in PEM, or one that is encrypted"
        found = _certificates(self.cert)
        if found and found[0].public_key().public_bytes(*_SPKI) != key.public_key().public_bytes(*_SPKI):
            return "is not the key of the certificate, which must be the first in its file"
        return ""

    def _authorities(self) -> str:
        found = _certificates(self.ca)
        if not found:
            return "holds no certificates in PEM"
        wrong = [_called(each.subject) for each in found if not _signs(each)]
        return f"holds what is no authority's certificate: {', '.join(wrong)}" if wrong else ""

    def _lists(self) -> str:
        if self.crl is None:
            return ""
        found = _revocations(self.crl)
        if not found:
            return "holds no lists of what was revoked (X509 CRL) in PEM"
        told = {each.issuer for each in found}
        signing = filter(_signs, _certificates(self.ca))
        silent = [_called(each.subject) for each in signing if each.subject not in told]
        return f"holds no list of {', '.join(silent)}, none of whose certificates would be taken" if silent else ""


def over_or_soon(files: PartnerFiles, now: datetime, soon: timedelta) -> Iterator[tuple[str, bool]]:
    """Yields what of the files is over, or ends soon: what to tell, and whether it is over."""
    for path, what, end in files.ends():
        if end <= now:
            yield f"{path}: {what} is over since {end:%F}", True
        elif end - now < soon:
            yield f"{path}: {what} ends on {end:%F}", False


def _certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a file; none where it can't be read as such."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except _UNREADABLE:
        return []


def _revocations(path: Path) -> list[x509.CertificateRevocationList]:
    """The lists of a file; none where one can't be read as such."""
    try:
        return [x509.load_pem_x509_crl(each) for each in _CRL.findall(path.read_bytes())]
    except _UNREADABLE:
        return []


def _signs(certificate: x509.Certificate) -> bool:
    """Whether it is an authority's; an old root says nothing of it, and is its own issuer."""
    try:
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return certificate.issuer == certificate.subject
    except _UNREADABLE:
        return False
    return limits.ca


def _called(name: x509.Name) -> str:
    return name.rfc4514_string()
