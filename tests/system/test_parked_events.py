"""An operator's way back: what a service could not read is listed, shown, replayed and dropped by the command line."""

import asyncio
import json
import subprocess
import sys
import uuid
from typing import Any

import pytest
import redis

from libs.events.cloud_event import stream_of
from tests.support.process import until
from tests.support.regions import Regions

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


def _tongban(regions: Regions, *words: str) -> tuple[int, Any]:
    """Runs ``tongban events``; returns its status and what it printed."""
    code = regions.handling.gateway.id
    command = [
        sys.executable,
        "-m",
        "deploy.local.cli",
        "events",
        *words,
        "--state",
        str(regions.state),
        "--region",
        code,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout or done.stderr)


async def test_the_command_line_lists_shows_replays_and_drops(regions: Regions) -> None:
    code = regions.handling.gateway.id
    port = regions.cluster.snapshot.process(code, "redis").ports["redis"]
    password = (regions.state / code / "secrets" / "redis.password").read_text().strip()
    with redis.Redis(port=port, password=password) as client:
        client.xadd(stream_of(code, "cases"), {"subject": "cases/1", "nonsense": "1"})
    found: list[Any] = []

    async def is_listed() -> bool:
        status, events = await asyncio.to_thread(_tongban, regions, "list", "license", "--json")
        found[:] = events
        return bool(status == 3)

    await until(is_listed)
    (event,) = found
    assert (event["reason"], event["subject"]) == ("EVENT_UNREADABLE", "")
    name = event["name"]
    assert await asyncio.to_thread(_tongban, regions, "show", name) == (0, event)
    status, answer = await asyncio.to_thread(_tongban, regions, "replay", name)
    assert (status, answer["handled"], answer["parkedEvent"]["attempts"]) == (1, False, 1)
    once = ["drop", name, "--why", "试验", "--request-id", str(uuid.uuid4())]
    first = await asyncio.to_thread(_tongban, regions, *once)
    assert first[0] == 0
    assert await asyncio.to_thread(_tongban, regions, *once) == first
    assert await asyncio.to_thread(_tongban, regions, "list", "license", "--json") == (0, [])
    status, refusal = await asyncio.to_thread(_tongban, regions, "show", name)
    assert (status, "RESOURCE_NOT_FOUND" in json.dumps(refusal)) == (1, True)
