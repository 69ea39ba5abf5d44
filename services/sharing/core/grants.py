"""Grants in PostgreSQL: the tables, their records, and how a grant is made and supplied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from libs.civil.calendar import local_day
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.db.uow import Transaction
from services.sharing.core import schema
from services.sharing.core.catalogue import CatalogueEntry
from services.sharing.core.granting import GrantFacts, GrantState, Usage, same_day
from services.sharing.core.messages import terms_of
from tongban.sharing.v1 import events_pb2 as events
from tongban.sharing.v1 import resources_pb2 as pb

grants = sa.Table(
    "grants",
    schema.METADATA,
    columns.record_id(),
    schema.resource_id(),
    sa.Column("request_id", sa.Uuid(as_uuid=False), sa.ForeignKey("requests.id"), nullable=False, unique=True),
    *schema.sides(),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("terms", sa.LargeBinary, nullable=False),
    *columns.life(),
    sa.Index("grants_resource", "resource_id", "consumer_region"),
    *schema.listed("grants"),
    comment="Grants; terms holds tongban.sharing.v1.GrantTerms.",
)

grant_usage = sa.Table(
    "grant_usage",
    schema.METADATA,
    sa.Column("grant_id", sa.Uuid(as_uuid=False), sa.ForeignKey("grants.id"), primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("queries_today", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rows_total", sa.BigInteger, nullable=False, server_default="0"),
    comment="What was used of each grant: on the day of the last use (UTC+8), and since it began.",
)


@of(grants)
@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as it is stored; what it is worth at a moment the rules say of its ``facts``."""

    id: str
    resource_id: str
    request_id: str
    provider_department: str
    consumer_region: str
    departments: tuple[str, ...]
    state: GrantState
    legal_basis: str
    terms: bytes
    create_time: datetime
    update_time: datetime
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"dataGrants/{self.id}"

    @property
    def resource(self) -> str:
        """The name of the resource that it is on."""
        return f"dataResources/{self.resource_id}"

    def facts(self, entry: CatalogueEntry) -> GrantFacts:
        """Returns what the rules need to know of it; ``entry`` is that of its resource."""
        known = terms_of(pb.GrantTerms.FromString(self.terms), entry.field_map())
        return GrantFacts(self.name, self.state, known)


@of(grant_usage)
@dataclass(frozen=True, slots=True)
class GrantUsage:
    """What was used of a grant."""

    grant_id: str
    day: date
    queries_today: int = 0
    rows_total: int = 0

    def on(self, today: date) -> Usage:
        """Returns what was used so far: of today's queries none, if the last use was on another day."""
        return Usage(self.queries_today if same_day(self.day, today) else 0, self.rows_total)


_ADD, _ADD_USAGE, _UPDATE = Addition(Grant), Addition(GrantUsage), Update(Grant)
_USAGE = Query(GrantUsage, "SELECT {columns} FROM grant_usage WHERE grant_id = ANY(CAST(:grants AS uuid[]))")
_WAITING = Query(
    Grant,
    "SELECT {columns} FROM grants WHERE resource_id = CAST(:resource AS uuid) AND state = 'GRANTED' "
    "ORDER BY id FOR UPDATE",
)


async def usage_of(connection: DatabaseConnection, found: Sequence[Grant]) -> dict[str, GrantUsage]:
    """Reads what was used of some grants, by their ids."""
    if not found:
        return {}
    rows = await _USAGE.all(connection, grants=[each.id for each in found])
    return {each.grant_id: each for each in rows}


async def add_grant(tx: Transaction, made: Grant) -> Grant:
    """Stores a grant with nothing used of it; tells of its supply where it is supplied already."""
    grant = await _ADD.add(tx.connection, made)
    await _ADD_USAGE.add(tx.connection, GrantUsage(grant.id, local_day(tx.now)))
    if grant.state is GrantState.PROVISIONED:
        _tell_provisioned(tx, grant)
    return grant


async def supply_waiting(tx: Transaction, resource_key: str) -> None:
    """Supplies the grants of a resource that wait for its data."""
    for waiting in await _WAITING.all(tx.connection, resource=resource_key):
        changes = {"state": GrantState.PROVISIONED, "update_time": tx.now}
        _tell_provisioned(tx, await _UPDATE.one(tx.connection, waiting.id, **changes))


def _tell_provisioned(tx: Transaction, grant: Grant) -> None:
    terms = pb.GrantTerms.FromString(grant.terms)
    tx.emit(
        grant.name,
        events.DataGrantProvisioned(
            grant=grant.name,
            resource=grant.resource,
            consumer_region=terms.consumer_region,
            start_time=terms.start_time,
            end_time=terms.end_time,
        ),
    )
