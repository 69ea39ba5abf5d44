"""Writing what a look at a mounted table found."""

from libs.db.uow import Transaction
from libs.rpc.messages import timestamp
from services.sharing.core.mounting import MountState
from services.sharing.core.mounts import Mount
from services.sharing.integrations.data_sources import TableInspection
from services.sharing.mounts.convert import MOUNT_STATES
from services.sharing.mounts.store import UPDATE
from tongban.sharing.v1 import events_pb2 as events


async def write_check(
    tx: Transaction, mount: Mount, seen: TableInspection, faults: tuple[str, ...], state: MountState
) -> Mount:
    """Writes what a look at a locked mount's table found, and tells of it."""
    checked = await UPDATE.one(
        tx.connection,
        mount.id,
        state=state,
        column_types=dict(seen.columns),
        key_columns=seen.key,
        estimated_rows=seen.estimated_rows,
        findings=faults,
        check_time=tx.now,
        update_time=tx.now,
    )
    tx.emit(
        mount.name,
        events.DataMountChecked(
            mount=mount.name,
            resource=mount.resource,
            check_time=timestamp(tx.now),
            state=MOUNT_STATES.number(state.value),
        ),
    )
    return checked
