"""How a client is told over TLS: by its name's certificate, whatever address was looked up for it."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.identity.config import Logouts
from services.identity.logouts.delivery import LogoutDelivery, NotDelivered
from tests.support.backends import HOST
from tests.support.logouts import LogoutReceiver


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name that vouches for itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a client")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    written = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*written))
    return files


@pytest.mark.parametrize(("name", "why"), [("localhost", ""), ("other.test", "ConnectError")])
async def test_the_certificate_is_the_names_and_not_the_addresss(tmp_path: Path, name: str, why: str) -> None:
    certificate, key = _certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, server, _context: asked.append(server)
    receiver = LogoutReceiver()
    server = await asyncio.start_server(receiver.serve, HOST, 0, ssl=context)
    uri = f"https://localhost:{server.sockets[0].getsockname()[1]}/logout"
    delivery = LogoutDelivery(Logouts(private_ranges=["127.0.0.0/8", "::1/128"], ca_file=certificate))  # type: ignore[arg-type]
    try:
        if why:
            with pytest.raises(NotDelivered) as refusal:
                await delivery.tell(uri, "x")
            assert refusal.value.why == why
        else:
            await delivery.tell(uri, "x")
    finally:
        await delivery.close()
        server.close()
        await server.wait_closed()
    assert asked == ["localhost"]
    assert receiver.tokens == ([] if why else ["x"])
