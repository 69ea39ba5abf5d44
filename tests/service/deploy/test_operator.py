"""What an operator does to a region by hand: own settings, a key that is lost, a folder that moves; the commands go on. What they have
set up is not furnished as a sandbox."""

import asyncio
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from deploy.local.launch import Cluster, NotStarted
from deploy.local.own_settings import FILE
from deploy.local.regions import LIUAN
from deploy.local.sandbox import SANDBOX_FILE, NotBare, furnish
from libs.ids.synthetic import SyntheticPopulation
from tests.support.patience import PATIENCE
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(300)

_PUBLIC = "https://tongban.example"


def _token(state: Path) -> str:
    """Runs ``./run token`` as an operator does."""
    command = (sys.executable, "-m", "deploy.local.cli", "token", "--state", str(state))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def _regions(cluster: Cluster, token: str) -> int:
    """How the region answers a call with the token, at the address of this machine."""
    url = f"{cluster.snapshot.regions[0].gateway}/v1/regions"
    return httpx.get(url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=PATIENCE).status_code


def _open_department(cluster: Cluster, token: str) -> None:
    """Begins to set the region up, as its administrator does."""
    code = SyntheticPopulation(LIUAN.code, province=LIUAN.code[:2]).uscc("11")
    asked = {
        "requestId": str(uuid.uuid4()),
        "department": {"displayName": "六安市行政审批局", "uscc": code, "regionCode": LIUAN.code},
    }
    headers = {"authorization": f"Bearer {token}"}
    url = f"{cluster.snapshot.regions[0].gateway}/v1/departments"
    httpx.post(url, json=asked, headers=headers, trust_env=False, timeout=20).raise_for_status()


def test_commands_go_on_behind_a_public_url_after_a_lost_key_and_in_another_folder(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(mode=0o755)
    (first / FILE).write_text(f'[regions.{LIUAN.code}]\npublic_url = "{_PUBLIC}"\n', encoding="utf-8")
    with Cluster(first, (free_port(),), services=("identity",)) as cluster:
        assert _regions(cluster, _token(first)) == httpx.codes.OK
    key = first / LIUAN.code / "secrets" / "identity.master-key"
    known = key.read_bytes()
    key.unlink()
    with pytest.raises(NotStarted, match=f"{key} is gone"):
        Cluster(first, (free_port(),), services=("identity",)).start()
    assert not key.exists()
    key.write_bytes(known)
    key.chmod(0o600)
    first.rename(second)
    with Cluster(second, (free_port(),), services=("identity",)) as cluster:
        token = _token(second)
        assert _regions(cluster, token) == httpx.codes.OK
        _open_department(cluster, token)
        with pytest.raises(NotBare, match=f"region {LIUAN.id} has departments already"):
            asyncio.run(furnish(cluster.snapshot.regions))
        assert not (second / LIUAN.code / SANDBOX_FILE).exists()
