"""The development PKI for mTLS."""

import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.pki.development import RENEW_BEFORE, Paths, ensure, host_name
from libs.clock import FakeClock

NAMES = ("cases", "gateway")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.*")}


def changed(before: dict[str, bytes], folder: Path) -> set[str]:
    return {name for name, content in contents(folder).items() if before.get(name) != content}


def test_files_and_modes(tmp_path: Path, clock: FakeClock) -> None:
    paths = ensure(tmp_path / "pki", "341500", NAMES, clock)
    assert paths.ca == tmp_path / "pki" / "ca.pem"
    assert set(paths.processes) == set(NAMES)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "pki").iterdir())


def test_openssl_verifies(tmp_path: Path) -> None:
    paths = ensure(tmp_path, "341500", NAMES)
    certificate = str(paths.processes["cases"].certificate)
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(paths.ca), certificate]
        subprocess.run(command, check=True, capture_output=True)
    text = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-text"], check=True, capture_output=True, text=True
    ).stdout
    assert "DNS:cases.341500.tongban.internal, DNS:localhost, IP Address:127.0.0.1" in text
    assert "CN = cases.341500.tongban.internal" in text


def test_again_keeps_everything(tmp_path: Path, clock: FakeClock) -> None:
    first = ensure(tmp_path, "341500", NAMES, clock)
    before = contents(tmp_path)
    clock.advance(timedelta(days=300))
    assert ensure(tmp_path, "341500", NAMES, clock) == first
    assert not changed(before, tmp_path)
    ensure(tmp_path, "341500", [*NAMES, "seal"], clock)
    assert changed(before, tmp_path) == {"seal.pem", "seal.key"}


def test_renews_what_expires(tmp_path: Path, clock: FakeClock) -> None:
    ensure(tmp_path, "341500", NAMES, clock)
    before = contents(tmp_path)
    clock.advance(timedelta(days=365) - RENEW_BEFORE)
    ensure(tmp_path, "341500", ["cases"], clock)
    assert changed(before, tmp_path) == {"cases.pem", "cases.key"}


def test_new_authority_renews_all(tmp_path: Path, clock: FakeClock) -> None:
    ensure(tmp_path, "341500", NAMES, clock)
    before = contents(tmp_path)
    (tmp_path / "ca.key").unlink()
    ensure(tmp_path, "341500", NAMES, clock)
    assert changed(before, tmp_path) == {f"{name}.{kind}" for name in ("ca", *NAMES) for kind in ("pem", "key")}


@pytest.mark.parametrize("file", ["cases.pem", "cases.key"])
def test_broken_or_foreign_files_are_replaced(tmp_path: Path, clock: FakeClock, file: str) -> None:
    ensure(tmp_path, "341500", NAMES, clock)
    for content in (b"broken", (tmp_path / file.replace("cases", "gateway")).read_bytes()):
        (tmp_path / file).write_bytes(content)
        before = contents(tmp_path)
        ensure(tmp_path, "341500", NAMES, clock)
        assert "cases.pem" in changed(before, tmp_path)


def test_another_region_in_the_same_folder(tmp_path: Path, clock: FakeClock) -> None:
    ensure(tmp_path, "341500", NAMES, clock)
    before = contents(tmp_path)
    ensure(tmp_path, "320402", NAMES, clock)
    assert len(changed(before, tmp_path)) == 6


def test_starters_at_once_agree(tmp_path: Path) -> None:
    threads = [threading.Thread(target=ensure, args=(tmp_path, "341500", NAMES)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = contents(tmp_path)
    ensure(tmp_path, "341500", NAMES)
    assert not changed(before, tmp_path)


def test_two_processes_shake_hands(tmp_path: Path) -> None:
    paths = ensure(tmp_path, "341500", NAMES)
    server_side, client_side = socket.socketpair()
    server = threading.Thread(target=serve_one, args=(paths, server_side))
    server.start()
    context = ssl.create_default_context(cafile=str(paths.ca))
    mine = paths.processes["gateway"]
    context.load_cert_chain(mine.certificate, mine.key)
    with context.wrap_socket(client_side, server_hostname=host_name("cases", "341500")) as connection:
        assert connection.recv(100) == b"gateway.341500.tongban.internal"
    server.join()


def serve_one(paths: Paths, side: socket.socket) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(paths.ca))
    context.verify_mode = ssl.CERT_REQUIRED
    mine = paths.processes["cases"]
    context.load_cert_chain(mine.certificate, mine.key)
    with context.wrap_socket(side, server_side=True) as connection:
        peer = connection.getpeercert()
        assert peer is not None
        first_name: Any = peer["subjectAltName"][0]
        connection.sendall(first_name[1].encode())
