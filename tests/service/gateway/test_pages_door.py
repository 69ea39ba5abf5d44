"""The port of the pages: Envoy's alone, since what Envoy says of a caller goes on from there as the gateway's word."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from deploy.pki import development
from services.gateway.__main__ import http_server
from services.gateway.config import GatewayConfig
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.process import until

REGION, OTHER = "341500", "340422"


@dataclass(frozen=True)
class Door:
    """A port that is served.

    Attributes:
        folder: where the certificates of the regions lie.
        port: the port.
        told: what reached the pages of certificates of clients.
    """

    folder: Path
    port: int
    told: list[str | None]

    def client(self, process: str, region: str = REGION) -> httpx.AsyncClient:
        """Opens a client with the certificate of a process of a region; with none where it is empty."""
        context = ssl.create_default_context(cafile=str(self.folder / REGION / "ca.pem"))
        context.check_hostname = False
        if process:
            own = self.folder / region
            context.load_cert_chain(own / f"{process}.pem", own / f"{process}.key")
        return httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{self.port}", verify=context, trust_env=False, timeout=PATIENCE
        )


def _config(folder: Path) -> GatewayConfig:
    own, address = folder / REGION, "127.0.0.1:1"
    return GatewayConfig.model_validate(
        {
            "region": {"id": REGION, "name": "六安市"},
            "http": {"port": 1},
            "tls": {"ca": own / "ca.pem", "cert": own / "gateway.pem", "key": own / "gateway.key"},
            "identity": {"address": "-", "issuer": "http://gw", "jwks_url": "http://127.0.0.1:1/jwks.json"},
            "pages": {"port": free_port(), "reflection_port": 1},
            "envoy": {"admin_port": 1, "file": folder / "envoy.json"},
            "public": {"base_url": "http://gw"},
            "neighbours": dict.fromkeys(("identity", "license", "seal", "cases", "sharing"), address),
        }
    )


@pytest_asyncio.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    for region in (REGION, OTHER):
        development.ensure(tmp_path / region, region, ("cases", "gateway"))
    told: list[str | None] = []

    async def page(request: Any) -> PlainTextResponse:
        told.append(request.headers.get("x-forwarded-client-cert"))
        return PlainTextResponse("here")

    config = _config(tmp_path)
    server = http_server(config, Starlette(routes=[Route("/healthz", page)]))
    serving = asyncio.ensure_future(server.serve())

    async def begun() -> bool:
        return server.started or serving.done()

    await until(begun)
    yield Door(tmp_path, config.pages.port, told)
    server.should_exit = True
    await serving


async def test_the_gateway_alone_comes_in(door: Door) -> None:
    """A service of the region could else say with which certificate a caller came, and from where: the services believe it of the pages."""
    forged = {"x-forwarded-client-cert": f"Hash={'0' * 64}"}
    async with door.client("gateway") as envoy:
        assert (await envoy.get("/healthz", headers=forged)).text == "here"
    for process, region in (("cases", REGION), ("gateway", OTHER), ("", REGION)):
        async with door.client(process, region) as other:
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await other.get("/healthz", headers=forged)
    assert door.told == [forged["x-forwarded-client-cert"]]
