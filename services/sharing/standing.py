"""What a consumer holds on a resource: the entry, its mount and the grants, read at once and kept.

What is kept may be outdated, and that does no harm: the ledger settles a use only if entry, mount and grant are still of
the version that it was decided on (:mod:`services.sharing.ledger`), and a refusal is always decided on a fresh reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from libs.db.engine import Database, Row
from libs.errors import FailedPrecondition, not_found, reasons
from services.sharing.convert import entry_of, grant_of, source_of
from services.sharing.domain.catalog import DataField, Entry
from services.sharing.domain.grants import Grant, Usage, choose, missing, same_day
from services.sharing.statements import Mounted
from services.sharing.tables import grant_usage, grants, mounts, resources
from tongban.sharing.v1 import resources_pb2 as pb

_KEPT = 2_000

_HELD = (
    sa.select(
        resources.c.state,
        resources.c.entry,
        resources.c.version.label("resource_version"),
        mounts.c.state.label("mount_state"),
        mounts.c.source,
        mounts.c.column_types,
        mounts.c.key_columns,
        mounts.c.version.label("mount_version"),
        grants.c.id.label("grant_id"),
        grants.c.state.label("grant_state"),
        grants.c.terms,
        grants.c.version.label("grant_version"),
        grant_usage.c.day,
        grant_usage.c.queries_today,
        grant_usage.c.rows_total,
    )
    .select_from(
        resources.outerjoin(mounts, mounts.c.resource_id == resources.c.id)
        .outerjoin(
            grants,
            sa.and_(
                grants.c.resource_id == resources.c.id,
                sa.or_(
                    grants.c.id == sa.bindparam("grant", type_=grants.c.id.type),
                    sa.and_(
                        sa.bindparam("grant", type_=grants.c.id.type).is_(None),
                        grants.c.consumer_region == sa.bindparam("region"),
                        grants.c.departments.contains(sa.bindparam("departments", type_=grants.c.departments.type)),
                    ),
                ),
            ),
        )
        .outerjoin(grant_usage, grant_usage.c.grant_id == grants.c.id)
    )
    .where(resources.c.id == sa.bindparam("resource"))
)


@dataclass(frozen=True, slots=True)
class Key:
    """Whose standing on what: ids of resource and grant (None: any of the department's), region and department."""

    resource: str
    grant: str | None
    region: str
    department: str


@dataclass(slots=True)
class Held:
    """A grant as it was read, with what had been used of it then or at the last use since."""

    key: str
    version: int
    grant: Grant
    day: date
    usage: Usage

    def usage_on(self, today: date) -> Usage:
        """Returns what was used so far: of today's queries none, if the last use was on another day."""
        return self.usage if same_day(self.day, today) else Usage(0, self.usage.rows_total)


@dataclass(slots=True)
class Standing:
    """A reading of what a consumer holds on a resource.

    Attributes:
        key: of whom and what.
        entry: the catalogue entry.
        fields: its fields by code.
        versions: those of resource and mount, which a use is settled on.
        mounted: the table, or None where nothing is mounted that can be read.
        mount_state: the state of the mount, ``NONE`` without one.
        held: the grants.
        statements: SQL that was built for this standing, by what it is for.
    """

    key: Key
    entry: Entry
    fields: Mapping[str, DataField]
    versions: tuple[int, int]
    mounted: Mounted | None
    mount_state: str
    held: tuple[Held, ...]
    statements: dict[object, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The resource's name."""
        return f"resources/{self.key.resource}"

    def chosen(self, now: datetime) -> Held:
        """Returns the grant to use.

        Raises PermissionDenied GRANT_MISSING, or NotFound where the caller named one that this resource lacks.
        """
        grant = choose([held.grant for held in self.held], now)
        if grant is None:
            raise not_found(f"grants/{self.key.grant}") if self.key.grant else missing(self.name, self.key.department)
        return next(held for held in self.held if held.grant is grant)

    def table(self) -> Mounted:
        """Returns the mounted table; raises FailedPrecondition RESOURCE_NOT_MOUNTED."""
        if self.mounted is None:
            raise not_mounted(self.name, self.mount_state)
        return self.mounted


def not_mounted(resource: str, state: str) -> FailedPrecondition:
    """Builds the error for a resource whose data can't be read, with the state of its mount."""
    return reasons.resource_not_mounted(
        f"no data can be read of {resource}: its mount is {state}",
        resource=resource,
        state=state,
    )


class Standings:
    """Reads standings and keeps them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[Key, Standing] = {}

    def kept(self, key: Key) -> Standing | None:
        """Returns the last reading, which may be outdated."""
        return self._kept.get(key)

    async def read(self, key: Key) -> Standing:
        """Reads anew; raises NotFound where there is no such resource in the catalogue."""
        async with self._database.read() as connection:
            rows = (
                await connection.execute(
                    _HELD,
                    {
                        "resource": key.resource,
                        "grant": key.grant,
                        "region": key.region,
                        "departments": [key.department],
                    },
                )
            ).all()
        if not rows or rows[0].state != "PUBLISHED":
            self._kept.pop(key, None)
            raise not_found(f"resources/{key.resource}")
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = standing = _standing(key, list(rows))
        return standing


def _standing(key: Key, rows: list[Row]) -> Standing:
    first = rows[0]
    entry = entry_of(pb.CatalogEntry.FromString(first.entry))
    source = source_of(pb.TableSource.FromString(first.source)) if first.mount_state == "ACTIVE" else None
    return Standing(
        key=key,
        entry=entry,
        fields=entry.field_map(),
        versions=(first.resource_version, first.mount_version or 0),
        mounted=Mounted(source, first.column_types, tuple(first.key_columns)) if source else None,
        mount_state=first.mount_state or "NONE",
        held=tuple(_held(row, entry) for row in rows if row.grant_id),
    )


def _held(row: Row, entry: Entry) -> Held:
    grant = grant_of(row.grant_id, row.grant_state, row.terms, entry)
    return Held(row.grant_id, row.grant_version, grant, row.day, Usage(row.queries_today, row.rows_total))
