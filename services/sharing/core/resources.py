"""Catalogue entries in PostgreSQL: the table, its record, and what several features read of it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from services.sharing.core import schema
from services.sharing.core.catalogue import CatalogueEntry, ResourceState
from services.sharing.core.ids import key_of
from services.sharing.core.messages import entry_of
from services.sharing.core.participants import Participant
from tongban.sharing.v1 import resources_pb2 as pb

resources = sa.Table(
    "resources",
    schema.METADATA,
    columns.record_id(),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("sharing_class", sa.Text, nullable=False),
    sa.Column("provider_department", sa.Text, nullable=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    columns.moment("submit_time"),
    columns.moment("publish_time"),
    sa.Column("mount_id", sa.Uuid(as_uuid=False)),
    *columns.life(),
    sa.Index("resources_state", "state", "code"),
    sa.Index("resources_provider", "provider_department", "code"),
    comment="The catalogue; entry holds tongban.sharing.v1.CatalogEntry.",
)


@of(resources)
@dataclass(frozen=True)
class CatalogueResource:
    """A catalogue entry; ``sharing_class`` is its class's name, for lists alone."""

    id: str
    code: str
    sharing_class: str
    provider_department: str
    entry: bytes
    create_time: datetime
    update_time: datetime
    state: ResourceState = ResourceState.DRAFT
    submit_time: datetime | None = None
    publish_time: datetime | None = None
    mount_id: str | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"dataResources/{self.id}"

    @property
    def mount(self) -> str:
        """The name of the mount behind it; empty where there is none."""
        return f"dataMounts/{self.mount_id}" if self.mount_id else ""

    @cached_property
    def facts(self) -> CatalogueEntry:
        """What the rules need to know of it."""
        return entry_of(pb.CatalogEntry.FromString(self.entry))

    def is_seen_by(self, caller: Participant) -> bool:
        """Tells whether the caller may know of it: everybody of a published one, else provider and authority."""
        return self.state is ResourceState.PUBLISHED or caller.publishes or caller.provides(self.provider_department)


_BY_ID = Query(CatalogueResource, "SELECT {columns} FROM resources WHERE id = CAST(:id AS uuid)")
_LOCK = Query(CatalogueResource, "SELECT {columns} FROM resources WHERE id = CAST(:id AS uuid) FOR UPDATE")


class ResourceStore:
    """Reads catalogue entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> CatalogueResource:
        """Reads an entry by its name; raises NotFound."""
        key = key_of(name)
        async with self._database.read() as connection:
            return await resource(connection, key)


async def resource(connection: DatabaseConnection, key: str) -> CatalogueResource:
    """Reads an entry by its id; raises NotFound."""
    return _found(await _BY_ID.first(connection, id=key), key)


async def lock_resource(connection: DatabaseConnection, key: str) -> CatalogueResource:
    """Reads an entry and keeps others from changing it; raises NotFound."""
    return _found(await _LOCK.first(connection, id=key), key)


async def lock_seen(connection: DatabaseConnection, key: str, caller: Participant) -> CatalogueResource:
    """As :func:`lock_resource`; raises NotFound also for what the caller may not know of."""
    found = await lock_resource(connection, key)
    if not found.is_seen_by(caller):
        raise not_found(found.name)
    return found


def _found(found: CatalogueResource | None, key: str) -> CatalogueResource:
    if found is None:
        raise not_found(f"dataResources/{key}")
    return found
