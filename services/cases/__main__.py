"""Runs case handling: ``python -m services.cases --config cases.toml``."""

import grpc

from libs.civil import notices
from libs.config import ServiceConfig, load
from libs.db.command import Command
from libs.db.uow import derived_request_id
from libs.process import Process, config_argument, start
from libs.rpc.regions import Regions
from libs.security.tokens import TokenVerifier
from libs.sweeps.sweep import Sweep
from services.cases.clients import Identity, Licenses
from services.cases.consumers import LicenseEvents
from services.cases.deliverer import Deliverer
from services.cases.recount import Recounter
from services.cases.servicers.calendars import CalendarServicer
from services.cases.servicers.cases import CaseServicer
from services.cases.servicers.deliveries import DeliveryServicer
from services.cases.servicers.exchange import ExchangeServicer
from services.cases.servicers.items import ItemServicer
from services.cases.servicers.ratings import RatingServicer
from services.cases.servicers.statistics import StatisticsServicer
from services.cases.servicers.tasks import TaskServicer
from services.cases.store.calendars import CalendarStore
from services.cases.store.cases import CaseStore
from services.cases.store.items import ItemStore
from services.cases.store.statistics import StatisticsStore
from services.cases.store.tasks import TaskStore
from services.cases.store.transfers import TransferStore
from services.cases.sweeper import PAUSE_SECONDS, compared, overdue, unanswered, unlicensed
from services.cases.usecases.acceptance import SELF, Acceptance
from services.cases.usecases.access import Reading
from services.cases.usecases.answers import Answers
from services.cases.usecases.asking import Asking
from services.cases.usecases.catalogue import Calendars, Items
from services.cases.usecases.deadlines import Deadlines
from services.cases.usecases.desk import Desk
from services.cases.usecases.drafts import Drafts
from services.cases.usecases.handling import Handling
from services.cases.usecases.incoming import Incoming
from services.cases.usecases.license_checks import LicenseChecks
from services.cases.usecases.license_failures import LicenseFailures
from services.cases.usecases.material_checks import MaterialChecks
from services.cases.usecases.news import News
from services.cases.usecases.outgoing import Outgoing
from services.cases.usecases.publishing import Publishing
from services.cases.usecases.queues import Tasks
from services.cases.usecases.reading import Cases
from services.cases.usecases.results import Deliveries, Ratings
from services.cases.usecases.statistics import Statistics
from services.cases.usecases.withdrawal import Withdrawal
from tongban.cases.v1 import (
    calendar_service_pb2,
    case_service_pb2,
    delivery_service_pb2,
    exchange_service_pb2,
    item_service_pb2,
    rating_service_pb2,
    statistics_service_pb2,
    task_service_pb2,
)


class Config(ServiceConfig):
    """The configuration of case handling: nothing beside what every service has."""


class _Parts:
    """The parts of the service, wired in one straight line."""

    def __init__(self, process: Process) -> None:
        region, database = process.config.region.code, process.database
        self.regions = Regions(process.neighbour("identity"))
        identity = Identity(process.neighbour("identity"), region)
        self.transfers = TransferStore(database, process.cipher)
        self.news = News(self.transfers, region)
        self.items, self.calendars = ItemStore(database), CalendarStore(database)
        self.tasks, self.cases = TaskStore(database), CaseStore(database, process.cipher)
        self.desk = Desk(
            process.uow, self.cases, self.items, self.calendars, identity, self.news, process.clock, region
        )
        clock = Deadlines(self.cases)
        licenses = Licenses(process.neighbour("license"))
        checks, printable = MaterialChecks(licenses, self.cases, process.clock, region), LicenseChecks(licenses)
        self.publishing = Publishing(licenses)
        self.drafts = Drafts(self.desk, clock, printable)
        self.acceptance = Acceptance(self.desk, clock, checks, printable)
        self.handling = Handling(self.desk, clock, checks, printable)
        self.failures = LicenseFailures(self.desk, printable)
        self.reading = Reading(process.audit)
        self.ratings = Ratings(self.desk, self.tasks, self.reading, process.cipher)
        self.outgoing = Outgoing(self.desk, self.transfers, self.ratings, self.regions, self.reading)
        self.incoming = Incoming(self.desk, self.transfers, self.drafts, self.ratings)
        self.deliverer = Deliverer(
            database, process.uow, process.audit, self.transfers, self.news, identity, self.regions, region
        )
        self.recounter = Recounter(database, self.desk, self.calendars, process.clock)
        asking, self.comparison = Asking(self.desk), compared(database, licenses)
        self.sweep = Sweep(
            database,
            "cases:sweeper",
            [
                overdue(self.acceptance, process.clock),
                unlicensed(asking),
                self.comparison.backlog(asking.ask_for_lost),
                *unanswered(process.uow, self.transfers, self.news),
            ],
            PAUSE_SECONDS,
        )


async def build(process: Process, verifier: TokenVerifier) -> grpc.aio.Server:
    """Wires the service and returns its server, not started."""
    parts = _Parts(process)
    calendars = Calendars(process.uow, parts.calendars)
    await calendars.set_up(_set_up())
    cases = Cases(parts.desk, parts.reading, process.clock)
    answers = Answers(parts.desk, parts.transfers, parts.incoming)
    servicers: list[tuple[object, object]] = [
        (item_service_pb2, ItemServicer(Items(process.uow, parts.items, parts.publishing))),
        (case_service_pb2, CaseServicer(parts.drafts, parts.acceptance, parts.handling, parts.failures, cases)),
        (task_service_pb2, TaskServicer(Tasks(parts.desk, parts.tasks, process.clock))),
        (
            exchange_service_pb2,
            ExchangeServicer(
                parts.outgoing, Withdrawal(parts.desk, parts.transfers, parts.outgoing), parts.incoming, answers
            ),
        ),
        (delivery_service_pb2, DeliveryServicer(Deliveries(parts.desk, parts.tasks, parts.reading, process.cipher))),
        (rating_service_pb2, RatingServicer(parts.ratings, parts.outgoing, process.config.region.code)),
        (
            statistics_service_pb2,
            StatisticsServicer(Statistics(StatisticsStore(process.database), parts.items, process.clock)),
        ),
        (calendar_service_pb2, CalendarServicer(calendars)),
    ]
    builder = process.server(verifier)
    for module, servicer in servicers:
        for descriptor in module.DESCRIPTOR.services_by_name.values():  # type: ignore[attr-defined]
            builder.add(descriptor, servicer)
    process.consume(["license"], LicenseEvents(parts.desk, parts.handling, parts.failures).handlers())
    process.background(parts.deliverer.run)
    process.background(parts.recounter.run)
    process.background(parts.sweep.run)
    process.background(parts.comparison.run)
    process.closing(parts.regions.close)
    return await builder.build()


def _set_up() -> Command:
    """The first start of a region's calendar; the years are part of its key, so that new ones are added once."""
    years = ",".join(map(str, notices.YEARS))
    return Command(
        caller=SELF,
        method="cases:setUp",
        request_id=derived_request_id("calendar", years),
        digest=years.encode(),
        response_type=calendar_service_pb2.Calendar,
        actor=SELF,
    )


async def main() -> None:
    """Starts and serves until told to stop."""
    process = Process("cases", load(config_argument(), Config))
    await process.run(await build(process, process.verifier()))


if __name__ == "__main__":
    start(main)
