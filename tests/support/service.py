"""One service as it really runs, inside the test's process: real gRPC with mTLS, PostgreSQL, Redis."""

import importlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import sqlalchemy as sa

from deploy.local import databases
from deploy.local.secret_files import write_secret
from deploy.local.settings import allowlist
from deploy.pki import development, region_root
from libs.clock import Clock
from libs.config import (
    DatabaseConfig,
    DocumentsConfig,
    GrpcConfig,
    IdentityConfig,
    KeysConfig,
    MetricsConfig,
    PublicConfig,
    RedisConfig,
    RegionConfig,
    ServiceConfig,
    TelemetryConfig,
    TlsConfig,
)
from libs.crypto.keystore import create_master_key
from libs.db import migrate
from libs.observability.tracing import Tracing
from libs.process import Process
from libs.rpc.client import neighbour_channel
from libs.security.tokens import TokenVerifier
from libs.security.withdrawals import Withdrawals, WithdrawnParties
from services.gateway.contracts import read_image, services
from tests.support.backends import HOST, Backends, free_port
from tests.support.tokens import Issuer

REGION = RegionConfig(id="341500", name="六安市")
BASE_URL = "http://gateway.test"


def base_url(region: RegionConfig) -> str:
    """What the gateway of a region is called from outside."""
    return BASE_URL if region == REGION else f"http://gateway-{region.id}.test"


@dataclass
class Ground:
    """What all services of one test session stand on: backends, PKI, migrated template databases."""

    backends: Backends
    folder: Path
    ready: set[str] = field(default_factory=set)

    def event_key(self) -> Path:
        """The file of the key that all services of the session share for their events."""
        create_master_key(self.folder / "events.key")
        return self.folder / "events.key"

    async def template(self, service: str) -> None:
        """Makes and migrates the service's template database, once."""
        if service in self.ready:
            return
        secrets = self.folder / "secrets"
        secrets.mkdir(exist_ok=True)
        for role in (service, f"{service}_owner"):
            write_secret(secrets / f"{role}.dsn", self.dsn(role, service))
        await databases.ensure(self.backends.postgres_dsn, secrets, (service,))
        await migrate.with_owner(
            self.dsn(f"{service}_owner", service), lambda connection: migrate.upgrade(service, connection, service)
        )
        self.ready.add(service)

    def dsn(self, role: str, database: str) -> str:
        """The DSN of ``role`` in ``database``."""
        url = sa.make_url(self.backends.postgres_dsn).set(username=role, password="test", database=database)
        return url.render_as_string(hide_password=False)

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[str]:
        """Lends a fresh database, made from the template, by its name; it is dropped at the end (each takes 20 MB)."""
        await self.template(service)
        name = f"{service}_{uuid.uuid4().hex[:12]}"
        # A copy of the files: half of what a copy by the write-ahead log takes, where nothing waits for the disk (fsync is off).
        made = f'CREATE DATABASE "{name}" TEMPLATE "{service}" OWNER "{service}_owner" STRATEGY FILE_COPY'
        await self._execute(made)
        try:
            yield name
        finally:
            # A test may have cut it off, or have left somebody in it.
            await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @asynccontextmanager
    async def connection(self, service: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """Lends a superuser's connection to a fresh database of the service."""
        async with self.database(service) as name:
            connection = await asyncpg.connect(f"{self.backends.postgres_dsn.rpartition('/')[0]}/{name}")
            try:
                yield connection
            finally:
                await connection.close()

    async def _execute(self, statement: str) -> None:
        server = await asyncpg.connect(self.backends.postgres_dsn)
        try:
            await server.execute(statement)
        finally:
            await server.close()

    def tls(self, name: str, region: RegionConfig = REGION) -> TlsConfig:
        """The certificate of a process of ``region``."""
        names = ("identity", "license", "seal", "cases", "sharing", "gateway")
        pki = self.folder / "pki" if region == REGION else self.folder / f"pki-{region.id}"
        development.ensure(pki, region.id, names)
        return TlsConfig(ca=pki / "ca.pem", cert=pki / f"{name}.pem", key=pki / f"{name}.key")


@dataclass
class Service:
    """A running service under test."""

    process: Process
    channel: grpc.aio.Channel
    issuer: Issuer
    ground: Ground

    def metadata(self, subject: str, kind: str, scope: str = "*", **claims: Any) -> tuple[tuple[str, str], ...]:
        """Metadata with a token that speaks for ``subject``."""
        return (("authorization", f"Bearer {self.issuer.token(subject, kind, scope, **claims)}"),)

    def channel_as(self, name: str) -> grpc.aio.Channel:
        """A channel that shows the certificate of another process of the region."""
        config = self.process.config
        return neighbour_channel(f"{HOST}:{config.grpc.port}", self.ground.tls(name, config.region))


@asynccontextmanager
async def configured(
    ground: Ground, service: str, model: type[ServiceConfig], extra: dict[str, Any], region: RegionConfig = REGION
) -> AsyncIterator[ServiceConfig]:
    """Lends the configuration of ``service``, with keys of its own and a fresh database."""
    async with ground.database(service) as database:
        yield _config(ground, service, model, extra, region, database)


def _config(
    ground: Ground,
    service: str,
    model: type[ServiceConfig],
    extra: dict[str, Any],
    region: RegionConfig,
    database: str,
) -> ServiceConfig:
    folder = ground.folder / f"{service}-{uuid.uuid4().hex[:8]}"
    keys = KeysConfig(folder=folder / "keys", master_key_file=folder / "master.key")
    folder.mkdir()
    create_master_key(keys.master_key_file)
    root = ground.folder / "root" if region == REGION else ground.folder / f"root-{region.id}"
    region_root.ensure(root, region.id, {service: keys})
    for role in (service, f"{service}_owner"):
        write_secret(folder / f"{role}.dsn", ground.dsn(role, database))
    return model(
        region=region,
        grpc=GrpcConfig(host=HOST, port=free_port(), allow=allowlist(service, services(read_image()))),
        tls=ground.tls(service, region),
        database=DatabaseConfig(dsn_file=folder / f"{service}.dsn", owner_dsn_file=folder / f"{service}_owner.dsn"),
        redis=RedisConfig(url=ground.backends.redis_url, event_key_file=ground.event_key()),
        metrics=MetricsConfig(port=free_port()),
        documents=DocumentsConfig(folder=str(folder / "documents")),
        keys=keys,
        identity=IdentityConfig(address=f"{HOST}:1", issuer=base_url(region), jwks_url=f"{base_url(region)}/jwks"),
        telemetry=TelemetryConfig(log_level="warning"),
        **{"public": PublicConfig(base_url=base_url(region)), **extra},
    )


async def nothing_withdrawn(_since: float) -> WithdrawnParties:
    """What identity says where nobody is suspended."""
    return WithdrawnParties({}, time.time())


def config_of(service: str) -> type[ServiceConfig]:
    """The class of the service's configuration."""
    model: type[ServiceConfig] = importlib.import_module(f"services.{service}.config").Config
    return model


async def built(process: Process, verifier: TokenVerifier) -> grpc.aio.Server:
    """The server of the process's service, not started."""
    app = importlib.import_module(f"services.{process.service}.app").app
    return await process.build(await app(process), verifier)


@asynccontextmanager
async def serving(
    ground: Ground,
    service: str,
    clock: Clock | None = None,
    *,
    prepare: Callable[[Process], None] | None = None,
    region: RegionConfig = REGION,
    tracing: Tracing | None = None,
    **extra: Any,
) -> AsyncIterator[Service]:
    """Runs ``service`` of ``region`` for the length of the block.

    ``prepare`` may change the process before it is built (put a fake neighbour in); ``tracing`` takes its spans; ``extra``
    are further sections of the service's configuration.
    """
    async with configured(ground, service, config_of(service), extra, region) as config:
        process = Process(service, config, clock, tracing)
        # Nobody is suspended, unless a test says so: most have a neighbour of their own making.
        process.withdrawals = Withdrawals(nothing_withdrawn)
        if prepare is not None:
            prepare(process)
        issuer = Issuer(base_url(region), f"//{region.id}")
        server = await built(process, process.verifier(issuer))
        await server.start()
        channel = neighbour_channel(f"{HOST}:{config.grpc.port}", ground.tls("gateway", region))
        try:
            yield Service(process, channel, issuer, ground)
        finally:
            await channel.close()
            await server.stop(None)
            await process.close()
