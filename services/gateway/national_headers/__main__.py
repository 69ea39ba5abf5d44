"""The adapter's own process: ``python -m services.gateway.national_headers --config FILE``."""

import argparse
import asyncio
import sys
from pathlib import Path

import uvicorn
from redis.asyncio import Redis

from libs.client import AsyncTongban, PrivateKey
from libs.config import load
from libs.observability import logs
from libs.observability.net import App
from libs.security.once import UsedOnce
from services.gateway.national_headers.adapter import AdapterLimits, LetIn, MappedRpc, NationalAdapter
from services.gateway.national_headers.config import NationalConfig, Requester
from services.gateway.national_headers.mapping import mapped

_GRACE_SECONDS = 3


def _secret(path: Path) -> str:
    found = path.read_text(encoding="utf-8").strip()
    if not found:
        sys.exit(f"{path.name} is empty")
    return found


def _let_in(requester: Requester, config: NationalConfig) -> LetIn:
    roots = config.authorities_file.read_bytes() if config.authorities_file else None
    key = PrivateKey.from_file(requester.credentials_file, signs=requester.signs)
    region = AsyncTongban(config.gateway_url, key, roots=roots)
    return LetIn(_secret(requester.secret_file), frozenset(requester.services), region)


def _rpcs(config: NationalConfig) -> dict[str, MappedRpc]:
    try:
        return {each.sid: mapped(each.rpc) for each in config.services}
    except ValueError as error:
        sys.exit(f"configuration: services: {error}")


def _server(app: App, config: NationalConfig) -> uvicorn.Server:
    settings = uvicorn.Config(
        app,
        host=config.http.host,
        port=config.http.port,
        ssl_certfile=config.tls.cert if config.tls else None,
        ssl_keyfile=str(config.tls.key) if config.tls else None,
        log_config=None,  # what it says goes through our own formatter, which tells no exception's words
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(settings)


async def serve(config: NationalConfig) -> None:
    """Serves until a signal."""
    rpcs = _rpcs(config)
    let_in = {each.rid: _let_in(each, config) for each in config.requesters}
    redis: Redis = Redis.from_url(_secret(config.redis_url_file), protocol=2)
    limits = AdapterLimits(config.window_seconds, config.one_body_a_moment, config.most_bytes)
    adapter = NationalAdapter(let_in, rpcs, UsedOnce(redis, config.region.id, "national:once"), limits)
    try:
        await _server(adapter.app(), config).serve()
    finally:
        await asyncio.gather(*(each.region.caller.connection.close() for each in let_in.values()))
        await redis.aclose()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Lets requesters of the national exchange platforms in as clients.")
    parser.add_argument("--config", type=Path, required=True)
    config = load(parser.parse_args().config, NationalConfig)
    logs.configure(config.telemetry.log_level)
    asyncio.run(serve(config))


if __name__ == "__main__":
    main()
