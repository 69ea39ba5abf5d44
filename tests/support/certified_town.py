"""A region's identity service that takes what came with a client's certificate, as the gateway brings it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from libs.config import HttpConfig, PublicConfig
from services.identity.config import Config
from tests.support.backends import HOST, free_port
from tests.support.partner_certificates import HeldCertificate
from tests.support.service import Ground, base_url
from tests.support.town import LIUAN, Town, request_id, town
from tongban.identity.v1 import client_service_pb2, resources_pb2

BY_CERTIFICATE = resources_pb2.CLIENT_AUTH_METHOD_TLS_CLIENT_AUTH
MTLS_URL = "https://partners.gateway.test"


@asynccontextmanager
async def certified_town(ground: Ground, folder: Path, **extra: Any) -> AsyncIterator[Town]:
    """Runs it, with the door of the gateway beside the plain one."""
    public = PublicConfig(base_url=base_url(LIUAN), mtls_url=MTLS_URL)
    door = HttpConfig(host=HOST, port=free_port())
    async with town(ground, folder, LIUAN, public=public, mtls_http=door, **extra) as found:
        yield found


def at_the_door(home: Town, process: str = "gateway") -> httpx.AsyncClient:
    """Opens a client at the gateway's door, by the certificate of a process of the region; by none where it is empty."""
    config = home.service.process.config
    assert isinstance(config, Config)
    assert config.mtls_http is not None
    tls = home.service.ground.tls(process or "gateway", home.region)
    context = ssl.create_default_context(cafile=str(tls.ca))
    if process:
        context.load_cert_chain(tls.cert, tls.key)
    return httpx.AsyncClient(
        base_url=f"https://{HOST}:{config.mtls_http.port}", verify=context, trust_env=False, timeout=30
    )


async def posted(home: Town, held: HeldCertificate | None, path: str = "/oauth/token", **form: str) -> httpx.Response:
    """Asks as the gateway asks for who came with a certificate, or without one."""
    async with at_the_door(home) as door:
        return await door.post(path, data=form, headers=held.told if held else {})


async def granted(home: Town, held: HeldCertificate, **form: str) -> str:
    """The token that comes of it."""
    answer = await posted(home, held, **form)
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "Bearer"
    return str(answer.json()["access_token"])


async def partner(home: Town, *held: HeldCertificate, **fields: Any) -> resources_pb2.Client:
    """Makes a partner that proves who it is by these certificates."""
    given = {"display_name": "系统", "kind": resources_pb2.CLIENT_KIND_PARTNER, "auth_method": BY_CERTIFICATE, **fields}
    client = resources_pb2.Client(certificates=shown(*held), **given)
    request = client_service_pb2.CreateClientRequest(
        client=client, client_id=f"m{request_id()[:8]}", request_id=request_id()
    )
    return await home.call(home.clients.CreateClient, request, resources_pb2.Client, await home.admin_token())


def shown(*held: HeldCertificate) -> list[resources_pb2.ClientCertificate]:
    """Certificates as a request gives them."""
    return [resources_pb2.ClientCertificate(certificate=each.der) for each in held]


def own(client: resources_pb2.Client) -> dict[str, str]:
    """The form by which it asks for its own token."""
    return {"grant_type": "client_credentials", "client_id": client.name.removeprefix("clients/")}
