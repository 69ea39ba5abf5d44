"""Runs the seal service: ``python -m services.seal --config seal.toml``."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc

from libs.config import Section, ServiceConfig, load
from libs.crypto.x509 import Certificate
from libs.db.leader import Presence
from libs.process import Process, config_argument, start
from libs.security.tokens import TokenVerifier
from libs.sweeps.sweep import Sweep
from libs.workers import Pool
from services.seal.authority import Authority
from services.seal.keys import SigningKeys
from services.seal.owners import Owners
from services.seal.servicers.certificates import CertificateServicer
from services.seal.servicers.sealings import SealingServicer
from services.seal.servicers.seals import SealServicer
from services.seal.servicers.validations import ValidationServicer
from services.seal.store.certificates import CertificateStore
from services.seal.store.sealings import SealingStore
from services.seal.store.seals import SealStore
from services.seal.usecases.certificates import Certificates
from services.seal.usecases.endings import Endings
from services.seal.usecases.opened_seals import OpenedSeals
from services.seal.usecases.revocation import Revocation
from services.seal.usecases.sealings import Sealings
from services.seal.usecases.seals import Seals
from services.seal.usecases.sweeper import abandoned
from services.seal.usecases.uses import Uses
from services.seal.usecases.validations import Validations
from tongban.seal.v1 import (
    certificate_service_pb2,
    seal_service_pb2,
    sealing_service_pb2,
    validation_service_pb2,
)


class Sealing(Section):
    """How seals are used.

    Attributes:
        workers: threads that sign; 0 means one a core. As many validate.
        opened_seals: how many seals and keys are kept open in memory.
        time_stamp_roots: certificates (DER or PEM) of the roots whose time-stamp authorities are believed.
        patience_seconds: after so long a use that has no result counts as abandoned; longer than any call takes.
    """

    workers: int = 0
    opened_seals: int = 1000
    patience_seconds: float = 60.0
    time_stamp_roots: tuple[Path, ...] = ()


class Config(ServiceConfig):
    """The seal service's configuration."""

    sealing: Sealing = Sealing()


@dataclass(frozen=True)
class _Parts:
    """What several use cases share."""

    signing: Pool
    validating: Pool
    keys: SigningKeys
    authority: Authority
    revocation: Revocation
    endings: Endings
    certificates: Certificates


def _parts(process: Process, config: Sealing) -> _Parts:
    signing, validating = Pool(config.workers, "signing"), Pool(config.workers, "validating", returning=True)
    process.closing(signing.close)
    process.closing(validating.close)
    keys = SigningKeys(process.keys, config.opened_seals)
    authority = Authority.open(process.config.keys.folder, keys, process.config.public.base_url)
    store = CertificateStore(process.database)
    revocation = Revocation(process.database, store, authority, signing, process.clock, process.wall)
    endings = Endings(SealStore(process.database), store)
    certificates = Certificates(
        process.uow, store, endings, authority, keys, revocation, process.provider, signing, process.clock
    )
    return _Parts(signing, validating, keys, authority, revocation, endings, certificates)


def _seals(process: Process, parts: _Parts) -> Seals:
    return Seals(
        process.uow,
        SealStore(process.database),
        CertificateStore(process.database),
        parts.endings,
        parts.certificates,
        parts.authority,
        parts.keys,
        parts.revocation,
        parts.signing,
        process.clock,
        process.config.region.code,
        Owners(lambda: process.neighbour("identity")),
    )


def _root(content: bytes) -> Certificate:
    return Certificate.from_pem(content) if content.startswith(b"-----") else Certificate.parse(content)


def _left_behind(process: Process, store: SealingStore) -> Callable[[], Awaitable[int]]:
    """Ends the batches that were open before this process began: for when nobody else is there who could be at them."""
    began = time.monotonic()

    async def end() -> int:
        age = timedelta(seconds=time.monotonic() - began)
        return await Sweep(process.database, "sealings:left", [abandoned(store, process.uow, age)], 1.0).sweep()

    return end


def _sealings(process: Process, parts: _Parts, config: Sealing) -> Sealings:
    seals, store = SealStore(process.database), SealingStore(process.database)
    patience = timedelta(seconds=config.patience_seconds)
    backlog = abandoned(store, process.uow, patience)
    process.background(Sweep(process.database, "sealings", [backlog], config.patience_seconds / 2).run)
    process.background(Presence(process.database, "seal", _left_behind(process, store)).run)
    uses = Uses(process.uow, seals, store, process.audit, process.clock, process.config.region.code, patience)
    return Sealings(
        uses,
        OpenedSeals(seals, config.opened_seals),
        store,
        parts.keys,
        parts.signing,
        process.clock,
    )


async def build(process: Process, verifier: TokenVerifier) -> grpc.aio.Server:
    """Wires the service, makes what its first start needs, and returns its server, not started."""
    assert isinstance(process.config, Config)
    config = process.config.sealing
    parts = _parts(process, config)
    await parts.certificates.start()
    validations = Validations(
        SealStore(process.database),
        parts.authority,
        parts.revocation,
        process.provider,
        parts.validating,
        process.clock,
        tuple(_root(path.read_bytes()) for path in config.time_stamp_roots),
    )
    builder = process.server(verifier)
    for module, name, servicer in (
        (seal_service_pb2, "SealService", SealServicer(_seals(process, parts))),
        (sealing_service_pb2, "SealingService", SealingServicer(_sealings(process, parts, config))),
        (certificate_service_pb2, "CertificateService", CertificateServicer(parts.certificates)),
        (validation_service_pb2, "ValidationService", ValidationServicer(validations)),
    ):
        builder.add(module.DESCRIPTOR.services_by_name[name], servicer)
    return await builder.build()


async def main() -> None:
    """Starts and serves until told to stop."""
    process = Process("seal", load(config_argument(), Config))
    await process.run(await build(process, process.verifier()))


if __name__ == "__main__":
    start(main)
