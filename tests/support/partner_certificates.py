"""Certificates of partners' systems and who signs them, made by `cryptography`: good ones, and such as nobody should take."""

import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.patience import PATIENCE

DAY = timedelta(days=1)
REFUSED = (httpx.TransportError, ssl.SSLError)
"""What a client meets whose certificate is refused: by TLS 1.3 it learns of it behind its own part of the handshake, when it reads."""
_OF_SIGNERS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
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
        builder = self._begun(self._subject, self._key.public_key(), *_OF_SIGNERS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def _begun(self, subject: x509.Name, key: Any, start: datetime, end: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._subject).public_key(key)
        return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)

    def revoking(self, *held: HeldCertificate, end: datetime | None = None) -> bytes:
        """The list of what it has revoked, PEM; by default one that is good for another day."""
        now = datetime.now(UTC).replace(microsecond=0)
        until = end or now + DAY
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._subject)
        builder = builder.last_update(min(now, until) - DAY).next_update(until)
        for each in held:
            found = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
            builder = builder.add_revoked_certificate(found.revocation_date(now - DAY).build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

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


@dataclass(frozen=True)
class PartnersDoor:
    """The listener for partners of a region that runs: where it is, who signs their certificates, and by which root it is known.

    Attributes:
        folder: where files of certificates lie.
        port: where it listens.
        signer: whose certificates it takes.
        root: who signed its own.
    """

    folder: Path
    port: int
    signer: Signer
    root: Signer

    @classmethod
    def made(cls, folder: Path, port: int) -> "PartnersDoor":
        """Makes the files of a listener."""
        found = cls(folder, port, Signer("partners"), Signer("root of the listener"))
        found.root.sign("listener", use=FOR_SERVERS, hosts=("127.0.0.1", "localhost")).files(folder, "listener")
        (folder / "partners-ca.pem").write_bytes(found.signer.pem)
        (folder / "root.pem").write_bytes(found.root.pem)
        return found

    @property
    def url(self) -> str:
        """What the outside calls it."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def files(self) -> dict[str, str]:
        """Its files, as settings name them."""
        named = {"cert": "listener.pem", "key": "listener.key", "ca": "partners-ca.pem"}
        return {key: str(self.folder / name) for key, name in named.items()}

    def settings(self, region: str) -> str:
        """What the operator of a region writes down."""
        said = {"port": self.port, "url": self.url, **self.files}
        lines = (f"{key} = {json.dumps(value)}" for key, value in said.items())
        return "\n".join((f"[regions.{region}.mtls]", *lines, ""))

    def context(self, held: HeldCertificate | None = None) -> ssl.SSLContext:
        """How somebody connects to it, with a certificate or without one."""
        context = ssl.create_default_context(cadata=self.root.pem.decode("ascii"))
        if held is not None:
            context.load_cert_chain(*held.files(self.folder, f"held-{held.certificate.serial_number}"))
        return context

    def client(self, held: HeldCertificate | None = None) -> httpx.AsyncClient:
        """Opens a client that connects so."""
        return httpx.AsyncClient(base_url=self.url, verify=self.context(held), trust_env=False, timeout=PATIENCE)
