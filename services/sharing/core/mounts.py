"""Mounts in PostgreSQL: the table, its record, and what several features read of it."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.sharing.core import schema
from services.sharing.core.messages import source_of
from services.sharing.core.mounting import MountedTable, MountState, TableSource
from tongban.sharing.v1 import resources_pb2 as pb

mounts = sa.Table(
    "mounts",
    schema.METADATA,
    columns.record_id(),
    schema.resource_id(unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("source", sa.LargeBinary, nullable=False),
    sa.Column("column_types", JSONB, nullable=False, server_default="{}"),
    columns.texts("key_columns", empty=True),
    columns.moment("check_time"),
    sa.Column("estimated_rows", sa.BigInteger),
    columns.texts("findings", empty=True),
    *columns.life(),
    comment="Mounted tables; source holds tongban.sharing.v1.TableSource, column_types what the last check found.",
)


@of(mounts)
@dataclass(frozen=True, slots=True)
class Mount:
    """A table mounted behind a catalogue entry, and what the last check saw of it."""

    id: str
    resource_id: str
    source: bytes
    column_types: dict[str, str]
    create_time: datetime
    update_time: datetime
    state: MountState = MountState.CREATED
    key_columns: tuple[str, ...] = ()
    check_time: datetime | None = None
    estimated_rows: int | None = None
    findings: tuple[str, ...] = ()
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"dataMounts/{self.id}"

    @property
    def resource(self) -> str:
        """The name of its catalogue entry."""
        return f"dataResources/{self.resource_id}"

    @property
    def is_active(self) -> bool:
        """Whether data can be read through it."""
        return self.state is MountState.ACTIVE

    def table(self) -> TableSource:
        """Returns where the table is."""
        return source_of(pb.TableSource.FromString(self.source))

    def seen(self) -> MountedTable:
        """Returns the table as the last check saw it."""
        return MountedTable(self.table(), self.column_types, self.key_columns)


MOUNT_OF = Query(Mount, "SELECT {columns} FROM mounts WHERE resource_id = CAST(:resource AS uuid)")
_LOCK_OF = Query(Mount, "SELECT {columns} FROM mounts WHERE resource_id = CAST(:resource AS uuid) FOR UPDATE")


async def lock_mount_of(connection: DatabaseConnection, resource_key: str) -> Mount | None:
    """Reads the mount of a resource, where it has one, and keeps others from changing it."""
    return await _LOCK_OF.first(connection, resource=resource_key)
