"""The software key store and the encryption of fields."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from libs.clock import FakeClock
from libs.crypto.envelope import OVERHEAD, Column, FieldCipher
from libs.crypto.errors import DecryptionFailed, InvalidKey, KeyNotFound
from libs.crypto.keystore import Algorithm, KeyRef, KeyStore, create_master_key, load_master_key
from libs.crypto.tongsuo import default_provider

PROVIDER = default_provider()
CLOCK = FakeClock(datetime(2024, 5, 1, tzinfo=UTC))
COLUMN = Column("persons", "id_number")


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys", create_master_key(tmp_path / "secret" / "master.key"), PROVIDER, CLOCK)


def test_master_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = create_master_key(path)
    assert create_master_key(path) == load_master_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize(("content", "mode"), [("zz", 0o600), ("00", 0o600), ("00" * 16, 0o640)])
def test_bad_master_key(tmp_path: Path, content: str, mode: int) -> None:
    path = tmp_path / "master.key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(InvalidKey):
        load_master_key(path)


def test_versions_of_a_key(store: KeyStore) -> None:
    first, second = store.generate("seal-maker", Algorithm.SM2), store.generate("seal-maker", Algorithm.SM2)
    assert (first.ref, second.ref) == (KeyRef("seal-maker", 1), KeyRef("seal-maker", 2))
    assert store.load("seal-maker") == second
    assert store.load("seal-maker", 1) == first
    assert first.create_time == "2024-05-01T00:00:00+00:00"
    signature = store.signer("seal-maker", 1).sign(b"message")
    PROVIDER.sm2_verify(store.signer("seal-maker", 1).public_key, b"message", signature)
    assert store.names() == ["seal-maker"]
    assert str(first.ref) == "seal-maker/1"


def test_destroyed_versions_are_not_given_out_again(store: KeyStore) -> None:
    store.generate("k", Algorithm.SM2)
    store.generate("k", Algorithm.SM2)
    store.destroy("k", 2)
    assert store.versions("k") == [1]
    assert store.generate("k", Algorithm.SM2).ref.version == 3
    for version in (2, 9):
        with pytest.raises(KeyNotFound):
            store.destroy("k", version)
        with pytest.raises(KeyNotFound):
            store.load("k", version)


def test_secrets_lie_encrypted_and_private(store: KeyStore, tmp_path: Path) -> None:
    key = store.generate("k", Algorithm.SM4)
    (path,) = (tmp_path / "keys" / "k").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.secret not in path.read_bytes()
    assert key.secret.hex() not in path.read_text()
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize("field", ["public", "create_time", "algorithm", "secret", "name", "version"])
def test_changed_files_do_not_open(store: KeyStore, tmp_path: Path, field: str) -> None:
    store.generate("k", Algorithm.SM2)
    path = tmp_path / "keys" / "k" / "1.json"
    record = json.loads(path.read_text())
    changed = {"version": 2, "algorithm": "SM4", "name": "l", "create_time": "x"}.get(field, "AAAA" * 20)
    path.write_text(json.dumps(record | {field: changed}))
    with pytest.raises(DecryptionFailed):
        store.load("k")


def test_broken_file(store: KeyStore, tmp_path: Path) -> None:
    store.generate("k", Algorithm.SM2)
    for content in ("{", "{}"):
        (tmp_path / "keys" / "k" / "1.json").write_text(content)
        with pytest.raises(DecryptionFailed):
            store.load("k")


def test_another_master_key(store: KeyStore, tmp_path: Path) -> None:
    store.generate("k", Algorithm.SM2)
    with pytest.raises(DecryptionFailed):
        KeyStore(tmp_path / "keys", bytes(16), PROVIDER, CLOCK).load("k")


def test_names_and_kinds_are_checked(store: KeyStore) -> None:
    for name in ("", "../k", "a/b", "K", ".k"):
        with pytest.raises(InvalidKey):
            store.generate(name, Algorithm.SM2)
    store.generate("k", Algorithm.SM4)
    with pytest.raises(InvalidKey):
        store.generate("k", Algorithm.SM2)
    with pytest.raises(InvalidKey):
        store.ensure("k", Algorithm.SM2)
    with pytest.raises(InvalidKey):
        store.signer("k")
    with pytest.raises(KeyNotFound):
        store.load("none")


def test_an_empty_store_has_no_names(tmp_path: Path) -> None:
    assert KeyStore(tmp_path / "none", bytes(16), PROVIDER, CLOCK).names() == []


def test_es256_keys(store: KeyStore) -> None:
    key = store.ensure("jwt", Algorithm.ES256)
    assert load_der_private_key(key.secret, None)
    assert store.load("jwt") == key


def test_import(store: KeyStore) -> None:
    key, other = PROVIDER.sm2_generate(), PROVIDER.sm2_generate()
    assert store.import_sm2("k", key).secret == key.pkcs8
    with pytest.raises(InvalidKey):
        store.import_sm2("k", replace(key, public_key=other.public_key))


def test_starters_at_once_agree_on_one_key(store: KeyStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: store.ensure("data", Algorithm.SM4), range(16)))
        versions = list(pool.map(lambda _: store.generate("k", Algorithm.SM4).ref.version, range(16)))
    assert len({key.secret for key in keys}) == 1
    assert sorted(versions) == list(range(1, 17))


def test_fields_open_in_their_place_only(store: KeyStore) -> None:
    cipher = FieldCipher.open(store, PROVIDER)
    stored = cipher.encrypt_text(COLUMN, "row1", "身份")
    assert len(stored) == len("身份".encode()) + OVERHEAD
    assert FieldCipher.open(store, PROVIDER).decrypt_text(COLUMN, "row1", stored) == "身份"
    assert stored != cipher.encrypt_text(COLUMN, "row1", "身份")
    for column, row in (
        (COLUMN, "row2"),
        (Column("persons", "phone"), "row1"),
        (Column("person", "sid_number"), "row1"),
    ):
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(column, row, stored)


def test_broken_fields(store: KeyStore) -> None:
    cipher = FieldCipher.open(store, PROVIDER)
    stored = cipher.encrypt(COLUMN, "row1", b"")
    for bad in (b"", stored[:-1], b"\x02" + stored[1:], stored[:1] + b"\0\0\0\x09" + stored[5:], stored[:-1] + b"\0"):
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(COLUMN, "row1", bad if bad != stored else b"")


def test_rotation_of_data_keys(store: KeyStore) -> None:
    old = FieldCipher.open(store, PROVIDER)
    stored = old.encrypt(COLUMN, "row1", b"x")
    store.generate("fields-data", Algorithm.SM4)
    new = FieldCipher.open(store, PROVIDER)
    assert new.decrypt(COLUMN, "row1", stored) == b"x"
    assert new.is_outdated(stored)
    assert not new.is_outdated(new.encrypt(COLUMN, "row1", b"x"))


def test_blind_index(store: KeyStore) -> None:
    cipher = FieldCipher.open(store, PROVIDER)
    index = cipher.blind_index(COLUMN, "11010519491231002X")
    assert len(index) == 32
    assert FieldCipher.open(store, PROVIDER).blind_index(COLUMN, "11010519491231002X") == index
    assert cipher.blind_index(COLUMN, "110101199003070011") != index
    assert cipher.blind_index(Column("staff", "id_number"), "11010519491231002X") != index
