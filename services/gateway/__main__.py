"""The gateway's own process: writes Envoy's configuration, then serves the portal's pages and gRPC reflection.

Run as ``python -m services.gateway --config FILE``; with ``--write-only`` it ends after the configuration is written.
"""

import argparse
import asyncio
from pathlib import Path

import uvicorn

from libs.clock import SystemClock
from libs.config import load
from libs.observability import logs
from libs.observability.net import App
from libs.security.gateway_door import GatewayDoor
from services.gateway import contracts, envoy_config
from services.gateway.circuits import Circuits
from services.gateway.config import GatewayConfig
from services.gateway.content import ContentPages
from services.gateway.my.pages import my_pages
from services.gateway.my.signing_in import JWKS_PATH, PeopleSignIn
from services.gateway.neighbours import Neighbours
from services.gateway.pages import Portal
from services.gateway.partner_pages import PartnerPages
from services.gateway.reflection import reflection_server
from services.gateway.service_states import ServiceStates
from services.gateway.status_pages import StatusPages

_GRACE = 2


def http_server(config: GatewayConfig, app: App) -> uvicorn.Server:
    """Builds the server of the pages, for Envoy alone: what it says of a caller goes from here to the services, as the gateway's word."""
    settings = uvicorn.Config(
        app,
        host=config.pages.host,
        port=config.pages.port,
        **GatewayDoor.of(config.tls, config.region.id).settings(),
        log_config=None,  # what it says goes through our own formatter, which tells no exception's words
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    return uvicorn.Server(settings)


def _sign_in(config: GatewayConfig) -> PeopleSignIn | None:
    """How people sign in to the pages of their own; None where there are none."""
    if config.my is None:
        return None
    urls = [config.identity.jwks_url, *config.identity.further_jwks_urls]
    return PeopleSignIn(
        config.my.credentials_file, config.public.base_url, [each.removesuffix(JWKS_PATH) for each in urls]
    )


async def serve(config: GatewayConfig) -> None:
    """Serves until a signal."""
    image = contracts.read_image()
    neighbours = Neighbours(config)
    content = ContentPages(neighbours.service, config.limits.upload_seconds)
    sign_in = _sign_in(config)
    mine = my_pages(config, sign_in, neighbours.service).routes() if sign_in else []
    states = ServiceStates(neighbours.health, SystemClock())
    told = [*StatusPages(config, states).routes(), *PartnerPages(config).routes()]
    pages = http_server(config, Portal(config, image, neighbours).app(*content.routes(), *mine, *told))
    reflection = reflection_server(image, f"{config.pages.host}:{config.pages.reflection_port}", config.tls)
    await reflection.start()
    watching = [asyncio.ensure_future(each) for each in (Circuits(config, neighbours.asking()).run(), states.run())]
    try:
        await pages.serve()
    finally:
        for each in watching:
            each.cancel()
        await asyncio.wait(watching)
        await reflection.stop(_GRACE)
        await neighbours.close()
        if sign_in:
            await sign_in.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Serves the portal's pages and gRPC reflection.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--write-only", action="store_true", help="only write Envoy's configuration")
    arguments = parser.parse_args()
    config = load(arguments.config, GatewayConfig)
    logs.configure(config.telemetry.log_level)
    envoy_config.write(config)
    if not arguments.write_only:
        asyncio.run(serve(config))


if __name__ == "__main__":
    main()
