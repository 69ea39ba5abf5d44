"""What every service's ``__main__`` starts from: the parts, built in one straight line, and a run until a signal."""

import argparse
import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import grpc
import uvloop
from google.protobuf.descriptor import ServiceDescriptor

from libs.audit.api import AuditApi
from libs.audit.export import AuditExport
from libs.audit.integrator import Integrator
from libs.audit.log import Log
from libs.audit.witness import Witness
from libs.audit.writer import AuditWriter
from libs.background import forever
from libs.clock import Clock, SystemClock
from libs.clock.replay import ReplayClock
from libs.config import ServiceConfig, load
from libs.crypto.envelope import FieldCipher
from libs.crypto.keystore import Algorithm, KeyStore, load_master_key
from libs.crypto.sm3 import HmacSm3
from libs.crypto.tongsuo import TongsuoProvider
from libs.db.engine import Database
from libs.db.forgetting import Forgetting
from libs.db.paging import Pages
from libs.db.uow import UnitOfWork
from libs.documents.store import DocumentStore, opened
from libs.errors import Unavailable
from libs.events.api import ParkedEventApi
from libs.events.change_api import ChangeApi, ChangeSource, Followed
from libs.events.changes import ForgettingChanges
from libs.events.cloud_event import stream_of
from libs.events.connection import redis_of
from libs.events.consumer import Consumer, EventHandler
from libs.events.parking import Parking
from libs.events.relay import Relay
from libs.events.types import events_of
from libs.events.wire import Wire, event_cipher
from libs.observability import logs, metrics
from libs.observability.logs import logger
from libs.observability.tracing import Tracing
from libs.operations.api import OperationApi
from libs.operations.beginning import Operations
from libs.operations.messages import SealedFields
from libs.operations.sweeping import backlog_of
from libs.operations.worker import OperationWorker
from libs.owndata.api import FileSigner, OwnDataApi
from libs.process.app import App, Task
from libs.process.checks import DiskCheck, KeysCheck, at_most_every, folders_of
from libs.process.health import DatabaseCheck, Health, redis_check
from libs.rpc.call import Handler
from libs.rpc.client import neighbour_channel
from libs.rpc.quotas import ClientQuotas
from libs.rpc.regions import Regions
from libs.rpc.server import ServerBuilder, default_stages, handler_of
from libs.rpc.stages.trust import Check
from libs.rpc.streams import StreamsUnderWay
from libs.rpc.withdrawals import asking
from libs.security.jwks import KeySource, RemoteKeys
from libs.security.once import UsedOnce
from libs.security.possession import ProofsOfPossession
from libs.security.tokens import TokenVerifier
from libs.security.withdrawals import Withdrawals
from libs.uploads.api import UploadApi, quota_of
from libs.uploads.content import UploadContent
from libs.uploads.parts import PartStore
from libs.uploads.sweeping import sweep_of
from libs.uploads.taking import UploadedFiles
from tongban.audit.v1 import audit_service_pb2
from tongban.events.v1 import change_service_pb2, parked_event_service_pb2
from tongban.identity.v1 import resources_pb2
from tongban.operations.v1 import operation_service_pb2
from tongban.owndata.v1 import own_data_service_pb2
from tongban.uploads.v1 import upload_service_pb2

_log = logger(__name__)
_LOG = "log"
"""The key that signs the heads of its audit log."""
_PAGES = "page-tokens"
"""The key of page tokens, which serves for nothing else."""
_SALTS = "audit-salts"
"""The key of the salts that the receipts carry; never rotated in place, for a receipt that is given again carries the first."""
_DRAIN_SECONDS = 1.5
"""For which the process still takes calls after it said that it won't: whoever looks every second has looked by then."""
_GRACE_SECONDS = 5.0
_CANCEL_AGAIN_SECONDS = 0.2
_TRY_AGAIN_SECONDS = 1.0


class Process:
    """The parts of one service process.

    Attributes:
        config: its configuration.
        clock: the business clock; no use case asks the machine for the time by itself.
        wall: the machine's clock, by which tokens live.
        tracing: makes its spans.
        database, redis, documents: its stores.
        uploads: the files that callers brought for their requests.
        wire: carries its events.
        uow: runs its mutations.
        parking: holds the events that it could not handle.
        operations: begins work that takes longer than a call.
        audit: writes its audit records.
        log: what its records are called.
        pages: its page tokens.
        keys: its key store.
        cipher: encrypts its personal fields.
    """

    def __init__(
        self, service: str, config: ServiceConfig, clock: Clock | None = None, tracing: Tracing | None = None
    ) -> None:
        self.service = service
        self.config = config
        replay = config.clock.replay_file
        self.clock: Clock = clock or (ReplayClock(replay) if replay else SystemClock())
        self.wall: Clock = SystemClock()
        logs.configure(config.telemetry.log_level)
        self.tracing = tracing or Tracing.sending(service, config.region.id, config.telemetry.endpoint)
        self.provider = TongsuoProvider()
        master = load_master_key(config.keys.master_key_file)
        self.keys = KeyStore(config.keys.folder, master, self.provider, self.wall)
        self.log = Log(service, config.region.id, HmacSm3(self.keys.ensure(_SALTS, Algorithm.HMAC_SM3).secret))
        self.database = Database.from_config(config.database, self.tracing)
        self.redis = redis_of(config.redis.url)
        self.audit = AuditWriter(self.database, self.clock, self.log)
        self.cipher = FieldCipher.open(self.keys, self.provider)
        objects = opened(config.documents.folder)
        self.documents = DocumentStore(objects, self.cipher)
        self._content = UploadContent(self.database, PartStore(objects, self.cipher))
        self.uploads = UploadedFiles(service, self.database, self._content, quota_of(config.uploads))
        self.pages = Pages(self.keys.ensure(_PAGES, Algorithm.HMAC_SM3).secret)
        self.wire = Wire(self.redis, event_cipher(load_master_key(config.redis.event_key_file), self.provider))
        self.uow = UnitOfWork(self.database, self.clock, self.cipher, self.wire, self.log)
        self.parking = Parking(self.database, service)
        self._sealed = SealedFields(self.cipher)
        self.operations = Operations(service, self._sealed, config.operations)
        self.health = Health()
        check = DatabaseCheck(self.database)
        keys = KeysCheck(self.keys, config.keys, config.tls, (_LOG, _PAGES, _SALTS))
        self.health.watch(
            {"database": check, "keys": at_most_every(keys)},
            {"redis": redis_check(self.redis)},
            {"disk": DiskCheck(folders_of(config), config.disk)},
        )
        self._closers: list[Task] = [check.close]
        self._consumers: list[Consumer] = []
        self._tasks: list[Task] = []
        self._streams: StreamsUnderWay | None = None
        self._servers: list[Task] = []
        self._channels: dict[str, grpc.aio.Channel] = {}

    def neighbour(self, name: str) -> grpc.aio.Channel:
        """Returns the channel to another service of the region."""
        if name not in self._channels:
            host_name = f"{name}.{self.config.region.id}.{self.config.tls.domain}"
            self._channels[name] = neighbour_channel(self.config.neighbours[name], self.config.tls, host_name)
        return self._channels[name]

    def verifier(self, keys: KeySource | None = None) -> TokenVerifier:
        """Returns the verifier of this region's access tokens, with the issuer's keys over HTTP unless given."""
        identity = self.config.identity
        source = keys or RemoteKeys(identity.jwks_url, *identity.further_jwks_urls)
        return TokenVerifier(
            source,
            issuer=identity.issuer,
            audience=f"//{self.config.region.id}",
            clock=self.wall,
            withdrawals=self.withdrawals,
        )

    @cached_property
    def withdrawals(self) -> Withdrawals:
        """What no longer stands behind tokens, as identity tells it; identity itself puts its own in this place."""
        return Withdrawals(asking(self.neighbour("identity")))

    @cached_property
    def proofs(self) -> ProofsOfPossession:
        """Checks that who brings a token has what it is bound to."""
        public = self.config.public
        bases = [each for each in (public.base_url, public.mtls_url, self.config.identity.issuer) if each]
        return ProofsOfPossession(UsedOnce(self.redis, self.config.region.id, "proofs"), self.wall, bases)

    @cached_property
    def quotas(self) -> ClientQuotas:
        """Counts what clients call of the region."""
        return ClientQuotas(self.redis, self.wall, self.config.region.id)

    def server(self, verifier: TokenVerifier, trusted: Check | None = None) -> ServerBuilder:
        """Returns a server builder that serves what every service does (audit log, parked events, uploads, operations).

        The service adds its own.

        Args:
            verifier: turns access tokens into callers.
            trusted: tells whether another region is trusted now; None asks the identity service.
        """
        may_write = self.health.require_writing
        stages = default_stages(
            self.config, verifier, trusted or self._is_trusted, may_write, self.tracing, self.quotas.take, self.proofs
        )
        builder = ServerBuilder(self.config, stages, self.health)
        self._streams = builder.streams
        audit = AuditApi(self.database, self.uow, self.operations, self.pages, self.config.region.id, self.service)
        parked = ParkedEventApi(self.service, self.parking, self.pages, self.uow, self.audit, self._consumers)
        uploads = UploadApi(self.service, self.database, self.uow, self._content, self.config.uploads)
        self.background(self.withdrawals.watch)
        kept = backlog_of(self.database, self.config.uploads)
        self.background(sweep_of(self.service, self.database, self._content, self.config.uploads, kept).run)
        self.operations.offer(AuditExport(self.service, self.database, self._content, self.config.uploads).kind)
        operations = OperationApi(self.service, self.database, self.uow, self._sealed, self.pages)
        self.background(self.operation_worker().run)
        builder.add(parked_event_service_pb2.DESCRIPTOR.services_by_name["ParkedEventService"], parked)
        builder.add(operation_service_pb2.DESCRIPTOR.services_by_name["OperationService"], operations)
        builder.add(upload_service_pb2.DESCRIPTOR.services_by_name["UploadService"], uploads)
        return builder.add(audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"], audit)

    def operation_worker(self) -> OperationWorker:
        """Makes what works on the operations of the service, for as long as it runs."""
        return OperationWorker(
            self.service, self.database, self.uow, self._sealed, self.operations, self.config.operations
        )

    @cached_property
    def _regions(self) -> Regions:
        return Regions(self.neighbour("identity"))

    async def _is_trusted(self, region: str) -> bool:
        try:
            found = await self._regions.trusted(region, resources_pb2.TRUST_DIRECTION_INBOUND)
        except Unavailable:
            # While identity is away, what it told last holds: the token's parties were looked up where it was verified, and
            # the token itself was given no more than what the trust let pass.
            if not self.withdrawals.ready:
                raise
            return self._regions.narrowed(region)
        return found.inbound.grade == resources_pb2.TRUST_GRADE_READING

    async def build(self, app: App, verifier: TokenVerifier) -> grpc.aio.Server:
        """Puts a service's features and workers to the parts of the process; returns its server, not started."""
        builder = self.server(verifier, app.trusted)
        builder.add(change_service_pb2.DESCRIPTOR.services_by_name["ChangeService"], self._changes(app.followed))
        served = app.served(self.service)
        builder.add(own_data_service_pb2.DESCRIPTOR.services_by_name["OwnDataService"], self._own_data(app, served))
        for descriptor, apis in served:
            builder.add(descriptor, *apis)
        if app.events:
            self.consume(app.sources, app.handlers())
        self._tasks += app.workers
        self._closers += app.closers
        return await builder.build()

    def _own_data(self, app: App, served: Iterable[tuple[ServiceDescriptor, Sequence[object]]]) -> OwnDataApi:
        known = {descriptor.full_name: apis for descriptor, apis in served}
        readers: dict[str, Handler] = {}
        for method in (f"tongban.{kind.method}" for kind in app.held):
            service, _, rpc = method.rpartition(".")
            readers[method] = handler_of(known[service], rpc)
        signer = FileSigner(self.keys.signer(_LOG), (self.config.keys.folder / "log.der").read_bytes())
        return OwnDataApi(self.log, self.database, self.pages, self.clock, signer, app.held, readers, app.known_by)

    def _changes(self, followed: Mapping[str, Followed]) -> ChangeApi:
        region, base_url = self.config.region.id, self.config.public.base_url
        source = ChangeSource(self.service, f"//{region}/{self.service}", base_url, events_of(self.service), followed)
        return ChangeApi(source, self.database, self.pages, self.wire, self.audit, self.wall)

    def background(self, task: Task) -> None:
        """Adds background work: it runs beside the server, and begins anew whatever it ends with."""
        self._tasks.append(task)

    def beside(self, server: Task) -> None:
        """Adds another server; without it the process would be half of itself, so that its end ends the process."""
        self._servers.append(server)

    def closing(self, close: Task) -> None:
        """Adds what has to be closed when the process ends."""
        self._closers.append(close)

    def consume(self, sources: Sequence[str], handlers: dict[str, EventHandler]) -> None:
        """Adds a consumer of other services' events."""
        streams = [stream_of(self.config.region.id, source) for source in sources]
        self._consumers.append(Consumer(self.service, self.wire, self.database, streams, handlers, self.tracing))
        self.background(self._consumers[-1].run)

    def _background_tasks(self) -> list[Task]:
        region = self.config.region.id
        relay = Relay(self.database, self.wire, region, self.service, self.uow.committed, self.config.public.base_url)
        certificate = (self.config.keys.folder / "log.der").read_bytes()
        integrator = Integrator(
            self.database, f"//{region}/{self.service}", self.keys.signer(_LOG), certificate, self.clock
        )
        witness = Witness(self.database, f"//{region}/{self.service}", self.config.keys.folder)
        forgetting = [Forgetting(self.database).run, ForgettingChanges(self.database).run]
        return [relay.run, integrator.run, witness.run, *forgetting, self.parking.watch, self.health.run]

    def beside_server(self) -> "list[asyncio.Task[None]]":
        """Starts what runs beside the server: further servers, and background work, which ends only with the process."""
        background: list[Task] = [partial(_in_background, task) for task in (*self._background_tasks(), *self._tasks)]
        return [asyncio.ensure_future(work()) for work in [*self._servers, *background]]

    async def run(self, server: grpc.aio.Server) -> None:
        """Serves until SIGTERM or SIGINT; then says so, waits until nobody sends any more, and lets running calls end."""
        metrics.serve(self.config.metrics.host, self.config.metrics.port)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        # What is loaded stays: the collector shall not walk its 150,000 objects (80 ms) again and again.
        gc.collect()
        gc.freeze()
        await self.health.look()
        await self.withdrawals.look()
        await server.start()
        tasks = self.beside_server()
        stopping = asyncio.ensure_future(stop.wait())
        _log.info("serving", port=self.config.grpc.port)
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        await self._stop(server, tasks)
        for task in done - {stopping}:
            task.result()

    async def _stop(self, server: grpc.aio.Server, tasks: Sequence["asyncio.Future[None]"]) -> None:
        await self.health.stop()
        await asyncio.sleep(_DRAIN_SECONDS)
        if self._streams is not None:
            self._streams.end()
        await server.stop(_GRACE_SECONDS)
        await end(tasks)
        await self.close()

    async def close(self) -> None:
        """Closes every connection."""
        for close in self._closers:
            await close()
        for channel in self._channels.values():
            await channel.close()
        await self.redis.aclose()
        await self.database.close()
        self.tracing.shutdown()


async def _in_background(task: Task) -> None:
    await forever(getattr(task, "__qualname__", "work"), task, _TRY_AGAIN_SECONDS)


async def end(tasks: Iterable["asyncio.Future[None]"]) -> None:
    """Cancels ``tasks`` until they have ended.

    Once is not enough: ``asyncio.wait_for`` before Python 3.12, which redis-py sends by, swallows a cancellation that
    comes just as it ends (measured: one in forty of a busy reader).
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_SECONDS)


def config_argument() -> Path:
    """Reads ``--config FILE`` from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    path: Path = parser.parse_args().config
    return path


def serve(
    service: str,
    config: type[ServiceConfig],
    app: Callable[[Process], Awaitable[App]],
    verifier: Callable[[Process], TokenVerifier] = Process.verifier,
) -> None:
    """Runs a service: ``python -m services.<service> --config FILE``. ``verifier`` tells who calls."""

    async def main() -> None:
        process = Process(service, load(config_argument(), config))
        who = verifier(process)
        await process.run(await process.build(await app(process), who))

    start(main)


def start(main: Callable[[], Awaitable[None]]) -> None:
    """Runs a service's ``main`` on uvloop. What it writes is for its own user alone."""
    os.umask(0o077)

    async def run() -> None:
        await main()

    uvloop.run(run())
