"""Signatures of deliveries, as Standard Webhooks 1.0.0 writes them."""

import base64
import hmac
import secrets
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.crypto.envelope import Column, FieldCipher
from services.identity.webhooks.rules import SignatureScheme, Webhook

SECRET = Column("webhooks", "secret")
_BYTES = 32


def make_secret() -> bytes:
    """Returns a new secret: of HMAC 256 random bits, of Ed25519 the private key (RFC 8032, 5.1.5)."""
    return secrets.token_bytes(_BYTES)


def secret_text(scheme: SignatureScheme, secret: bytes) -> str:
    """Returns a secret as its receiver needs it; empty where they need none."""
    return f"whsec_{_base64(secret)}" if scheme is SignatureScheme.HMAC_SHA256 else ""


def public_text(scheme: SignatureScheme, secret: bytes) -> str:
    """Returns the public key of a secret; empty where there is none."""
    if scheme is SignatureScheme.HMAC_SHA256:
        return ""
    return f"whpk_{_base64(Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())}"


def signature(scheme: SignatureScheme, secret: bytes, message: str, timestamp: int, body: bytes) -> str:
    """Returns one signature of a delivery, with the identifier of its scheme before it."""
    signed = f"{message}.{timestamp}.".encode() + body
    if scheme is SignatureScheme.HMAC_SHA256:
        return f"v1,{_base64(hmac.new(secret, signed, sha256).digest())}"
    return f"v1a,{_base64(Ed25519PrivateKey.from_private_bytes(secret).sign(signed))}"


def good_secrets(webhook: Webhook, cipher: FieldCipher, now: datetime) -> list[bytes]:
    """Returns the secrets that sign at ``now``: the one in use first."""
    stored = [webhook.secret]
    if webhook.old_secret is not None and webhook.overlap_expire_time is not None and now < webhook.overlap_expire_time:
        stored.append(webhook.old_secret)
    return [cipher.decrypt(SECRET, webhook.id, each) for each in stored]


def headers(webhook: Webhook, cipher: FieldCipher, message: str, now: datetime, body: bytes) -> dict[str, str]:
    """Returns the headers of a delivery that is sent at ``now``."""
    timestamp = int(now.timestamp())
    signatures = (
        signature(webhook.signature_scheme, each, message, timestamp, body)
        for each in good_secrets(webhook, cipher, now)
    )
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
