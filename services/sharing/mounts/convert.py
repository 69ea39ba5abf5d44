"""Mounts as messages."""

from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.sharing.core.mounts import Mount
from tongban.sharing.v1 import resources_pb2 as pb

MOUNT_STATES = Names(pb.DataMountState)


def mount_message(row: Mount) -> pb.DataMount:
    """Builds a mount's message."""
    return pb.DataMount(
        name=row.name,
        state=MOUNT_STATES.number(row.state.value),
        resource=row.resource,
        table=pb.TableSource.FromString(row.source),
        last_check=_check_message(row) if row.check_time else None,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def _check_message(row: Mount) -> pb.MountCheck:
    return pb.MountCheck(
        check_time=timestamp(row.check_time),
        estimated_rows=row.estimated_rows or 0,
        findings=row.findings,
        key_columns=row.key_columns,
    )
