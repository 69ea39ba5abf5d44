"""`up --sandbox` makes a region that was never started one to try things in; one that was stays what it is."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.local.regions import LIUAN, LocalRegion, settle
from deploy.local.serve import prepare
from deploy.local.settings import config_path


def _clients(local: LocalRegion) -> Any:
    """What identity is told of the clients that get tokens."""
    return tomllib.loads(config_path(local, "identity").read_text(encoding="utf-8")).get("clients")


@pytest.fixture
def local(tmp_path: Path) -> LocalRegion:
    return settle(tmp_path, LIUAN, 0)


def test_a_sandbox_stays_one_however_it_is_started_again(local: LocalRegion) -> None:
    prepare(local, sandbox=True)
    assert _clients(local) == {"environment": "SANDBOX"}
    local.path("credentials.json").write_text("{}", encoding="utf-8")
    prepare(local)
    assert _clients(local) == {"environment": "SANDBOX"}


def test_a_region_whose_clients_are_real_is_made_no_sandbox(local: LocalRegion) -> None:
    prepare(local)
    local.path("credentials.json").write_text("{}", encoding="utf-8")
    prepare(local, sandbox=True)
    assert _clients(local) is None
