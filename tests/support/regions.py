"""Two regions that run, set up for tests as a person would through their gateways (with the demo's own clients)."""

import contextlib
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.local.demo import federation, shared_data
from deploy.local.demo.application import PURPOSE, SEED
from deploy.local.demo.catalogue import BUSINESS, CONVENIENCE_STORE, FOOD, FRANCHISE, ITEMS, DemoItem
from deploy.local.demo.gateway import Gateway
from deploy.local.demo.office import (
    Office,
    import_calendars,
    make_seal,
    open_office,
    publish_licence_type,
    publish_service_item,
)
from deploy.local.demo.people import firms_to_come
from deploy.local.launch import Cluster
from deploy.local.regions import LIUAN, REGIONS, SERVICES, TIANNING, KnownRegion, replay_file
from libs.clock.replay import set_replay

OPENING = datetime(2023, 12, 15, 1, 0, tzinfo=UTC)
"""What both business clocks show at first: a Friday before the demo's story begins."""
YIELDING, PLAIN = ITEMS[0], ITEMS[2]
"""An item that yields a licence, and one that does not; 天宁 handles both."""
REPLICAS = 2
"""How many of each service 天宁 has in the system tests."""
COUNTS = "SELECT count(*) FROM"


@dataclass
class Regions:
    """Both regions, as their offices were set up.

    Attributes:
        cluster: what runs them.
        state: the state folder.
        home: 六安's office.
        handling: 天宁's office.
        resource: the data resource that 六安 shares with 天宁.
    """

    cluster: Cluster
    state: Path
    home: Office
    handling: Office
    resource: str = ""

    def set_clock(self, moment: datetime) -> None:
        """Makes both regions' business clocks show ``moment``."""
        set_clocks(self.state, moment)

    def pid(self, region: str, process: str) -> int:
        """The process id of a process that lives now."""
        pid = self.cluster.snapshot.process(region, process).pid
        assert pid is not None, f"{region}/{process} does not live"
        return pid

    async def close(self) -> None:
        """Closes the clients."""
        for office in (self.home, self.handling):
            await office.gateway.close()


def set_clocks(state: Path, moment: datetime, regions: tuple[KnownRegion, ...] = REGIONS) -> None:
    """Makes the regions' business clocks show ``moment``."""
    for region in regions:
        set_replay(replay_file(state, region), moment)


def owner_dsn(state: Path, region: str, database: str) -> str:
    """The DSN of a service database's owner."""
    return (state / region / "secrets" / f"{database}_owner.dsn").read_text(encoding="utf-8").strip()


@contextlib.asynccontextmanager
async def owner(state: Path, region: str, database: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A connection to a service's database as its owner: what a test looks at from behind."""
    connection = await asyncpg.connect(owner_dsn(state, region, database))
    try:
        yield connection
    finally:
        await connection.close()


async def rows_by_table(state: Path, region: str) -> dict[str, int]:
    """How many rows each table of each service holds; those aside where looking or time leaves a row, refusals stand, or rows only pass."""
    counts: dict[str, int] = {}
    for service in SERVICES:
        async with owner(state, region, service) as connection:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for name in sorted(row["tablename"] for row in tables):
                if not name.startswith(
                    (
                        "audit_",
                        "crls",
                        "data_uses",
                        "given_assertions",
                        "guest_homes",
                        "idempotency",
                        "outbox",
                        "retries",
                    )
                ):
                    counts[f"{service}.{name}"] = await connection.fetchval(f'{COUNTS} "{name}"')
    return counts


async def events_told(state: Path, region: str) -> bool:
    """Whether every event of a region was handed on: it is numbered then, and stands in the log of changes."""
    for service in SERVICES:
        async with owner(state, region, service) as connection:
            if await connection.fetchval(f"{COUNTS} outbox"):
                return False
    return True


def gateway_of(region: KnownRegion, cluster: Cluster) -> Gateway:
    """A client of a region's gateway."""
    url = next(each.gateway for each in cluster.snapshot.regions if each.id == region.id)
    return Gateway(region.id, region.name, url, region.code)


def target_of(office: Office) -> str:
    """``host:port`` of an office's gateway."""
    return urlsplit(office.gateway.url).netloc


async def open_one(state: Path, region: KnownRegion, cluster: Cluster, items: tuple[DemoItem, ...]) -> Office:
    """Sets one region up: department, staff, calendars, seal, licence types and items."""
    office = await open_office(gateway_of(region, cluster), state / region.id / "credentials.json")
    await import_calendars(office)
    await make_seal(office)
    for kind in (BUSINESS, FRANCHISE, FOOD):
        await publish_licence_type(office, kind)
    for item in items:
        await publish_service_item(office, item)
    return office


async def open_both(
    state: Path, cluster: Cluster, second: KnownRegion = TIANNING, its_cluster: Cluster | None = None
) -> Regions:
    """Sets both regions up as the demo does, with a few items, and lets them trust each other."""
    home = await open_one(state, LIUAN, cluster, ())
    handling = await open_one(state, second, its_cluster or cluster, (YIELDING, PLAIN))
    await publish_service_item(handling, CONVENIENCE_STORE, receiving_region=LIUAN.code)
    await federation.trust_each_other(home, handling, state)
    await fill_department_table(state, LIUAN)
    resource = await shared_data.publish_data_resource(home)
    await shared_data.grant(home, handling, resource, PURPOSE)
    return Regions(cluster, state, home, handling, resource)


async def fill_department_table(state: Path, region: KnownRegion, count: int = 1) -> list[tuple[str, str]]:
    """Fills the department's own table with ``count`` firms (USCC, name) and returns them."""
    firms = firms_to_come(SEED, region.code[:2], count)
    dsn = owner_dsn(state, region.id, shared_data.DATA_SOURCE)
    await shared_data.fill_department_table(dsn, shared_data.DATA_SOURCE, firms)
    return firms


def redis_url(state: Path, region: str) -> str:
    """The URL of a region's Redis, as its services know it."""
    config = tomllib.loads((state / region / "config" / "cases.toml").read_text(encoding="utf-8"))
    return str(config["redis"]["url"])
