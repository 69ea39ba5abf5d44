"""Regions that start together get no port twice: neither a gateway's nor one behind it."""

import json
from pathlib import Path

import pytest

from deploy.local.own_settings import OwnSettings
from deploy.local.regions import LIUAN, TIANNING, PortTaken, settle
from deploy.local.serve import RunOrder, local_regions_of
from deploy.local.state import StateFolder
from tests.support.ports import free_port


def test_two_gateways_on_one_port_are_refused_by_name(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(PortTaken, match=f"port {port} is taken; choose another for the gateway of 六安市"):
        local_regions_of(StateFolder(tmp_path), RunOrder({LIUAN.code: port, TIANNING.code: port}), OwnSettings())


def test_no_port_behind_a_gateway_is_one_of_the_others(tmp_path: Path) -> None:
    """Neither those that were remembered from a start alone, nor a gateway's that lies among them."""
    alone = settle(tmp_path, TIANNING, 0)
    inside = alone.ports["pages"]
    (tmp_path / LIUAN.code).mkdir()
    (tmp_path / LIUAN.code / "ports.json").write_text(json.dumps(alone.ports), encoding="utf-8")
    wanted = RunOrder({LIUAN.code: inside, TIANNING.code: free_port()})
    first, second = local_regions_of(StateFolder(tmp_path), wanted, OwnSettings())
    used = [*first.ports.values(), first.http_port, *second.ports.values(), second.http_port]
    assert len(used) == len(set(used))
