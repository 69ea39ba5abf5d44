"""The page for partners: one script, which is let in by its digest, both languages whole, nothing loaded from elsewhere."""

import base64
import hashlib
import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from services.gateway.config import GatewayConfig
from services.gateway.partner_pages import PartnerPages
from services.gateway.partner_words import SAID, SHOWN, STATES, WARNINGS
from services.gateway.rendering import script_text
from tongban.identity.v1 import resources_pb2


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    config = GatewayConfig.model_validate(
        {
            "region": {"id": "341500", "name": "六安市"},
            "http": {"port": 1},
            "tls": {"ca": tmp_path, "cert": tmp_path, "key": tmp_path},
            "identity": {"address": "127.0.0.1:1", "issuer": "http://issuer", "jwks_url": "http://127.0.0.1:1/"},
            "pages": {"port": 1, "reflection_port": 1},
            "envoy": {"admin_port": 1, "file": tmp_path / "envoy.json"},
            "public": {"base_url": "http://gw"},
            "neighbours": {},
        }
    )
    transport = httpx.ASGITransport(Starlette(routes=PartnerPages(config).routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gw") as opened:
        yield opened


async def test_its_one_script_is_let_in_and_reaches_this_site_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/partners")
    (script,) = re.findall(r"<script>(.*)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "connect-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "src=" not in answer.text


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_says_all_of_it_in_the_readers_language(client: httpx.AsyncClient, language: str) -> None:
    at = 0 if language == "zh" else 1
    for answer in (
        await client.get("/partners", params={"lang": language}),
        await client.get("/partners", headers={"accept-language": language}),
    ):
        assert answer.headers["content-language"].startswith(language)
        shown = html.unescape(answer.text)
        assert [name for name, pair in SAID.items() if pair[at] not in shown] == []
        (words,) = re.findall(r'data-words="([^"]*)"', answer.text)
        told = json.loads(html.unescape(words))
        assert told["insecure"] == SHOWN["insecure"][at]
        assert 'data-issuer="http://issuer"' in answer.text


def test_every_word_that_the_script_says_is_there() -> None:
    said = set(re.findall(r"words\.(\w+)", script_text("partners.js")))
    assert said == {*SHOWN, "states", "warnings"}


def test_every_state_and_warning_has_its_words() -> None:
    for enum, words in ((resources_pb2.ClientState, STATES), (resources_pb2.UsageWarning, WARNINGS)):
        assert set(words) == {each for each in enum.DESCRIPTOR.values_by_name if not each.endswith("UNSPECIFIED")}
