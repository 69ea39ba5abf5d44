"""Suspending a region's trust stops its calls: new assertions at once, calls under tokens given before within seconds.

The last test types what docs/runbooks/region-suspended.md says, as an operator does.
"""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from deploy.local.demo.application import PURPOSE, PURPOSE_CODE, SEED, eventually
from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import firms_to_come
from libs.errors import TongbanError
from libs.ids.uuid7 import uuid7
from tests.support.regions import Regions
from tongban.common.v1 import common_pb2, value_pb2
from tongban.identity.v1 import region_service_pb2, resources_pb2
from tongban.sharing.v1 import data_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "runbooks" / "region-suspended.md"
_INBOUND = resources_pb2.TRUST_DIRECTION_INBOUND
_BOTH = (_INBOUND, resources_pb2.TRUST_DIRECTION_OUTBOUND)
_OPEN, _SUSPENDED = resources_pb2.TRUST_STATE_OPEN, resources_pb2.TRUST_STATE_SUSPENDED
_KEPT_AT_MOST = 10.0
"""Seconds that a service may keep what it was told of a region (RegionService.ResolveRegion)."""


def _ways(region: resources_pb2.Region) -> tuple[int, int]:
    return region.inbound.state, region.outbound.state


def _told(region: dict[str, Any]) -> set[str]:
    return {region["inbound"]["state"], region["outbound"]["state"]}


async def _suspend(office: Office, other: str) -> resources_pb2.Region:
    request = region_service_pb2.SuspendRegionRequest(
        name=f"regions/{other}", directions=[_INBOUND], reason="演练", request_id=request_id()
    )
    return await office.gateway.using(await office.admin_token()).call(request, resources_pb2.Region)


async def _resume(
    office: Office, other: str, *directions: resources_pb2.TrustDirection.ValueType
) -> resources_pb2.Region:
    found = resources_pb2.Region()
    for administrator in ("administration", "administration2"):
        request = region_service_pb2.ResumeRegionRequest(
            name=f"regions/{other}", directions=directions or [_INBOUND], reason="演练结束", request_id=request_id()
        )
        token = await office.token_of(administrator)
        found = await office.gateway.using(token).call(request, resources_pb2.Region)
    return found


async def _exchange(regions: Regions) -> str:
    """What an officer of 天宁 comes to who asks 六安 for a token: OK or the reason."""
    try:
        await regions.handling.token_in(regions.home.gateway, "data")
    except TongbanError as error:
        return error.reason
    return "OK"


async def _query(regions: Regions) -> str:
    """What a query from 天宁 for 六安's data comes to, made by 天宁's sharing service under its own token."""
    gateway, department = regions.handling.gateway, regions.handling.department
    uscc = firms_to_come(SEED, regions.home.gateway.code[:2], 1)[0][0]
    request = data_service_pb2.QueryRequest(
        resource=f"//{regions.home.gateway.id}/{regions.resource}",
        fields=["credit_grade"],
        conditions=[data_service_pb2.KeyCondition(field="uscc", values=[value_pb2.Value(string_value=uscc)])],
        use_context=common_pb2.UseContext(
            purpose_code=PURPOSE_CODE,
            purpose=PURPOSE,
            case=f"//{gateway.id}/cases/{uuid7()}",
            department=department,
        ),
    )
    try:
        token = await regions.handling.token_of("reviewing")
        await gateway.using(token).call(request, data_service_pb2.QueryResponse)
    except TongbanError as error:
        return error.reason
    return "OK"


async def test_suspended_trust_stops_calls_and_resumed_trust_lets_them_pass(regions: Regions) -> None:
    other = regions.handling.gateway.id
    assert (await _exchange(regions), await _query(regions)) == ("OK", "OK")
    assert _ways(await _suspend(regions.home, other)) == (_SUSPENDED, _OPEN)
    began = time.monotonic()
    try:
        assert await _exchange(regions) == "REGION_NOT_TRUSTED"
        await eventually(lambda: _query(regions), lambda reason: reason == "REGION_NOT_TRUSTED", "the query refused")
        assert time.monotonic() - began <= _KEPT_AT_MOST + 1
    finally:
        assert _ways(await _resume(regions.home, other)) == (_OPEN, _OPEN)
    assert await _exchange(regions) == "OK"
    await eventually(lambda: _query(regions), lambda reason: reason == "OK", "the query let through again")


@dataclass
class Operator:
    """Types the lines of the page in a folder that holds `./run` and what came by courier."""

    folder: Path
    environment: dict[str, str]
    setting_up: str

    async def types(self, lines: str) -> dict[str, Any]:
        """Returns what the lines print: a region, or what was refused."""
        command = ("bash", "-euo", "pipefail", "-c", f"{self.setting_up}\n{lines}")
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def _blocks() -> list[str]:
    text = _PAGE.read_text(encoding="utf-8")
    return [dedent(lines) for lines in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)]


def _reason(answer: dict[str, Any]) -> str:
    return str(next(detail["reason"] for detail in answer["details"] if "reason" in detail))


@pytest.fixture
def operator(regions: Regions, tmp_path: Path) -> Operator:
    """Whoever runs 六安, with the administrators' staff numbers and the credentials of the counter system."""
    office, channel = regions.home, tmp_path / "channel.json"
    key = office.channel.key.as_dict(private=True)
    channel.write_text(json.dumps({"client_id": office.channel.client_id, "private_key_jwk": key}), encoding="utf-8")
    run = tmp_path / "run"
    # As `./run token` does, without a look at what is installed.
    run.write_text(
        f'#!/bin/sh\ncd {shlex.quote(str(_ROOT))} && exec {shlex.quote(sys.executable)} -m deploy.local.cli "$@"\n',
        encoding="utf-8",
    )
    run.chmod(0o755)
    given = {
        "state": str(regions.state),
        "code": office.gateway.id,
        "gateway": office.gateway.url,
        "other": regions.handling.gateway.id,
        "first": office.staff["administration"],
        "second": office.staff["administration2"],
        "channel": str(channel),
    }
    return Operator(tmp_path, os.environ | given, _blocks()[0])


async def _trusted_again(regions: Regions) -> None:
    """Leaves the trust as it was found, also where the test failed in the middle."""
    name = f"regions/{regions.handling.gateway.id}"
    token = await regions.home.admin_token()
    found = await regions.home.gateway.using(token).identity.get_region(name=name)
    if _ways(found) != (_OPEN, _OPEN):
        await _resume(regions.home, regions.handling.gateway.id, *_BOTH)


async def test_the_runbook_says_what_happens(regions: Regions, operator: Operator) -> None:
    _, suspend, look, set_keys, approve_keys, resume, resume_too = _blocks()
    try:
        assert _told(await operator.types(suspend)) == {"TRUST_STATE_SUSPENDED"}
        assert await _exchange(regions) == "REGION_NOT_TRUSTED"
        await eventually(lambda: _query(regions), lambda reason: reason == "REGION_NOT_TRUSTED", "the query refused")
        known = await operator.types(look)
        assert known["stateReason"] == "keys leaked"
        (operator.folder / "anchor.json").write_text(json.dumps(known["anchor"]), encoding="utf-8")
        assert (await operator.types(set_keys))["pendingAnchor"] == known["anchor"]
        assert "pendingAnchor" not in await operator.types(approve_keys)
        waiting = await operator.types(resume)
        assert _told(waiting) == {"TRUST_STATE_SUSPENDED"}
        assert waiting["resuming"] == ["TRUST_DIRECTION_INBOUND", "TRUST_DIRECTION_OUTBOUND"]
        assert _reason(await operator.types(resume)) == "ACTING_ON_SELF"
        assert await _exchange(regions) == "REGION_NOT_TRUSTED"
        assert _told(await operator.types(resume_too)) == {"TRUST_STATE_OPEN"}
        assert await _exchange(regions) == "OK"
        await eventually(lambda: _query(regions), lambda reason: reason == "OK", "the query let through again")
    finally:
        await _trusted_again(regions)
