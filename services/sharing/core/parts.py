"""What the features stand on, made once when the service starts."""

from dataclasses import dataclass
from functools import partial

from libs.audit.log import Log
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.uow import UnitOfWork
from libs.process import Process
from services.sharing.config import Config
from services.sharing.core.calendar import CalendarCopy
from services.sharing.core.resources import ResourceStore
from services.sharing.integrations.data_sources import DataSources
from services.sharing.integrations.regions import SharingRegions


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of the process, the neighbours, and what of the tables several features read.

    Attributes:
        home: this region's id.
        clock: the business clock.
        log: makes the records of uses, which the ledger writes.
        sources: the departments' databases whose tables are mounted.
        calendar: the region's working days, as cases told of them.
    """

    home: str
    clock: Clock
    database: Database
    uow: UnitOfWork
    audit: AuditWriter
    log: Log
    pages: Pages
    cipher: FieldCipher
    sources: DataSources
    calendar: CalendarCopy
    regions: SharingRegions
    resources: ResourceStore


def parts_of(process: Process, config: Config) -> Parts:
    """Makes the parts of the process ``process``."""
    return Parts(
        home=config.region.id,
        clock=process.clock,
        database=process.database,
        uow=process.uow,
        audit=process.audit,
        log=process.log,
        pages=process.pages,
        cipher=process.cipher,
        sources=DataSources(config.data_sources),
        calendar=CalendarCopy(process.database),
        regions=SharingRegions(partial(process.neighbour, "identity")),
        resources=ResourceStore(process.database),
    )
