"""The library of Standard Webhooks, in an environment of its own, verifies what a region sends."""

import json
import sys
import uuid
from pathlib import Path

import pytest

from tests.peers.conftest import Town
from tests.peers.fetch import run
from tests.support.webhook_partner import received, webhook_partner
from tests.support.webhooks import receiving

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
LIBRARY = "standardwebhooks==1.1.0"
PING = "cn.tongban.webhook.ping"
_VERIFY = """
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError

got = json.load(open(sys.argv[1], encoding="utf-8"))
for secret, body in ((got["secret"], got["body"]), (got["secret"], got["body"] + " "), (got["other"], got["body"])):
    try:
        print(Webhook(secret).verify(body, got["headers"])["type"])
    except WebhookVerificationError:
        print("REFUSED")
"""


async def test_it_verifies_what_was_sent_and_nothing_else(town: Town, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", LIBRARY)
    gateway, token = town.office.gateway, await webhook_partner(town.office)
    async with receiving() as receiver:
        types = ["cn.tongban.license.license_type.published.v1"]
        asked = {"webhook": {"url": receiver.url, "types": types}, "requestId": str(uuid.uuid4())}
        webhook, other = [
            await gateway.post("/v1/webhooks", {**asked, "requestId": str(uuid.uuid4())}, token) for _ in range(2)
        ]
        await gateway.post(f"/v1/{webhook['name']}:ping", {"requestId": str(uuid.uuid4())}, token)
        await received(receiver, PING)
    (got,) = receiver.got
    said = {"secret": webhook["secret"], "other": other["secret"], "headers": got.headers, "body": got.body.decode()}
    (tmp_path / "got.json").write_text(json.dumps(said), encoding="utf-8")
    (tmp_path / "verify.py").write_text(_VERIFY, encoding="utf-8")
    assert run(python, "-I", tmp_path / "verify.py", tmp_path / "got.json").split() == [PING, "REFUSED", "REFUSED"]
