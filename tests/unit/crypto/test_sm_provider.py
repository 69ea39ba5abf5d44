"""SM2, SM3 and SM4 against the standards' vectors and against OpenSSL's command line."""

import hashlib
import hmac
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from libs.crypto import sm3
from libs.crypto.errors import DecryptionFailed, InvalidKey, InvalidSignature
from libs.crypto.provider import SmProvider
from libs.crypto.sm2 import (
    ORDER,
    Sm2PrivateKey,
    Sm2PublicKey,
    message_digest,
    signature_from_raw,
    signature_to_raw,
    z_value,
)
from libs.crypto.tongsuo import default_provider, private_key_from_scalar
from tests.support.vectors import load

SM2, SM3, SM4 = load("sm2"), load("sm3"), load("sm4")
MESSAGE = SM2["message"].encode()
PUBLIC = Sm2PublicKey(bytes.fromhex("04" + SM2["x"] + SM2["y"]))
RAW = bytes.fromhex(SM2["r"] + SM2["s"])
DISTID = ("-pkeyopt", "distid:1234567812345678")


@pytest.fixture(scope="module")
def provider() -> SmProvider:
    return default_provider()


def test_sm2_vector(provider: SmProvider) -> None:
    assert z_value(PUBLIC, SM2["identifier"].encode()).hex().upper() == SM2["z"]
    assert message_digest(PUBLIC, MESSAGE).hex().upper() == SM2["e"]
    assert private_key_from_scalar(int(SM2["d"], 16)).public_key == PUBLIC
    signature = signature_from_raw(RAW)
    assert signature_to_raw(signature) == RAW
    provider.sm2_verify(PUBLIC, MESSAGE, signature)


def test_sm2_signature_holds_for_its_message_and_key_only(provider: SmProvider) -> None:
    key, other = provider.sm2_generate(), provider.sm2_generate()
    signature = provider.sm2_sign(key, MESSAGE)
    provider.sm2_verify(key.public_key, MESSAGE, signature)
    for public_key, message in ((other.public_key, MESSAGE), (key.public_key, MESSAGE + b".")):
        with pytest.raises(InvalidSignature):
            provider.sm2_verify(public_key, message, signature)


GOOD = signature_from_raw(RAW)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"0\x00",
        GOOD[:-1],
        GOOD + b"\0",
        b"garbage",
        bytes.fromhex("3006020100020100"),
        RAW,
        # A long-form length is BER, not DER.
        b"\x30\x81" + GOOD[1:],
        bytes([*GOOD[:-1], GOOD[-1] ^ 1]),
    ],
)
def test_broken_signatures(provider: SmProvider, signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        provider.sm2_verify(PUBLIC, MESSAGE, signature)


@pytest.mark.parametrize("raw", [b"", RAW[:-1], bytes(64), ORDER.to_bytes(32) + RAW[32:], RAW[:32] + bytes(32)])
def test_broken_raw_signatures(raw: bytes) -> None:
    with pytest.raises(InvalidSignature):
        signature_from_raw(raw)


def test_sm2_from_many_threads(provider: SmProvider) -> None:
    key = provider.sm2_generate()

    def sign_and_verify(number: int) -> None:
        message = str(number).encode()
        provider.sm2_verify(key.public_key, message, provider.sm2_sign(key, message))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sign_and_verify, range(200)))


def test_key_encodings(provider: SmProvider) -> None:
    key = provider.sm2_generate()
    assert Sm2PrivateKey.from_pkcs8(key.pkcs8) == Sm2PrivateKey.from_pem(key.pem) == key
    assert Sm2PublicKey.from_spki(key.public_key.spki) == Sm2PublicKey.from_pem(key.public_key.pem) == key.public_key
    assert key.pkcs8.hex() not in repr(key)


def test_keys_that_are_none() -> None:
    point = PUBLIC.point
    for bad in (b"", point[:-1], b"\x02" + point[1:], point[:-1] + bytes([point[-1] ^ 1]), b"\x04" + bytes(64)):
        with pytest.raises(InvalidKey):
            Sm2PublicKey(bad)
    with pytest.raises(InvalidKey):
        Sm2PublicKey.from_spki(point)
    with pytest.raises(InvalidKey):
        Sm2PublicKey.from_pem(b"no PEM")
    with pytest.raises(InvalidKey):
        Sm2PrivateKey.from_pem(PUBLIC.pem)
    for scalar in (0, ORDER):
        with pytest.raises(InvalidKey):
            private_key_from_scalar(scalar)


def test_private_keys_of_other_curves(tmp_path: Path) -> None:
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        check=True,
        capture_output=True,
    )
    for bad in (made.stdout, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(InvalidKey):
            Sm2PrivateKey.from_pem(bad)


def test_openssl_verifies_ours(provider: SmProvider, tmp_path: Path) -> None:
    key = provider.sm2_generate()
    (tmp_path / "public.pem").write_bytes(key.public_key.pem)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(provider.sm2_sign(key, MESSAGE))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", *DISTID, "-pubin", "-inkey", "public.pem"]
    result = subprocess.run(
        [*command, "-in", "message", "-sigfile", "signature"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "Verified Successfully" in result.stdout


def test_we_verify_openssl(provider: SmProvider, tmp_path: Path) -> None:
    key = provider.sm2_generate()
    (tmp_path / "private.pem").write_bytes(key.pem)
    (tmp_path / "message").write_bytes(MESSAGE)
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-digest", "sm3", *DISTID, "-inkey", "private.pem"]
    result = subprocess.run([*command, "-in", "message"], cwd=tmp_path, check=True, capture_output=True)
    provider.sm2_verify(key.public_key, MESSAGE, result.stdout)


@pytest.mark.parametrize("vector", SM3["digests"], ids=lambda v: v["text"][:8])
def test_sm3_vector(provider: SmProvider, vector: dict[str, str]) -> None:
    data = vector["text"].encode()
    assert provider.sm3(data).hex() == vector["sm3"]
    hasher = sm3.hasher()
    hasher.update(data[:1])
    hasher.update(data[1:])
    assert hasher.hexdigest() == vector["sm3"]
    assert hasher.digest().hex() == vector["sm3"]


@pytest.mark.parametrize("vector", SM3["hmacs"], ids=lambda v: v["key"])
def test_hmac_sm3_vector(provider: SmProvider, vector: dict[str, str]) -> None:
    assert provider.hmac_sm3(vector["key"].encode(), vector["text"].encode()).hex() == vector["hmac"]


def test_sm3_missing_or_wrong_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_hash(*_: object) -> None:
        raise ValueError("unsupported hash type sm3")

    monkeypatch.setattr("hashlib.new", no_such_hash)
    with pytest.raises(ImportError, match="OpenSSL has no SM3"):
        sm3._probe()
    monkeypatch.setattr("hashlib.new", lambda *_: hashlib.sha256(b"abc"))
    with pytest.raises(ImportError, match="wrongly"):
        sm3._probe()


def test_sm4_vector() -> None:
    vector = {name: bytes.fromhex(value) for name, value in SM4["block"].items()}
    encryptor = Cipher(algorithms.SM4(vector["key"]), modes.ECB()).encryptor()
    assert encryptor.update(vector["plaintext"]) + encryptor.finalize() == vector["ciphertext"]


def test_sm4_gcm_vector(provider: SmProvider) -> None:
    v = {name: bytes.fromhex(value) for name, value in SM4["gcm"].items()}
    sealed = provider.sm4_gcm_encrypt(v["key"], v["nonce"], v["plaintext"], v["associated_data"])
    assert sealed == v["ciphertext"] + v["tag"]
    assert provider.sm4_gcm_decrypt(v["key"], v["nonce"], sealed, v["associated_data"]) == v["plaintext"]


def test_sm4_gcm_refuses_every_change(provider: SmProvider) -> None:
    key, nonce, aad = bytes(16), bytes(12), b"row"
    sealed = provider.sm4_gcm_encrypt(key, nonce, b"secret", aad)
    changed = bytes([sealed[0] ^ 1]) + sealed[1:]
    for args in (
        (key, nonce, changed, aad),
        (key, nonce, sealed, b"other row"),
        (key, b"\1" * 12, sealed, aad),
        (b"\1" * 16, nonce, sealed, aad),
        (key, nonce, sealed[:-1], aad),
        (key, nonce, b"short", aad),
    ):
        with pytest.raises(DecryptionFailed):
            provider.sm4_gcm_decrypt(*args)
    with pytest.raises(InvalidKey):
        provider.sm4_gcm_encrypt(bytes(32), nonce, b"", aad)


def test_threads_that_change_keys_sign_with_the_right_one(provider: SmProvider) -> None:
    pairs = [provider.sm2_generate() for _ in range(3)]

    def sign(turn: int) -> tuple[int, bytes]:
        return turn, provider.sm2_sign(pairs[turn % 3], str(turn).encode())

    with ThreadPoolExecutor(4) as pool:
        for turn, signature in pool.map(sign, range(60)):
            provider.sm2_verify(pairs[turn % 3].public_key, str(turn).encode(), signature)


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 65, 200])
def test_a_prepared_hmac_is_openssl_s(length: int) -> None:
    key = bytes(range(length))
    prepared = sm3.HmacSm3(key)
    for data in (b"", b"a", b"x" * 64, b"y" * 5000):
        assert prepared.digest(data) == prepared.digest(data) == hmac.digest(key, data, "sm3")
