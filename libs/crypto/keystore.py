"""The software key store: named, versioned keys in a folder, encrypted with SM4-GCM under a master key.

One file per version, ``<folder>/<name>/<version>.json``, made once and never changed: two processes that want the same
version can't both have it. The associated data binds the secret to its name, version, algorithm and public half, so a
file that is moved or edited does not open. A device or a signing server takes this module's place behind
``libs.crypto.provider.Signer``.
"""

import base64
import json
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TypedDict

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from libs.clock import Clock
from libs.crypto.errors import DecryptionFailed, InvalidKey, KeyNotFound
from libs.crypto.provider import GCM_NONCE_SIZE, SM4_KEY_SIZE, Signer, SmProvider, SoftwareSigner
from libs.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.ASCII)
_FORMAT = "tongban-key-1"


class Algorithm(Enum):
    """What a key is for."""

    SM2 = "SM2"
    SM4 = "SM4"
    HMAC_SM3 = "HMAC-SM3"
    ES256 = "ES256"


class _Record(TypedDict):
    format: str
    name: str
    version: int
    algorithm: str
    public: str
    create_time: str
    secret: str


_RANDOM_SIZES = {Algorithm.SM4: SM4_KEY_SIZE, Algorithm.HMAC_SM3: 32}


@dataclass(frozen=True, slots=True, order=True)
class KeyRef:
    """Names one version of a key; versions count from 1."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An opened key.

    Attributes:
        ref: its name and version.
        algorithm: what it is for.
        secret: PKCS #8 DER for SM2 and ES256, the bare bytes otherwise.
        public: DER SubjectPublicKeyInfo, or b"" for symmetric keys.
        create_time: RFC 3339 in UTC.
    """

    ref: KeyRef
    algorithm: Algorithm
    secret: bytes = field(repr=False)
    public: bytes
    create_time: str


def create_master_key(path: Path) -> bytes:
    """Makes a random master key in a file only its owner can read, unless there is one; returns the key.

    The file holds 32 hexadecimal digits. Safe when several processes start at once.

    Raises:
        InvalidKey: if the file is there and holds something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_once(path, f"{secrets.token_hex(SM4_KEY_SIZE)}\n".encode())
    return load_master_key(path)


def load_master_key(path: Path) -> bytes:
    """Reads a master key of 16 bytes from a file of 32 hexadecimal digits.

    Raises:
        InvalidKey: if the file holds something else, or others than its owner can read it.
    """
    if path.stat().st_mode & 0o077:
        raise InvalidKey(f"the master key file {path.name} is open to others: set its mode to 0600")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise InvalidKey(f"the master key file {path.name} does not hold hexadecimal digits") from error
    if len(key) != SM4_KEY_SIZE:
        raise InvalidKey(f"the master key file {path.name} does not hold 16 bytes")
    return key


class KeyStore:
    """Keys in a folder. Safe for threads and for several processes; reads a file for every call."""

    def __init__(self, folder: Path, master_key: bytes, provider: SmProvider, clock: Clock) -> None:
        self._folder = folder
        self._master_key = master_key
        self._provider = provider
        self._clock = clock

    def generate(self, name: str, algorithm: Algorithm) -> StoredKey:
        """Makes a new key, or the next version of ``name``: that is how a key is rotated.

        Raises:
            InvalidKey: if the name is not one, or an older version is of another algorithm.
        """
        return self.add(name, algorithm, *self._random_key(algorithm))

    def import_sm2(self, name: str, private_key: Sm2PrivateKey) -> StoredKey:
        """Stores an SM2 key made elsewhere as the next version of ``name``.

        Raises:
            InvalidKey: if its public half is not that of its private half.
        """
        probe = b"tongban key store import"
        try:
            signature = self._provider.sm2_sign(private_key, probe)
            self._provider.sm2_verify(private_key.public_key, probe, signature)
        except Exception as error:
            raise InvalidKey("the halves of the SM2 key do not belong together") from error
        return self.add(name, Algorithm.SM2, private_key.pkcs8, private_key.public_key.spki)

    def add(self, name: str, algorithm: Algorithm, secret: bytes, public: bytes = b"") -> StoredKey:
        """Stores ``secret`` as the next version of ``name``.

        Raises:
            InvalidKey: if the name is not one, or an older version is of another algorithm.
        """
        self._check_algorithm(name, algorithm)
        while True:
            ref = KeyRef(name, self._last_version(name) + 1)
            key = StoredKey(ref, algorithm, secret, public, self._clock.now().isoformat())
            if self._write(key):
                return key

    def ensure(self, name: str, algorithm: Algorithm) -> StoredKey:
        """Returns the latest version of ``name``, and makes the first one if there is none.

        Raises:
            InvalidKey: as ``generate``.
        """
        if self.versions(name):
            self._check_algorithm(name, algorithm)
            return self.load(name)
        secret, public = self._random_key(algorithm)
        # Another process may have been faster: then its version 1 is the one that counts.
        self._write(StoredKey(KeyRef(name, 1), algorithm, secret, public, self._clock.now().isoformat()))
        return self.load(name)

    def load(self, name: str, version: int | None = None) -> StoredKey:
        """Opens a key, the latest version if none is named.

        Raises:
            KeyNotFound: if there is none, or that version was destroyed.
            DecryptionFailed: if the master key is another one, or the file was changed.
        """
        record = self._read(name, version)
        ref, algorithm = KeyRef(record["name"], record["version"]), Algorithm(record["algorithm"])
        public, create_time = base64.b64decode(record["public"]), record["create_time"]
        box = base64.b64decode(record["secret"])
        aad = _associated_data(ref, algorithm, public, create_time)
        nonce, sealed = box[:GCM_NONCE_SIZE], box[GCM_NONCE_SIZE:]
        secret = self._provider.sm4_gcm_decrypt(self._master_key, nonce, sealed, aad)
        return StoredKey(ref, algorithm, secret, public, create_time)

    def signer(self, name: str, version: int | None = None) -> Signer:
        """Returns a signer for an SM2 key; it holds the opened key as long as it lives.

        Raises:
            KeyNotFound: if there is none.
            InvalidKey: if the key is not for SM2.
        """
        key = self.load(name, version)
        if key.algorithm is not Algorithm.SM2:
            raise InvalidKey(f"{key.ref} is an {key.algorithm.value} key")
        return SoftwareSigner(self._provider, Sm2PrivateKey(key.secret, Sm2PublicKey.from_spki(key.public)))

    def names(self) -> list[str]:
        """Lists the keys that have a version, sorted."""
        if not self._folder.is_dir():
            return []
        return sorted(entry.name for entry in self._folder.iterdir() if entry.is_dir() and self.versions(entry.name))

    def versions(self, name: str) -> list[int]:
        """Lists the versions of a key that were not destroyed, oldest first; empty if there is none."""
        return sorted(int(path.stem) for path in self._key_folder(name).glob("*.json"))

    def begin(self, name: str, version: int) -> None:
        """Notes that a version is in use from now on, ahead of its time; the first such word counts.

        Raises:
            KeyNotFound: if there is no such version.
        """
        path = self._path(KeyRef(name, version))
        if not path.exists():
            raise KeyNotFound(f"no key {name}/{version}")
        _write_once(path.with_suffix(".begun"), self._clock.now().isoformat().encode())

    def begun(self, name: str, version: int) -> datetime | None:
        """Returns from when on a version is in use ahead of its time; None where nobody said so."""
        try:
            return datetime.fromisoformat(self._path(KeyRef(name, version)).with_suffix(".begun").read_text("ascii"))
        except FileNotFoundError:
            return None

    def destroy(self, name: str, version: int) -> None:
        """Removes one version for good; its number is not given out again.

        Raises:
            KeyNotFound: if there is no such version.
        """
        path = self._path(KeyRef(name, version))
        if not path.exists():
            raise KeyNotFound(f"no key {name}/{version}")
        # The number stays taken by an empty file, so that no later key can be mistaken for this one.
        path.with_suffix(".destroyed").touch(mode=0o600)
        path.unlink(missing_ok=True)

    def _random_key(self, algorithm: Algorithm) -> tuple[bytes, bytes]:
        if algorithm is Algorithm.SM2:
            pair = self._provider.sm2_generate()
            return pair.pkcs8, pair.public_key.spki
        if algorithm is Algorithm.ES256:
            return _p256_key()
        return secrets.token_bytes(_RANDOM_SIZES[algorithm]), b""

    def _check_algorithm(self, name: str, algorithm: Algorithm) -> None:
        for version in reversed(self.versions(name)):
            try:
                known = self._read(name, version)["algorithm"]
            except DecryptionFailed:  # a file that can't be read says nothing, and keeps no successor from being made
                continue
            if known != algorithm.value:
                raise InvalidKey(f"{name} is not an {algorithm.value} key")
            return

    def _last_version(self, name: str) -> int:
        stems = (path.stem for path in self._key_folder(name).glob("*.*"))
        return max((int(stem) for stem in stems if stem.isdigit()), default=0)

    def _read(self, name: str, version: int | None) -> _Record:
        number = version or max(self.versions(name), default=0)
        try:
            record: _Record = json.loads(self._path(KeyRef(name, number)).read_bytes())
        except FileNotFoundError as error:
            raise KeyNotFound(f"no key {name}/{version or 'latest'}") from error
        except ValueError as error:
            raise DecryptionFailed(f"the file of {name}/{number} is broken") from error
        if record.keys() != _Record.__annotations__.keys() or (record["format"], record["name"], record["version"]) != (
            _FORMAT,
            name,
            number,
        ):
            raise DecryptionFailed(f"the file of {name}/{number} is not its own")
        return record

    def _write(self, key: StoredKey) -> bool:
        aad = _associated_data(key.ref, key.algorithm, key.public, key.create_time)
        nonce = secrets.token_bytes(GCM_NONCE_SIZE)
        box = nonce + self._provider.sm4_gcm_encrypt(self._master_key, nonce, key.secret, aad)
        record: _Record = {
            "format": _FORMAT,
            "name": key.ref.name,
            "version": key.ref.version,
            "algorithm": key.algorithm.value,
            "public": base64.b64encode(key.public).decode(),
            "create_time": key.create_time,
            "secret": base64.b64encode(box).decode(),
        }
        path = self._path(key.ref)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _write_once(path, json.dumps(record, indent=1).encode())

    def _key_folder(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise InvalidKey("a key's name has lower-case letters, digits, dots, dashes and underscores")
        return self._folder / name

    def _path(self, ref: KeyRef) -> Path:
        return self._key_folder(ref.name) / f"{ref.version}.json"


def _p256_key() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    der = serialization.Encoding.DER
    return (
        key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        key.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def _associated_data(ref: KeyRef, algorithm: Algorithm, public: bytes, create_time: str) -> bytes:
    return json.dumps([_FORMAT, ref.name, ref.version, algorithm.value, public.hex(), create_time]).encode()


def _write_once(path: Path, content: bytes) -> bool:
    """Writes a whole file that only its owner can read, unless one is there; says whether it did."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A hard link appears whole or not at all, and never replaces a file.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
