"""Serves the echo beside a region, on the same server stack as its services: all stages, mTLS, the region's tokens.

Run as ``python -m tests.performance.echo_server --config <a service's TOML> --port N``.
"""

import argparse
import asyncio
import signal
import tomllib
from pathlib import Path

from deploy.pki import development
from libs.clock import SystemClock
from libs.config import ServiceConfig, TlsConfig
from libs.observability import logs
from libs.process import start
from libs.process.health import Health
from libs.rpc.server import ServerBuilder, default_stages
from libs.security.jwks import RemoteKeys
from libs.security.tokens import TokenVerifier
from tests.performance import echo

_NO_LIMIT = 1e9


def config_of(path: Path, port: int) -> ServiceConfig:
    """Reads a service's configuration and puts the echo in its place."""
    content = {
        key: value
        for key, value in tomllib.loads(path.read_text(encoding="utf-8")).items()
        if key in ServiceConfig.model_fields
    }
    config = ServiceConfig.model_validate(content)
    pair = development.ensure(config.tls.ca.parent, config.region.id, (echo.NAME,)).processes[echo.NAME]
    return config.model_copy(
        update={
            "grpc": config.grpc.model_copy(
                update={
                    "port": port,
                    "allow": {echo.SERVICE: ["gateway"]},
                    "calls_per_second_per_caller": _NO_LIMIT,
                }
            ),
            "tls": TlsConfig(ca=config.tls.ca, cert=pair.certificate, key=pair.key),
        }
    )


async def trusting(_region: str) -> bool:
    """Trusts every region with everything: this server has no list."""
    return False


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    config = config_of(arguments.config, arguments.port)
    logs.configure(config.telemetry.log_level)
    verifier = TokenVerifier(
        RemoteKeys(config.identity.jwks_url),
        issuer=config.identity.issuer,
        audience=f"//{config.region.id}",
        clock=SystemClock(),
    )
    server = (
        await ServerBuilder(config, default_stages(config, verifier, trusting), Health())
        .add(echo.descriptor(), echo.EchoApi())
        .build()
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    await stop.wait()
    await server.stop(1)


if __name__ == "__main__":
    start(_main)
