"""A start makes no key anew in the place of one that others were made with: it names what is gone, and changes nothing."""

from pathlib import Path

import pytest

from deploy.local.lost_keys import KeysLost, lost_keys
from deploy.local.regions import LIUAN, SERVICES, LocalRegion, settle
from deploy.local.serve import prepare

_LOST = [
    "secrets/postgres.password",
    "secrets/events.key",
    "root/master.key",
    "root/root.der",
    *(f"secrets/{service}.master-key" for service in SERVICES),
]


@pytest.fixture
def local(tmp_path: Path) -> LocalRegion:
    """A region that has started once."""
    local = settle(tmp_path, LIUAN, 0)
    prepare(local)
    local.path("postgres").mkdir()
    local.path("postgres", "PG_VERSION").write_text("18", encoding="ascii")
    return local


def _content(local: LocalRegion) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in local.folder.rglob("*") if path.is_file()}


def test_what_is_whole_starts_again(local: LocalRegion) -> None:
    assert lost_keys(local.folder) == []
    prepare(local)


@pytest.mark.parametrize("file", _LOST)
def test_a_start_without_a_key_is_refused_and_changes_nothing(local: LocalRegion, file: str) -> None:
    key = local.path(file)
    known = key.read_bytes()
    key.unlink()
    before = _content(local)
    with pytest.raises(KeysLost) as refused:
        prepare(local)
    assert str(refused.value).startswith(f"{key} is gone")
    assert "key-lost.md" in str(refused.value)
    assert _content(local) == before
    key.write_bytes(known)
    key.chmod(0o600)
    prepare(local)


def test_an_empty_folder_has_lost_nothing(tmp_path: Path) -> None:
    local = settle(tmp_path, LIUAN, 0)
    assert lost_keys(local.folder) == []


def test_what_opens_nothing_is_made_anew(local: LocalRegion) -> None:
    for file in ("secrets/redis.password", "secrets/cases.password", "pki/ca.pem"):
        local.path(file).unlink()
    prepare(local)
    assert local.path("secrets/redis.password").exists()
