"""What the features stand on, made once when the service starts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.uow import UnitOfWork
from libs.documents.store import DocumentStore
from libs.process import Process
from libs.uploads.taking import UploadedFiles
from services.license.core.authorization import UseAuthorization
from services.license.core.handled_cases import HandledCases
from services.license.core.license_types import TypeStore
from services.license.core.licenses import LicenseStore
from services.license.core.presentations import PresentationStore
from services.license.core.recording import UseRecorder
from services.license.integrations.identity import IdentityService
from services.license.integrations.regions import OtherRegions
from services.license.integrations.seal import SealService


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of the process, the neighbours, and what of the tables several features read.

    Attributes:
        home: this region's id.
        code_on: its code in GB/T 2260 on a day, empty where it has none.
        base_url: the gateway's address as the public sees it.
        clock: the business clock.
        wall: the machine's clock.
        door: who may use what.
        recorder: writes uses of licences.
    """

    home: str
    code_on: Callable[[date], str]
    base_url: str
    clock: Clock
    wall: Clock
    database: Database
    uow: UnitOfWork
    audit: AuditWriter
    pages: Pages
    cipher: FieldCipher
    documents: DocumentStore
    uploads: UploadedFiles
    identity: IdentityService
    seals: SealService
    regions: OtherRegions
    licenses: LicenseStore
    types: TypeStore
    presentations: PresentationStore
    cases: HandledCases
    authorization: UseAuthorization
    recorder: UseRecorder


def parts_of(process: Process) -> Parts:
    """Makes the parts of the process ``process``."""
    home, database, clock = process.config.region.id, process.database, process.clock
    presentations, cases = PresentationStore(database), HandledCases(database, home)
    identity = IdentityService(partial(process.neighbour, "identity"))
    committed: asyncio.Event = process.uow.committed
    return Parts(
        home=home,
        code_on=process.config.region.code_on,
        base_url=process.config.public.base_url,
        clock=clock,
        wall=process.wall,
        database=database,
        uow=process.uow,
        audit=process.audit,
        pages=process.pages,
        cipher=process.cipher,
        documents=process.documents,
        uploads=process.uploads,
        identity=identity,
        seals=SealService(partial(process.neighbour, "seal")),
        regions=OtherRegions(partial(process.neighbour, "identity")),
        licenses=LicenseStore(database),
        types=TypeStore(database),
        presentations=presentations,
        cases=cases,
        authorization=UseAuthorization(presentations, cases, identity, clock, home),
        recorder=UseRecorder(database, process.wire, process.log, clock, committed, cases),
    )
