"""Signatures as Standard Webhooks 1.0.0 writes them; the expected values were made by others."""

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.identity.webhooks import signing
from services.identity.webhooks.rules import SignatureScheme

HMAC, ED25519 = SignatureScheme.HMAC_SHA256, SignatureScheme.ED25519
# RFC 8032, 7.1, TEST 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def test_hmac_is_that_of_the_libraries_of_the_standard() -> None:
    """The example in the tests of the standard's own libraries (Python: tests/test_webhooks.py, "test_sign_function")."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.signature(HMAC, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signing.secret_text(HMAC, secret) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert signing.public_text(HMAC, secret) == ""


def test_ed25519_is_verified_by_the_public_key_alone() -> None:
    assert signing.public_text(ED25519, SEED) == "whpk_" + base64.b64encode(PUBLIC).decode()
    assert signing.secret_text(ED25519, SEED) == ""
    made = signing.signature(ED25519, SEED, "msg", 1, b"{}")
    assert made.startswith("v1a,")
    key, signature = Ed25519PublicKey.from_public_bytes(PUBLIC), base64.b64decode(made.removeprefix("v1a,"))
    key.verify(signature, b"msg.1.{}")
    with pytest.raises(InvalidSignature):
        key.verify(signature, b"msg.2.{}")


def test_secrets_are_new_and_long_enough() -> None:
    """The standard wants 24 bytes at least."""
    made = {signing.make_secret() for _ in range(10)}
    assert len(made) == 10
    assert {len(each) for each in made} == {32}
