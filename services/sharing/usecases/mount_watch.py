"""What a look at a mounted table leads to: by the provider's check, or because a use came upon something unexpected."""

from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.uow import Transaction, UnitOfWork, derived_request_id
from libs.rpc.timestamps import timestamp
from services.sharing.domain import mounts as rules
from services.sharing.domain.mounts import MountState
from services.sharing.sources import DataSources, Inspection
from services.sharing.standing import Standing
from services.sharing.store.catalog import CatalogStore
from services.sharing.tables import mounts
from tongban.sharing.v1 import events_pb2 as events
from tongban.sharing.v1 import resources_pb2 as messages

SELF = "services/sharing"


async def write_check(tx: Transaction, mount: Row, seen: Inspection, faults: tuple[str, ...], state: MountState) -> Row:
    """Writes what a look at a locked mount's table found, and tells of it."""
    row: Row = await rows.update(
        tx.connection,
        mounts,
        mount.id,
        {
            "state": state.name,
            "column_types": dict(seen.columns),
            "key_columns": list(seen.key),
            "estimated_rows": seen.estimated_rows,
            "findings": list(faults),
            "check_time": tx.now,
            "update_time": tx.now,
        },
    )
    name = f"mounts/{mount.id}"
    tx.emit(
        name,
        events.MountChecked(
            mount=name,
            resource=f"resources/{mount.resource_id}",
            check_time=timestamp(tx.now),
            state=messages.MountState.Value(f"MOUNT_STATE_{state.name}"),
        ),
    )
    return row


class MountWatch:
    """Looks at a table again that a use could not read as the last check let expect."""

    def __init__(self, uow: UnitOfWork, catalog: CatalogStore, sources: DataSources) -> None:
        self._uow = uow
        self._catalog = catalog
        self._sources = sources

    async def changed(self, standing: Standing) -> bool:
        """Looks at the table, and writes and records what is new; returns whether anything is.

        Then the use is decided anew on a fresh reading: on the columns' new types, or on a mount that FAILED.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE, where the source does not answer.
        """
        table = standing.table()
        seen = await self._sources.inspect(table.source)
        if dict(seen.columns) == dict(table.types) and seen.key == table.key:
            return False
        faults = rules.findings(table.source, standing.entry.fields, seen.columns)
        command = _command(standing)

        async def work(tx: Transaction) -> None:
            mount = await self._catalog.lock_mount_of(tx.connection, standing.key.resource)
            if mount is None or (mount.state, mount.version) != (MountState.ACTIVE.name, standing.versions[1]):
                return  # somebody else was faster
            state = MountState.FAILED if faults else MountState.ACTIVE
            await write_check(tx, mount, seen, faults, state)
            result = "RESOURCE_NOT_MOUNTED" if faults else "OK"
            tx.record(f"mounts/{mount.id}", result=result)

        await self._uow.step(command, work)
        return True


def _command(standing: Standing) -> Command:
    version = f"{standing.key.resource}:{standing.versions[1]}"
    return Command(
        caller=SELF,
        method="sharing:watchMount",
        request_id=derived_request_id("watch", version),
        digest=version.encode(),
        response_type=messages.Mount,
        actor=SELF,
    )
