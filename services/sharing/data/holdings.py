"""What a consumer holds on a resource: the entry, its mount and the grants, read and kept.

What is kept may be outdated, and that does no harm: the ledger settles a use only if entry, mount and grant are still of
the version that it was decided on (:mod:`services.sharing.grants.service`), and a refusal is always decided on a fresh reading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query
from libs.errors import FailedPrecondition, not_found, reasons
from services.sharing.core.catalogue import CatalogueEntry, DataField, ResourceState
from services.sharing.core.granting import GrantFacts
from services.sharing.core.grants import Grant, GrantUsage, usage_of
from services.sharing.core.mounts import MOUNT_OF, Mount
from services.sharing.core.resources import CatalogueResource, resource
from services.sharing.data.rules import choose, missing
from services.sharing.data.statements import ReadableTable

_KEPT = 2_000
_GRANTS = Query(
    Grant,
    "SELECT {columns} FROM grants WHERE resource_id = CAST(:resource AS uuid) AND (id = CAST(:grant AS uuid) "
    "OR CAST(:grant AS uuid) IS NULL AND consumer_region = :region "
    "AND departments @> ARRAY[CAST(:department AS text)])",
)


@dataclass(frozen=True, slots=True)
class HoldingKey:
    """Who holds what: ids of resource and grant (None: any of the department's), region and department."""

    resource: str
    grant: str | None
    region: str
    department: str


@dataclass(slots=True)
class HeldGrant:
    """A grant as it was read, with what had been used of it then or at the last use since."""

    key: str
    version: int
    grant: GrantFacts
    used: GrantUsage


@dataclass(slots=True)
class Holding:
    """A reading of what a consumer holds on a resource.

    Attributes:
        key: of whom and what.
        entry: the catalogue entry.
        fields: its fields by code.
        versions: those of resource and mount, which a use is settled on.
        mounted: the table, or None where nothing is mounted that can be read.
        mount_state: the state of the mount, ``NONE`` without one.
        held: the grants.
        statements: SQL that was built for this reading, by what it is for.
    """

    key: HoldingKey
    entry: CatalogueEntry
    fields: Mapping[str, DataField]
    versions: tuple[int, int]
    mounted: ReadableTable | None
    mount_state: str
    held: tuple[HeldGrant, ...]
    statements: dict[object, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The resource's name."""
        return f"dataResources/{self.key.resource}"

    def chosen(self, now: datetime) -> HeldGrant:
        """Returns the grant to use.

        Raises PermissionDenied GRANT_MISSING, or NotFound where the caller named one that this resource lacks.
        """
        grant = choose([held.grant for held in self.held], now)
        if grant is None:
            raise (
                not_found(f"dataGrants/{self.key.grant}") if self.key.grant else missing(self.name, self.key.department)
            )
        return next(held for held in self.held if held.grant is grant)

    def table(self) -> ReadableTable:
        """Returns the mounted table; raises FailedPrecondition RESOURCE_NOT_MOUNTED."""
        if self.mounted is None:
            raise _not_mounted(self.name, self.mount_state)
        return self.mounted


def _not_mounted(name: str, state: str) -> FailedPrecondition:
    return reasons.resource_not_mounted(
        f"no data can be read of {name}: its mount is {state}", resource=name, state=state
    )


class Holdings:
    """Reads holdings and keeps them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[HoldingKey, Holding] = {}

    def kept(self, key: HoldingKey) -> Holding | None:
        """Returns the last reading, which may be outdated."""
        return self._kept.get(key)

    async def read(self, key: HoldingKey) -> Holding:
        """Reads anew; raises NotFound where there is no such resource in the catalogue."""
        self._kept.pop(key, None)
        async with self._database.read() as connection:
            holding = await _read(connection, key)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = holding
        return holding


async def _read(connection: DatabaseConnection, key: HoldingKey) -> Holding:
    behind = await resource(connection, key.resource)
    if behind.state is not ResourceState.PUBLISHED:
        raise not_found(behind.name)
    mount = await MOUNT_OF.first(connection, resource=key.resource)
    held = await _GRANTS.all(
        connection, resource=key.resource, grant=key.grant, region=key.region, department=key.department
    )
    return _holding(key, behind, mount, held, await usage_of(connection, held))


def _holding(
    key: HoldingKey,
    behind: CatalogueResource,
    mount: Mount | None,
    held: Sequence[Grant],
    used: Mapping[str, GrantUsage],
) -> Holding:
    entry = behind.facts
    return Holding(
        key=key,
        entry=entry,
        fields=entry.field_map(),
        versions=(behind.version, mount.version if mount else 0),
        mounted=ReadableTable(mount.table(), mount.column_types, mount.key_columns)
        if mount and mount.is_active
        else None,
        mount_state=mount.state.value if mount else "NONE",
        held=tuple(HeldGrant(each.id, each.version, each.facts(entry), used[each.id]) for each in held),
    )
