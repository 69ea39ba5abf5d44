"""What the features stand on, made once when the service starts."""

from dataclasses import dataclass
from functools import partial

from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db.engine import Database
from libs.db.evidence import Evidence
from libs.db.paging import Pages
from libs.db.uow import UnitOfWork
from libs.process import Process
from libs.rpc.editions import PayloadReader, own_edition, released_edition
from services.cases.core.agents import NamedAgents
from services.cases.core.calendars import CalendarStore
from services.cases.core.cases import CaseStore
from services.cases.core.deadlines import Deadlines
from services.cases.core.items import ItemStore
from services.cases.core.ledger import LedgerStore
from services.cases.core.license_checks import LicenseChecks
from services.cases.core.material_checks import MaterialChecks
from services.cases.core.outbound import OutboundQueue
from services.cases.core.payloads import PAYLOADS, MessageReader
from services.cases.core.progress import ProgressReports
from services.cases.core.reads import CaseReads
from services.cases.core.steps import StepWriter
from services.cases.core.transfers import TransferStore
from services.cases.core.workflow import Workflow
from services.cases.integrations.identity import IdentityService
from services.cases.integrations.licenses import LicenseService
from services.cases.integrations.regions import OtherRegions


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of the process, the neighbours, and what of the tables several features read.

    Attributes:
        home: this region's id.
        clock: the business clock.
        wall: the machine's clock, by which sign-ins grow old.
        regions: the other regions.
        workflow: changes cases.
        deadlines: stops clocks and sets them going.
        license_checks: asks whether the licence of a case could be issued.
        material_checks: asks whether the materials of a case are what they say.
        agents: whether who is named as an agent may still act.
        reads: who may read a case, and the record of it.
        queue: messages to other regions.
        reader: opens messages of other regions.
    """

    home: str
    clock: Clock
    wall: Clock
    database: Database
    uow: UnitOfWork
    audit: AuditWriter
    pages: Pages
    cipher: FieldCipher
    identity: IdentityService
    licenses: LicenseService
    regions: OtherRegions
    cases: CaseStore
    steps: StepWriter
    ledger: LedgerStore
    items: ItemStore
    calendars: CalendarStore
    transfers: TransferStore
    queue: OutboundQueue
    reader: MessageReader
    workflow: Workflow
    deadlines: Deadlines
    license_checks: LicenseChecks
    material_checks: MaterialChecks
    agents: NamedAgents
    reads: CaseReads


def parts_of(process: Process) -> Parts:
    """Makes the parts of the process ``process``."""
    home, database, cipher, clock = process.config.region.id, process.database, process.cipher, process.clock
    cases, steps, ledger = CaseStore(database, cipher), StepWriter(cipher), LedgerStore(database, cipher)
    items, calendars = ItemStore(database), CalendarStore(database)
    reader = MessageReader(PayloadReader(own_edition(), PAYLOADS, released_edition))
    queue = OutboundQueue(database, cipher, reader)
    reports = ProgressReports(queue, home)
    workflow = Workflow(clock, cases, steps, items, calendars, reports)
    licenses = LicenseService(partial(process.neighbour, "license"))
    identity, transfers = IdentityService(partial(process.neighbour, "identity")), TransferStore(database, cipher)
    agents = NamedAgents(home, identity, items, transfers)
    return Parts(
        home=home,
        clock=clock,
        wall=process.wall,
        database=database,
        uow=process.uow,
        audit=process.audit,
        pages=process.pages,
        cipher=cipher,
        identity=identity,
        licenses=licenses,
        regions=OtherRegions(partial(process.neighbour, "identity")),
        cases=cases,
        steps=steps,
        ledger=ledger,
        items=items,
        calendars=calendars,
        transfers=transfers,
        queue=queue,
        reader=reader,
        workflow=workflow,
        deadlines=Deadlines(ledger),
        license_checks=LicenseChecks(licenses),
        material_checks=MaterialChecks(licenses, process.uow, cases, steps, clock, home),
        agents=agents,
        reads=CaseReads(
            agents,
            process.audit,
            database,
            lambda command: Evidence(process.audit.log, process.wire, command, clock.now()),
        ),
    )
