"""What the features stand on, made once when the service starts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from libs.audit.log import Log
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.crypto.provider import SmProvider
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.uow import UnitOfWork
from libs.events.wire import Wire
from libs.process import Process
from libs.uploads.taking import UploadedFiles
from libs.workers import ThreadPool
from services.seal.core.authority import SealAuthority
from services.seal.core.keys import OpenedKeys
from services.seal.core.makers import SealMaker
from services.seal.core.revocation import Revocation
from services.seal.integrations.identity import IdentityService


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of the process, the neighbours, and what several features need of keys and certificates.

    Attributes:
        home: this region's id.
        code_on: its code in GB/T 2260 on a day, empty where it has none.
        clock: the business clock.
        signing: the threads that use keys.
        keys: the opened signing keys.
        authority: the region's authority for seals.
        revocation: its revocation list.
        maker: the seal maker.
    """

    home: str
    code_on: Callable[[date], str]
    clock: Clock
    database: Database
    uow: UnitOfWork
    audit: AuditWriter
    log: Log
    wire: Wire
    pages: Pages
    provider: SmProvider
    uploads: UploadedFiles
    identity: IdentityService
    signing: ThreadPool
    keys: OpenedKeys
    authority: SealAuthority
    revocation: Revocation
    maker: SealMaker


def parts_of(process: Process, workers: int, opened: int) -> Parts:
    """Makes the parts of the process ``process``: so many threads that sign, so many keys kept open."""
    database, clock = process.database, process.clock
    signing, keys = ThreadPool(workers, "signing"), OpenedKeys(process.keys, opened)
    authority = SealAuthority.open(process.config.keys.folder, keys, process.config.public.base_url)
    return Parts(
        home=process.config.region.id,
        code_on=process.config.region.code_on,
        clock=clock,
        database=database,
        uow=process.uow,
        audit=process.audit,
        log=process.log,
        wire=process.wire,
        pages=process.pages,
        provider=process.provider,
        uploads=process.uploads,
        identity=IdentityService(partial(process.neighbour, "identity")),
        signing=signing,
        keys=keys,
        authority=authority,
        revocation=Revocation(database, authority, signing, clock, process.wall),
        maker=SealMaker(database, process.uow, authority, keys, signing, clock),
    )
