"""The certificate with which a program opens its connections (RFC 8705): by it the region knows it, and to it tokens are bound."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A program's own certificate.

    Attributes:
        certificate: the file of it, with those above it where the region does not have them, PEM.
        key: the file of its private key, PEM, which is not encrypted.
    """

    certificate: Path
    key: Path

    def for_http(self, roots: bytes | None) -> ssl.SSLContext:
        """Returns how HTTP connections are opened with it, by TLS 1.3, to who is known by ``roots`` (PEM; None for the system's).

        Raises:
            OSError: a file is not there, or is none; the key is encrypted, or another certificate's (ssl.SSLError).
        """
        context = ssl.create_default_context(cadata=roots.decode("ascii") if roots else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # Without a password OpenSSL would ask for that of an encrypted key at the terminal, and wait.
        context.load_cert_chain(self.certificate, self.key, password="")
        return context

    def for_grpc(self, roots: bytes | None) -> grpc.ChannelCredentials:
        """Returns how channels are opened with it, likewise."""
        return grpc.ssl_channel_credentials(roots, self.key.read_bytes(), self.certificate.read_bytes())


@dataclass(frozen=True, slots=True)
class ByCertificate:
    """A client that authenticates by its certificate (tls_client_auth): it is opened with an ``OwnCertificate``."""

    client_id: str

    def form(self, _endpoint: str) -> dict[str, str]:
        """What the token endpoint is told of the client."""
        return {"client_id": self.client_id}
