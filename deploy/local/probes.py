"""Tells when a process is ready to serve."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

_TRY_SECONDS = 2.0


class Probe(Protocol):
    """Asks a process once."""

    async def ready(self) -> bool:
        """Tells whether the process serves now."""


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Ready when a GET is answered 200."""

    url: str

    async def ready(self) -> bool:
        """Tells whether the process serves now."""
        async with httpx.AsyncClient(timeout=_TRY_SECONDS, trust_env=False) as client:
            try:
                return (await client.get(self.url)).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False


@dataclass(frozen=True, slots=True)
class RedisProbe:
    """Ready when the server answers PING, with an error or not: data are loaded by then."""

    host: str
    port: int

    async def ready(self) -> bool:
        """Tells whether the process serves now."""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(self.host, self.port), _TRY_SECONDS)
            writer.write(b"PING\r\n")
            answer = await asyncio.wait_for(reader.readline(), _TRY_SECONDS)
            writer.close()
        except (OSError, TimeoutError):
            return False
        return answer.startswith((b"+PONG", b"-NOAUTH"))


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """Ready when the postmaster of the data folder says so."""

    data: Path

    async def ready(self) -> bool:
        """Tells whether the process serves now."""
        return self._says_ready()

    def _says_ready(self) -> bool:
        try:
            lines = self.data.joinpath("postmaster.pid").read_text(encoding="utf-8").splitlines()
            # A killed server leaves its file behind, and its state in it.
            return lines[7].strip() == "ready" and Path("/proc", lines[0]).exists()
        except (OSError, IndexError):
            return False


@dataclass(frozen=True, slots=True)
class HealthProbe:
    """Ready when grpc.health.v1 says SERVING, over mTLS with the certificate ``name`` of the folder ``pki``."""

    address: str
    pki: Path
    name: str

    def credentials(self) -> grpc.ChannelCredentials:
        """The supervisor's own certificate."""
        key, certificate = self.pki / f"{self.name}.key", self.pki / f"{self.name}.pem"
        authority = self.pki / "ca.pem"
        return grpc.ssl_channel_credentials(authority.read_bytes(), key.read_bytes(), certificate.read_bytes())

    async def ready(self) -> bool:
        """Tells whether the process serves now."""
        async with grpc.aio.secure_channel(self.address, self.credentials()) as channel:
            try:
                check: Any = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
                answer = await check(health_pb2.HealthCheckRequest(), timeout=_TRY_SECONDS)
            except grpc.aio.AioRpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
