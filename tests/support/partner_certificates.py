"""Certificates of partners' systems and who signs them, made by `cryptography`: good ones, and such as nobody should take."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
FOR_CLIENTS, FOR_SERVERS = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass(frozen=True)
class HeldCertificate:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        """The certificate as clients are registered with it."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The same as files hold it."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def digest(self) -> str:
        """Its SHA-256 in hexadecimal digits, as Envoy tells it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def told(self) -> dict[str, str]:
        """What the gateway says of who came with it."""
        return {"x-forwarded-client-cert": f"Hash={self.digest}"}

    def files(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Writes both as PEM; returns where."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.pem)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key


class Signer:
    """Who signs certificates."""

    def __init__(self, name: str) -> None:
        self._key, self._subject = ec.generate_private_key(ec.SECP256R1()), _name(name)
        now = datetime.now(UTC)
        builder = self._begun(self._subject, self._key.public_key(), now - DAY, now + 3650 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def _begun(self, subject: x509.Name, key: Any, start: datetime, end: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._subject).public_key(key)
        return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)

    def sign(
        self,
        name: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        key: Any = None,
        use: x509.ObjectIdentifier | None = FOR_CLIENTS,
        ca: bool = False,
        hosts: tuple[str, ...] = (),
    ) -> HeldCertificate:
        """Signs a certificate, by default one of a client that is good for 90 days; ``use`` None says nothing of use."""
        now, key = datetime.now(UTC).replace(microsecond=0), key or ec.generate_private_key(ec.SECP256R1())
        builder = self._begun(_name(name), key.public_key(), start or now - DAY, end or now + 90 * DAY)
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        if hosts:
            names = [x509.IPAddress(ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return HeldCertificate(builder.sign(self._key, hashes.SHA256()), key)
