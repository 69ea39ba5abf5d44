"""The doctor names what is wrong, and what to do, and nothing on a machine that is well."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local import doctor
from deploy.local.doctor import Doctor
from deploy.local.findings import Finding
from deploy.local.own_settings import FILE
from deploy.local.regions import LIUAN, LocalRegion, settle
from deploy.local.secret_files import write_secret
from deploy.local.serve import prepare
from deploy.local.settings import config_path
from deploy.local.state import RegionSnapshot, Snapshot, StateFolder, contracts_digest
from tests.support.ports import free_port, listening


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalRegion:
    monkeypatch.setattr(doctor, "_is_unsynchronised", lambda: False)
    _say(tmp_path, "")
    local = settle(tmp_path, LIUAN, 0)
    prepare(local)
    return local


def _say(state: Path, text: str) -> None:
    """Settings with ports that are free here."""
    ports = "".join(f"[regions.{code}]\nport = {free_port()}\n" for code in ("341500", "320402"))
    (state / FILE).write_text(f"least_free_mb = 1\nwarn_free_mb = 1\n{text}\n{ports}", encoding="utf-8")


def _found(local: LocalRegion) -> list[Finding]:
    return Doctor(local.folder.parent).look()


def test_nothing_is_found_where_nothing_is_wrong(local: LocalRegion) -> None:
    assert _found(local) == []


def test_a_taken_port_is_named_with_what_to_do(local: LocalRegion) -> None:
    with listening(0) as port:
        (local.folder.parent / FILE).write_text(f"[regions.341500]\nport = {port}\n", encoding="utf-8")
        found = [each for each in _found(local) if each.where == "ports" and str(port) in each.what]
    assert len(found) == 1
    assert str(port) in found[0].todo


def test_wrong_settings_and_edited_files_are_named(local: LocalRegion) -> None:
    path = config_path(local, "seal")
    path.write_text(path.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    (edited,) = _found(local)
    assert (edited.where, edited.bad) == ("settings", False)
    prepare(local)
    assert _found(local) == [], "the edited one that was kept is no fault"
    envoy = local.path("config", "envoy.json")
    write_secret(envoy, "{}")
    assert [each.what for each in _found(local)] == [f"{envoy} was edited by hand"]
    _say(local.folder.parent, "pool_sise = 1")
    assert any("pool_sise" in each.what and each.bad for each in _found(local))


def test_files_that_are_open_to_others_are_named(local: LocalRegion) -> None:
    path = local.path("secrets", "seal.master-key")
    path.chmod(0o644)
    (found,) = _found(local)
    assert (found.where, found.todo) == ("permissions", f"chmod 0600 {path}")


def test_certificates_that_are_over_or_end_soon_are_named(local: LocalRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    class _Later(datetime):
        days = 350

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=cls.days)

    monkeypatch.setattr(doctor, "datetime", _Later)
    soon = _found(local)
    assert soon
    assert all((each.where, each.bad) == ("certificates", False) for each in soon)
    _Later.days = 400
    assert all((each.where, each.bad) == ("certificates", True) for each in _found(local))
    assert not any("ca.pem" in each.what for each in _found(local)), "the authority lives ten years"


def test_a_clock_that_was_set_back_is_named(local: LocalRegion) -> None:
    log = local.path("logs", "cases.log")
    log.touch(mode=0o600)
    ahead = datetime.now(UTC).timestamp() + 3600
    os.utime(log, (ahead, ahead))
    (found,) = _found(local)
    assert found.where == "clock"
    assert "set back" in found.what


def test_little_room_is_told_and_hardly_any_is_wrong(local: LocalRegion) -> None:
    state = local.folder.parent
    (state / FILE).write_text((state / FILE).read_text().replace("warn_free_mb = 1", "warn_free_mb = 1000000000"))
    assert [(each.where, each.bad) for each in _found(local)] == [("disk", False)]
    (state / FILE).write_text((state / FILE).read_text().replace("least_free_mb = 1", "least_free_mb = 1000000000"))
    assert [(each.where, each.bad) for each in _found(local)] == [("disk", True)]


def test_a_package_of_another_version_is_named(local: LocalRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_locked", lambda: ["pytest==0.0.1", "no-such-package==1"])
    assert [each.what for each in _found(local)] == [
        f"pytest is {pytest.__version__}, 0.0.1 is wanted",
        "no-such-package 1 is not installed",
    ]


def test_old_addresses_and_other_contracts_are_named(local: LocalRegion) -> None:
    region = RegionSnapshot(LIUAN.code, LIUAN.name, "http://127.0.0.1:2", str(local.folder))
    state = StateFolder(local.folder.parent)
    credentials = local.path("credentials.json")
    credentials.write_text(
        '{"token_endpoint": "http://127.0.0.1:1/oauth/token", "issuer": "http://127.0.0.1:2", "gateway": "http://127.0.0.1:2"}'
    )
    for contracts, wanted in ((contracts_digest(), ["credentials"]), ("other", ["credentials", "versions"])):
        with state.lock():
            state.write(Snapshot(1, True, "", [region], [], contracts=contracts))
            assert [each.where for each in _found(local)] == wanted


@pytest.mark.parametrize("file", ["keys/seal/log.der", "secrets/cases.master-key"])
def test_a_key_that_is_gone_is_named(local: LocalRegion, file: str) -> None:
    local.path(file).unlink()
    assert [(each.where, each.what) for each in _found(local)] == [("keys", f"{local.path(file)} is missing")]
