"""Looking at a mounted table again, where a use came upon something that the last check did not let expect."""

from collections.abc import Sequence

from libs.db.command import Command
from libs.db.uow import Transaction, derived_request_id
from services.sharing.core.catalogue import DataField
from services.sharing.core.mounting import MountedTable, MountState, findings
from services.sharing.core.mounts import lock_mount_of
from services.sharing.core.parts import Parts
from services.sharing.mounts.checking import write_check
from tongban.sharing.v1 import resources_pb2 as messages

SELF = "services/sharing"


class MountWatch:
    """Looks at tables that a use could not read."""

    def __init__(self, parts: Parts) -> None:
        self._uow = parts.uow
        self._sources = parts.sources

    async def changed(self, resource_key: str, version: int, known: MountedTable, fields: Sequence[DataField]) -> bool:
        """Looks at the table, and writes and records what is new; returns whether anything is.

        Then the use is decided anew on a fresh reading: on the columns' new types, or on a mount that FAILED.

        Args:
            resource_key: the id of the resource.
            version: that of the mount when the use was decided.
            known: the table as it was known then.
            fields: those of the resource.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE, where the source does not answer.
        """
        source = known.source
        seen = await self._sources.inspect(source.data_source, source.schema, source.table)
        if dict(seen.columns) == dict(known.types) and seen.key == known.key:
            return False
        faults = findings(source, tuple(fields), seen.columns)

        async def work(tx: Transaction) -> None:
            mount = await lock_mount_of(tx.connection, resource_key)
            if mount is None or not mount.is_active or mount.version != version:
                return  # somebody else was faster
            await write_check(tx, mount, seen, faults, MountState.FAILED if faults else MountState.ACTIVE)
            tx.record(mount.name, result="RESOURCE_NOT_MOUNTED" if faults else "OK")

        await self._uow.step(_command(f"{resource_key}:{version}"), work)
        return True


def _command(looked_at: str) -> Command:
    return Command(
        caller=SELF,
        method="sharing:watchMount",
        request_id=derived_request_id("watch", looked_at),
        digest=looked_at.encode(),
        response_type=messages.DataMount,
        actor=SELF,
    )
