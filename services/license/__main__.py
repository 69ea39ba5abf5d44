"""Runs the license service: ``python -m services.license --config license.toml``."""

from dataclasses import dataclass
from typing import Any

import grpc

from libs.config import load
from libs.process import Process, config_argument, start
from libs.security.tokens import TokenVerifier
from libs.sweeps.sweep import Sweep
from libs.workers import Pool
from services.license.clients.identity import IdentityClient
from services.license.clients.seal import SealClient
from services.license.config import Config
from services.license.config import Issuing as IssuingConfig
from services.license.consumers import DecidedCases, HandledCases
from services.license.pages import Renderer
from services.license.servicers.licenses import LicenseServicer
from services.license.servicers.materials import MaterialServicer
from services.license.servicers.presentations import PresentationServicer
from services.license.servicers.recognition import RecognitionServicer
from services.license.servicers.types import LicenseTypeServicer
from services.license.servicers.uses import UseServicer
from services.license.servicers.verification import VerificationServicer
from services.license.store.cases import CaseStore
from services.license.store.licenses import LicenseStore
from services.license.store.materials import MaterialStore
from services.license.store.presentations import PresentationStore
from services.license.store.types import TypeStore
from services.license.store.uses import UseStore
from services.license.usecases.abroad import Abroad
from services.license.usecases.access import Access
from services.license.usecases.case_door import CaseDoor
from services.license.usecases.checks import Checks
from services.license.usecases.downloads import Downloads
from services.license.usecases.drafting import Drafting
from services.license.usecases.issue import Issuing
from services.license.usecases.licenses import Licenses
from services.license.usecases.materials import Materials
from services.license.usecases.presentations import Presentations
from services.license.usecases.recording import Recording
from services.license.usecases.sweeper import Drafts
from services.license.usecases.telling import Telling
from services.license.usecases.types import LicenseTypes
from services.license.usecases.uses import Uses
from services.license.usecases.verification import Verification
from tongban.license.v1 import (
    license_service_pb2,
    license_type_service_pb2,
    material_service_pb2,
    presentation_service_pb2,
    recognition_service_pb2,
    use_service_pb2,
    verification_service_pb2,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """The use cases, wired."""

    types: LicenseTypes
    licenses: Licenses
    issuing: Issuing
    checks: Checks
    downloads: Downloads
    verification: Verification
    presentations: Presentations
    uses: Uses
    materials: Materials
    consumer: DecidedCases
    cases: HandledCases
    sweep: Sweep


def _settings(process: Process) -> IssuingConfig:
    config = process.config
    return config.issuing if isinstance(config, Config) else IssuingConfig()


def wire(process: Process) -> Parts:
    """Builds the use cases on the parts of the process."""
    home, clock, cipher = process.config.region.code, process.clock, process.cipher
    settings = _settings(process)
    licenses, types = LicenseStore(process.database), TypeStore(process.database)
    presentations, uses = PresentationStore(process.database), UseStore(process.database)
    identity = IdentityClient(lambda: process.neighbour("identity"))
    seals = SealClient(lambda: process.neighbour("seal"))
    renderer = Renderer(settings.render_threads)
    readers = Pool(1, "reading", returning=True)
    process.closing(readers.close)
    process.closing(renderer.close)
    cases = CaseStore(process.database)
    door = CaseDoor(cases)
    abroad = Abroad(lambda: process.neighbour("identity"), process.audit, door, home)
    access = Access(presentations, cases, home, clock)
    recording = Recording(uses, process.wire, clock, process.uow.committed, process.log)
    drafting = Drafting(identity, seals, renderer, cipher, home, process.config.public.base_url)
    issuing = Issuing(
        clock,
        process.uow,
        licenses,
        types,
        drafting,
        seals,
        renderer,
        process.documents,
        cipher,
        identity,
        home,
        settings.at_once,
    )
    drafts = Drafts(licenses, issuing, process.wall, settings.patience_seconds)
    decided = DecidedCases(issuing, Telling(process.uow, licenses), identity, home)
    return Parts(
        types=LicenseTypes(process.uow, types),
        licenses=Licenses(process.uow, licenses, access, recording, abroad, process.audit, cipher, home),
        issuing=issuing,
        checks=Checks(clock, types, drafting),
        downloads=Downloads(
            licenses,
            types,
            access,
            recording,
            abroad,
            identity,
            seals,
            renderer,
            process.documents,
            cipher,
            clock,
            home,
        ),
        verification=Verification(licenses, abroad, seals, cipher, clock, home, readers),
        presentations=Presentations(
            process.uow, presentations, licenses, identity, recording, abroad, door, cipher, clock, home
        ),
        uses=Uses(uses, process.audit),
        materials=Materials(
            process.uow,
            MaterialStore(process.database),
            process.documents,
            process.audit,
            abroad,
            cases,
            cipher,
            clock,
            home,
        ),
        consumer=decided,
        cases=HandledCases(cases, decided.handle, home),
        sweep=Sweep(
            process.database, "license:sweeper", [drafts.backlog(settings.sweep_seconds)], settings.sweep_seconds
        ),
    )


def _servicers(parts: Parts) -> list[tuple[Any, str, object]]:
    return [
        (license_type_service_pb2, "LicenseTypeService", LicenseTypeServicer(parts.types)),
        (
            license_service_pb2,
            "LicenseService",
            LicenseServicer(parts.licenses, parts.issuing, parts.checks, parts.downloads),
        ),
        (verification_service_pb2, "VerificationService", VerificationServicer(parts.verification)),
        (presentation_service_pb2, "PresentationService", PresentationServicer(parts.presentations)),
        (use_service_pb2, "UseService", UseServicer(parts.uses)),
        (material_service_pb2, "MaterialService", MaterialServicer(parts.materials)),
        (
            recognition_service_pb2,
            "RecognitionService",
            RecognitionServicer(
                parts.licenses, parts.downloads, parts.verification, parts.presentations, parts.materials
            ),
        ),
    ]


async def build(process: Process, verifier: TokenVerifier) -> grpc.aio.Server:
    """Wires the service and returns its server, not started."""
    parts = wire(process)
    builder = process.server(verifier)
    for module, name, servicer in _servicers(parts):
        builder.add(module.DESCRIPTOR.services_by_name[name], servicer)
    process.consume(["cases"], parts.cases.handlers())
    process.background(parts.sweep.run)
    return await builder.build()


async def main() -> None:
    """Starts and serves until told to stop."""
    process = Process("license", load(config_argument(), Config))
    await process.run(await build(process, process.verifier()))


if __name__ == "__main__":
    start(main)
