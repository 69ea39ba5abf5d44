"""Runs the sharing service: ``python -m services.sharing --config sharing.toml``."""

import grpc

from libs.audit.questions import unanswered
from libs.civil.calendar import local_day
from libs.config import load
from libs.db.engine import read_dsn
from libs.process import Process, config_argument, start
from libs.rpc.regions import Regions
from libs.rpc.server import ServerBuilder
from libs.security.tokens import TokenVerifier
from libs.sweeps.sweep import Sweep
from services.sharing.calendar import RegionCalendar
from services.sharing.config import Config
from services.sharing.ledger import Ledger
from services.sharing.servicers.catalog import CatalogServicer
from services.sharing.servicers.data import DataServicer, RegionDataServicer
from services.sharing.servicers.grants import GrantServicer
from services.sharing.servicers.mounts import MountServicer
from services.sharing.sources import DataSources
from services.sharing.standing import Standings
from services.sharing.store.catalog import CatalogStore
from services.sharing.store.grants import GrantStore
from services.sharing.usecases.catalog import Catalog
from services.sharing.usecases.data import Data
from services.sharing.usecases.forward import QUESTION, UNANSWERED, Forwarder
from services.sharing.usecases.grants import Grants
from services.sharing.usecases.mount_watch import MountWatch
from services.sharing.usecases.mounts import Mounts
from services.sharing.usecases.requests import Requests
from services.sharing.usecases.uses import Uses
from tongban.sharing.v1 import catalog_service_pb2, data_service_pb2, grant_service_pb2, mount_service_pb2

__all__ = ["Config", "build", "main"]

_SWEEP_SECONDS = 30.0


def _data(process: Process, sources: DataSources) -> Data:
    home, clock = process.config.region.code, process.clock
    ledger = Ledger(read_dsn(process.config.database.dsn_file), lambda: local_day(clock.now()))
    process.closing(ledger.close)
    watch = MountWatch(process.uow, CatalogStore(process.database), sources)
    uses = Uses(Standings(process.database), sources, watch, ledger, clock, process.log)
    regions = Regions(process.neighbour("identity"))
    process.closing(regions.close)
    backlog = unanswered(process.database, process.log, clock, QUESTION, UNANSWERED)
    process.background(Sweep(process.database, "sharing:sweeper", [backlog], _SWEEP_SECONDS).run)
    return Data(uses, Forwarder(regions, process.audit, home), process.audit, home)


def _add_requests(builder: ServerBuilder, process: Process, sources: DataSources) -> None:
    home, uow = process.config.region.code, process.uow
    catalog, grants = CatalogStore(process.database), GrantStore(process.database)
    add, services = (
        builder.add,
        {
            **catalog_service_pb2.DESCRIPTOR.services_by_name,
            **mount_service_pb2.DESCRIPTOR.services_by_name,
            **grant_service_pb2.DESCRIPTOR.services_by_name,
        },
    )
    beside = "cases" in process.config.neighbours
    days = RegionCalendar(process.neighbour("cases") if beside else None)
    requests = Requests(uow, catalog, grants, process.audit, process.cipher, days, home)
    add(services["CatalogService"], CatalogServicer(Catalog(uow, catalog, home)))
    add(services["MountService"], MountServicer(Mounts(uow, catalog, grants, sources, home)))
    add(services["GrantService"], GrantServicer(requests, Grants(grants, process.clock, home)))


async def build(process: Process, verifier: TokenVerifier) -> grpc.aio.Server:
    """Wires the service and returns its server, not started."""
    config = process.config
    assert isinstance(config, Config)
    sources = DataSources(config.data_sources)
    process.closing(sources.close)
    builder = process.server(verifier)
    _add_requests(builder, process, sources)
    data, services = _data(process, sources), data_service_pb2.DESCRIPTOR.services_by_name
    builder.add(services["DataService"], DataServicer(data))
    builder.add(services["RegionDataService"], RegionDataServicer(data))
    return await builder.build()


async def main() -> None:
    """Starts and serves until told to stop."""
    process = Process("sharing", load(config_argument(), Config))
    await process.run(await build(process, process.verifier()))


if __name__ == "__main__":
    start(main)
