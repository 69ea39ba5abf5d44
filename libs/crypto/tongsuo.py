"""The software provider: SM2 by tongsuopy (Tongsuo), SM3 by hashlib, SM4-GCM by cryptography.

tongsuopy's own SM4-GCM gives the same bytes at half the speed. Its key objects stay within one thread. It releases the
interpreter lock while it computes, so threads scale over cores.
"""

import threading
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tongsuopy.crypto import exceptions, hashes, serialization
from tongsuopy.crypto.asymciphers import ec

from libs.crypto import sm3 as sm3_module
from libs.crypto.errors import DecryptionFailed, InvalidKey, InvalidSignature
from libs.crypto.provider import GCM_TAG_SIZE, SM4_KEY_SIZE, SmProvider
from libs.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey, signature_to_raw


class _LastKey(threading.local):
    """The private key that a thread used last, as Tongsuo holds it: loading one costs a fifteenth of a signature."""

    value: Sm2PrivateKey | None = None
    loaded: Any = None


class TongsuoProvider:
    """``SmProvider`` in software; threads share nothing in it, so one serves all of them."""

    def __init__(self) -> None:
        self._last = _LastKey()

    def sm2_generate(self) -> Sm2PrivateKey:
        """Makes a key pair."""
        return _to_value(ec.generate_private_key(ec.SM2()))

    def sm2_sign(self, private_key: Sm2PrivateKey, message: bytes) -> bytes:
        """Signs ``message`` with the default identifier; returns DER SEQUENCE {r, s}."""
        if self._last.value is not private_key:
            self._last.loaded = _load(private_key)
            self._last.value = private_key
        signature: bytes = self._last.loaded.sign(message, ec.ECDSA(hashes.SM3()))
        return signature

    def sm2_verify(self, public_key: Sm2PublicKey, message: bytes, signature: bytes) -> None:
        """Checks a DER signature over ``message`` with the default identifier, or raises InvalidSignature."""
        # Tongsuo takes BER that is not DER and reports broken encodings as internal errors.
        signature_to_raw(signature)
        key = serialization.load_der_public_key(public_key.spki)
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SM3()))
        except (exceptions.InvalidSignature, exceptions.InternalError) as error:
            raise InvalidSignature("the signature does not hold") from error

    def sm3(self, data: bytes) -> bytes:
        """Returns the SM3 digest, 32 bytes."""
        return sm3_module.sm3(data)

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        """Returns HMAC-SM3, 32 bytes."""
        return sm3_module.hmac_sm3(key, data)

    def sm4_gcm_encrypt(self, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        """Encrypts and authenticates; returns the ciphertext followed by the tag."""
        encryptor = Cipher(_sm4(key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag

    def sm4_gcm_decrypt(self, key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Checks and decrypts, or raises DecryptionFailed."""
        if len(ciphertext) < GCM_TAG_SIZE:
            raise DecryptionFailed("shorter than a tag")
        body, tag = ciphertext[:-GCM_TAG_SIZE], ciphertext[-GCM_TAG_SIZE:]
        decryptor = Cipher(_sm4(key), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        try:
            return decryptor.update(body) + decryptor.finalize()
        except InvalidTag as error:
            raise DecryptionFailed("the tag does not match") from error


@cache
def default_provider() -> SmProvider:
    """Returns the software provider of this process."""
    return TongsuoProvider()


def private_key_from_scalar(scalar: int) -> Sm2PrivateKey:
    """Makes the key pair of a private scalar d; for test vectors and for keys that come as a bare number.

    Raises:
        InvalidKey: if ``scalar`` is outside 1 to n - 2.
    """
    try:
        return _to_value(ec.derive_private_key(scalar, ec.SM2()))
    except (ValueError, exceptions.InternalError) as error:
        raise InvalidKey("not a scalar of the SM2 curve") from error


def _load(private_key: Sm2PrivateKey) -> Any:
    try:
        return serialization.load_der_private_key(private_key.pkcs8, None)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise InvalidKey("Tongsuo refuses the private key") from error


def _to_value(key: ec.EllipticCurvePrivateKey) -> Sm2PrivateKey:
    plain = serialization.NoEncryption()
    return Sm2PrivateKey.from_pkcs8(
        key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)
    )


def _sm4(key: bytes) -> algorithms.SM4:
    if len(key) != SM4_KEY_SIZE:
        raise InvalidKey("an SM4 key has 16 bytes")
    return algorithms.SM4(key)
