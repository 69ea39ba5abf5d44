"""A region's ground (PostgreSQL, Redis, Envoy, pages) really starts, twice, and leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
import redis

from deploy.local.launch import Cluster, NotStarted
from deploy.local.regions import LIUAN
from tests.support.patience import PATIENCE
from tests.support.ports import free_port, listening


def _pids(cluster: Cluster) -> list[int]:
    return [process.pid for process in cluster.snapshot.processes if process.pid]


def _all_ended(pids: list[int]) -> bool:
    end = time.monotonic() + PATIENCE
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


async def _rights(dsn: str) -> tuple[str, bool]:
    connection = await asyncpg.connect(dsn)
    try:
        may_create = await connection.fetchval("SELECT has_schema_privilege(current_user, 'public', 'CREATE')")
        return await connection.fetchval("SELECT current_user"), may_create
    finally:
        await connection.close()


async def test_it_starts_twice_with_the_same_data_and_ends(tmp_path: Path) -> None:
    secrets = tmp_path / LIUAN.code / "secrets"
    with Cluster(tmp_path, (free_port(),), services=()) as first:
        assert await _rights((secrets / "seal.dsn").read_text()) == ("seal", False)
        assert await _rights((secrets / "seal_owner.dsn").read_text()) == ("seal_owner", True)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect((secrets / "seal.dsn").read_text(), database="cases")
        pids = _pids(first)
    assert _all_ended(pids)
    with Cluster(tmp_path, (free_port(),), services=()) as second:
        assert await _rights((secrets / "cases.dsn").read_text()) == ("cases", False)
        gateway = second.snapshot.regions[0].gateway
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{gateway}/healthz")
        assert answer.status_code == 503
        assert set(answer.json()["services"].values()) == {"NOT_SERVING"}
        port = second.snapshot.process(LIUAN.code, "redis").ports["redis"]
        with redis.Redis(port=port) as nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()


def test_a_second_start_from_one_state_folder_is_refused(tmp_path: Path) -> None:
    with Cluster(tmp_path, (free_port(),), services=()), pytest.raises(NotStarted, match="runs already"):
        Cluster(tmp_path, (free_port(),), services=()).start()


def test_a_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    with listening(0) as port, pytest.raises(NotStarted) as refused:
        Cluster(tmp_path, (port,), services=()).start()
    assert str(refused.value) == f"port {port} is taken; choose another for the gateway of 六安市"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_however_the_starter_ends_nothing_stays(tmp_path: Path, number: signal.Signals) -> None:
    # The starter runs in a process of its own, so that it can be killed. Tests that run in the background of a shell
    # ignore SIGINT, and what they start would inherit that.
    code = (
        "import signal, sys, time, pathlib; from deploy.local.launch import Cluster\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with Cluster(pathlib.Path(sys.argv[1]), (int(sys.argv[2]),), services=()): print('up', flush=True); time.sleep(99)"
    )
    command = (sys.executable, "-c", code, str(tmp_path), str(free_port()))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as starter:
        assert starter.stdout
        assert starter.stdout.readline() == "up\n"
        cluster = Cluster(tmp_path)
        pids = [*_pids(cluster), cluster.snapshot.pid]
        os.kill(starter.pid, number)
        starter.wait(30)
    assert _all_ended(pids)


def test_a_killed_supervisor_takes_its_processes_with_it(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (free_port(),), services=())
    cluster.start()
    pids = _pids(cluster)
    os.kill(cluster.snapshot.pid, signal.SIGKILL)
    cluster.stop()
    assert _all_ended(pids)
