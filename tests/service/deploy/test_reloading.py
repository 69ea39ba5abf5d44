"""A running region takes new settings and renewed certificates without a restart, and ends what it has begun before it ends."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.local.launch import Cluster, NotStarted, reload_running
from deploy.local.own_settings import FILE, WrongSettings
from deploy.local.regions import HOST, LIUAN
from deploy.local.reloading import NotReloaded, reload
from deploy.local.state import StateFolder
from tests.support.partner_certificates import FOR_SERVERS, PartnersDoor
from tests.support.patience import PATIENCE
from tests.support.ports import free_port

_ORIGIN = "https://desk.example"
_CORS = f'[services.gateway.cors]\norigins = ["{_ORIGIN}"]\n'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, PartnersDoor]]:
    """A gateway with its listener for partners, and nothing behind it."""
    state = tmp_path_factory.mktemp("state")
    door = PartnersDoor.made(tmp_path_factory.mktemp("door"), free_port())
    (state / FILE).write_text(door.settings(LIUAN.id))
    with Cluster(state, (free_port(),), services=()) as cluster:
        yield cluster, door


@pytest.fixture
def door(running: tuple[Cluster, PartnersDoor]) -> PartnersDoor:
    return running[1]


@pytest.fixture
def cluster(running: tuple[Cluster, PartnersDoor]) -> Iterator[Cluster]:
    cluster, door = running
    files, told = {path: path.read_bytes() for path in door.folder.iterdir()}, cluster.snapshot
    yield cluster
    cluster.state.write(told)
    for path, content in files.items():
        path.write_bytes(content)
    _say(cluster, door, "")


def _say(cluster: Cluster, door: PartnersDoor, further: str) -> list[str]:
    """Has the region go by these settings; returns what is told of it."""
    cluster.state.folder.joinpath(FILE).write_text(further + door.settings(LIUAN.id))
    return reload_running(cluster.state)


def _allowed(cluster: Cluster) -> bool:
    asks = {"origin": _ORIGIN, "access-control-request-method": "POST"}
    url = f"{cluster.snapshot.regions[0].gateway}/v1/licenses:verify"
    return httpx.options(url, headers=asks, timeout=PATIENCE, trust_env=False).status_code == 200


def _pids(cluster: Cluster) -> dict[str, int | None]:
    return {process.name: process.pid for process in cluster.snapshot.processes}


def _shown(door: PartnersDoor) -> int:
    """The number of the certificate that the listener shows."""
    with (
        socket.create_connection((HOST, door.port), PATIENCE) as plain,
        door.context().wrap_socket(plain, server_hostname=HOST) as secure,
    ):
        certificate = secure.getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16)


def test_settings_of_the_edge_count_at_once_and_what_waits_for_a_start_is_told(
    cluster: Cluster, door: PartnersDoor
) -> None:
    before = _pids(cluster)
    assert not _allowed(cluster)
    assert _say(cluster, door, _CORS) == []
    assert _allowed(cluster)
    told = _say(cluster, door, 'pool_size = 9\nhost = "0.0.0.0"\n' + _CORS.replace("desk", "other"))
    assert not _allowed(cluster)
    assert [each.partition(":")[0] for each in told] == ["host", LIUAN.id]
    assert all(service in told[1] for service in ("identity", "license", "seal", "cases", "sharing"))
    assert _say(cluster, door, "") == []
    assert not _allowed(cluster)
    assert _pids(cluster) == before


def test_what_can_not_be_changes_nothing(cluster: Cluster, door: PartnersDoor) -> None:
    assert _say(cluster, door, _CORS) == []
    with pytest.raises(WrongSettings, match="origins"):
        _say(cluster, door, _CORS.replace("https://", "*"))
    assert _allowed(cluster)


def test_a_renewed_certificate_is_shown_from_then_on(cluster: Cluster, door: PartnersDoor) -> None:
    first = _shown(door)
    renewed = door.root.sign("listener", use=FOR_SERVERS, hosts=(HOST,))
    renewed.files(door.folder, "listener")
    assert _shown(door) == first
    assert _say(cluster, door, "") == []
    assert _shown(door) == renewed.certificate.serial_number != first


def test_a_certificate_without_its_key_is_told_and_the_old_one_goes_on(cluster: Cluster, door: PartnersDoor) -> None:
    first = _shown(door)
    (door.folder / "listener.pem").write_bytes(door.root.sign("listener", use=FOR_SERVERS, hosts=(HOST,)).pem)
    with pytest.raises(NotReloaded, match="is not the key of the certificate"):
        _say(cluster, door, _CORS)
    assert not _allowed(cluster)
    assert _shown(door) == first


def test_what_envoy_refuses_is_told_and_the_old_one_goes_on(cluster: Cluster, door: PartnersDoor) -> None:
    first = _shown(door)
    short = rsa.generate_private_key(65537, 1024)
    door.root.sign("listener", use=FOR_SERVERS, hosts=(HOST,), key=short).files(door.folder, "listener")
    with pytest.raises(NotReloaded, match="Envoy goes on with what it had"):
        _say(cluster, door, "")
    assert _shown(door) == first


def test_who_runs_by_other_contracts_or_an_older_version_is_not_asked(cluster: Cluster) -> None:
    state = StateFolder(cluster.state.folder)
    snapshot = cluster.snapshot
    document = json.loads((state.folder / "supervisor.json").read_text())
    del document["reloads"]
    (state.folder / "supervisor.json").write_text(json.dumps(document))
    with pytest.raises(NotStarted, match="a version that can't"):
        reload_running(state)
    state.write(replace(snapshot, pid=1))
    with pytest.raises(NotStarted, match="nothing runs"):
        reload_running(state)


async def test_contracts_that_came_since_the_start_wait_for_the_next(tmp_path: Path) -> None:
    with pytest.raises(NotReloaded, match="the contracts are others"):
        await reload(tmp_path, [], "those of the release before")


def test_nobody_who_runs_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="nothing runs"):
        reload_running(StateFolder(tmp_path))


def _refused(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return True
    return False


def test_what_was_begun_is_answered_before_the_edge_ends(tmp_path: Path) -> None:
    port = free_port()
    with Cluster(tmp_path, (port,), services=()) as cluster, socket.create_connection((HOST, port), PATIENCE) as begun:
        head = f"POST /v1/licenses:verify HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
        begun.sendall(head.encode() + b"{")
        _until_under_way(cluster)
        ending = threading.Thread(target=cluster.stop)
        ending.start()
        _until(lambda: _refused(port))
        begun.sendall(b"}")
        answer = b""
        while block := begun.recv(65536):
            answer += block
        ending.join()
    head_of_answer, _, body = answer.partition(b"\r\n\r\n")
    assert head_of_answer.startswith(b"HTTP/1.1 "), answer
    assert b"connection: close" in head_of_answer.lower()
    assert json.loads(body)["code"] == grpc.StatusCode.UNAVAILABLE.value[0]  # no service runs here


def _until_under_way(cluster: Cluster) -> None:
    admin = cluster.snapshot.process(LIUAN.id, "envoy").ports["admin"]
    url = f"http://{HOST}:{admin}/stats?filter=^http.edge.downstream_rq_active$"
    _until(lambda: httpx.get(url, trust_env=False, timeout=PATIENCE).text.strip().endswith(": 1"))


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
