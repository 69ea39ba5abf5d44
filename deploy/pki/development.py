"""The development PKI for mTLS between a region's processes: one P-256 CA per region, one certificate per process.

For one machine and for tests. In a cluster a certificate issuer of the platform (cert-manager, SPIRE) writes the same
files. P-256 rather than SM2, because gRPC's BoringSSL knows no SM cipher suites.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from libs.clock import Clock, SystemClock

DOMAIN = "tongban.internal"
"""The domain of the names of processes: ``<name>.<region>.tongban.internal``."""

RENEW_BEFORE = timedelta(days=30)
"""What is left of a validity when ``ensure`` makes a new certificate."""

_CA_VALIDITY = timedelta(days=3650)
_LEAF_VALIDITY = timedelta(days=365)
# Another machine's clock may be a little behind.
_BACKDATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The files of a process: its certificate and its private key, both PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of a region's PKI.

    Attributes:
        ca: the CA's certificate, ``ca.pem``.
        processes: by name, ``<name>.pem`` and ``<name>.key``.
    """

    ca: Path
    processes: dict[str, KeyPair]


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def host_name(name: str, region: str) -> str:
    """Returns the DNS name that a process's certificate carries, by which its peers know it."""
    return f"{name}.{region}.{DOMAIN}"


def ensure(folder: Path, region: str, names: Iterable[str], clock: Clock | None = None) -> Paths:
    """Makes the CA of ``region`` and the certificates of ``names`` in ``folder``, where they are missing.

    Keeps what is there and good; makes anew what expires within ``RENEW_BEFORE``, has other names than it should, or
    is not of this CA. Safe when several processes call it at once. All files have mode 0600.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = (clock or SystemClock()).now()
    with _locked(folder / ".lock"):
        authority = _ensure_authority(folder, region, now)
        pairs = {name: _ensure_process(folder, region, name, authority, now) for name in sorted(set(names))}
    return Paths(folder / "ca.pem", pairs)


def _ensure_authority(folder: Path, region: str, now: datetime) -> _Authority:
    files = KeyPair(folder / "ca.pem", folder / "ca.key")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Tongban {region} development CA")])
    found = _read(files)
    if found is not None and found.certificate.subject == subject and _is_fresh(found.certificate, now):
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(subject, subject, key.public_key(), now, now + _CA_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(files, certificate, key)
    return _Authority(certificate, key)


def _ensure_process(folder: Path, region: str, name: str, authority: _Authority, now: datetime) -> KeyPair:
    files = KeyPair(folder / f"{name}.pem", folder / f"{name}.key")
    alternatives = _alternatives(host_name(name, region))
    if _is_good(_read(files), alternatives, authority, now):
        return files
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host_name(name, region))])
    end = min(now + _LEAF_VALIDITY, authority.certificate.not_valid_after_utc)
    both_sides = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(subject, authority.certificate.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_ca=False), critical=True)
        .add_extension(both_sides, critical=False)
        .add_extension(issuer_key, critical=False)
        .add_extension(alternatives, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    _write(files, certificate, key)
    return files


def _is_good(
    found: _Authority | None, alternatives: x509.SubjectAlternativeName, authority: _Authority, now: datetime
) -> bool:
    if found is None or not _is_fresh(found.certificate, now):
        return False
    try:
        found.certificate.verify_directly_issued_by(authority.certificate)
        names = found.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return names == alternatives


def _is_fresh(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _alternatives(host: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [x509.DNSName(host), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    )


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read(files: KeyPair) -> _Authority | None:
    """Reads a pair; None if a file is missing, broken, or does not belong to the other."""
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    return _Authority(certificate, key)


def _write(files: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    _replace(files.key, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    _replace(files.certificate, certificate.public_bytes(pem))


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
