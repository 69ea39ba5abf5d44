"""What a core does of client-credential grants by Authlib on Flask, beside ours in the same run."""

import asyncio
import json
import signal
import subprocess
import time
from pathlib import Path

import httpx

from deploy.local import programs
from deploy.local.demo.gateway import CLIENT_ASSERTION
from deploy.local.regions import HOST
from tests.performance.authlib_server import PATH
from tests.performance.load import Measured, Meter, measure
from tests.performance.names import AUTHLIB_GRANT
from tests.support.client_keys import Machine, new_key
from tests.support.ports import free_port

_ROOT = Path(__file__).resolve().parents[2]
_GRANTS, _WARM_UP, _THREADS = 1600, 100, 16


async def authlib_grants(folder: Path) -> Measured:
    """Measures grants at a server of its own, which ends with this."""
    port, key = free_port(), new_key("bench")
    audience = f"http://{HOST}:{port}{PATH}"
    machine = Machine("bench", key)
    settings = folder / "authlib.json"
    settings.write_text(
        json.dumps(
            {
                "audience": audience,
                "client_id": machine.client_id,
                "jwk": key.as_dict(private=False),
                "store": str(folder / "authlib.sqlite"),
            }
        )
    )
    factory = f"tests.performance.authlib_server:create({str(settings)!r})"
    threads = ("--worker-class", "gthread", "--threads", str(_THREADS))
    command = programs.python("gunicorn", "--bind", f"{HOST}:{port}", *threads, "--log-level", "warning", factory)
    server = subprocess.Popen(programs.ending_with_parent(command, signal.SIGKILL), cwd=_ROOT)  # noqa: ASYNC220 - once, at the start
    try:
        signed = [machine.sign(machine.client_id, audience) for _ in range(_GRANTS + _WARM_UP)]
        async with httpx.AsyncClient(trust_env=False) as client:
            await _up(client, audience)

            async def operation(number: int) -> None:
                form = {
                    "grant_type": "client_credentials",
                    "scope": "bench",
                    "client_assertion_type": CLIENT_ASSERTION,
                    "client_assertion": signed[number],
                }
                answer = await client.post(audience, data=form)
                assert answer.status_code == 200, answer.text

            meter = Meter({"authlib": server.pid, "postgres": server.pid})
            return await measure(AUTHLIB_GRANT, operation, _GRANTS, meter, ("authlib",), warm_up=_WARM_UP)
    finally:
        server.terminate()
        server.wait(10)


async def _up(client: httpx.AsyncClient, address: str) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            await client.get(address)
        except httpx.TransportError:
            assert time.monotonic() < ends
            await asyncio.sleep(0.1)
        else:
            return
