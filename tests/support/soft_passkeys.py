"""An authenticator that makes and shows passkeys without a browser, as WebAuthn Level 3 writes them; it can be told to lie."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, MAY_BE_KEPT, IS_KEPT, HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40
"""Flags of the authenticator's data (6.1)."""


def unpadded(data: bytes) -> str:
    """Bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def padded(text: str) -> bytes:
    """Bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class SoftPasskey:
    """A passkey.

    Attributes:
        origin: of the page that asks for it, as its browser says.
        counter: how often it was used; None where it doesn't count.
        flags: what its device says of its user.
        rp_id: whose it is; of the page's options where nothing is said.
        user: its owner, as it was told when it was made.
    """

    origin: str
    counter: int | None = 0
    flags: int = USER_PRESENT | USER_VERIFIED
    rp_id: str = ""
    user: bytes = b""
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def made(self, options: dict[str, Any], **client: Any) -> str:
        """What a browser answers that has had it made; ``client`` are other words of the browser."""
        self.user, self.rp_id = padded(options["user"]["id"]), self.rp_id or options["rp"]["id"]
        point = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        held = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(HAS_KEY) + held}
        said = self._client("webauthn.create", options["challenge"], client)
        return self._answer({"clientDataJSON": said, "attestationObject": cbor2.dumps(attestation)})

    def shown(self, options: dict[str, Any], **client: Any) -> str:
        """What a browser answers that shows it."""
        if self.counter is not None:
            self.counter += 1
        data, said = self._data(), self._client("webauthn.get", options["challenge"], client)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        told = {"clientDataJSON": said, "authenticatorData": data, "signature": signature, "userHandle": self.user}
        return self._answer(told)

    def _data(self, flags: int = 0) -> bytes:
        count = (self.counter or 0).to_bytes(4, "big")
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags | flags]) + count

    def _client(self, kind: str, challenge: str, changes: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, **changes}).encode()

    def _answer(self, response: dict[str, bytes]) -> str:
        told = {name: unpadded(value) for name, value in response.items()}
        return json.dumps({"id": unpadded(self.id), "rawId": unpadded(self.id), "type": "public-key", "response": told})
