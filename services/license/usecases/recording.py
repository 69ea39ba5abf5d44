"""Records uses of licences before anything is answered ("no record, no service")."""

import asyncio
from collections.abc import Sequence

from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from libs.audit.log import Log
from libs.clock import Clock
from libs.db.command import Command
from libs.db.engine import Row
from libs.errors import TongbanError, reasons
from libs.events.wire import Wire
from libs.ids.uuid7 import uuid7
from libs.observability import tracing
from libs.rpc.call import mark_recorded
from libs.rpc.timestamps import timestamp
from services.license.domain.access import Basis
from services.license.store.uses import Copy, Use, UseRecord, UseStore
from services.license.usecases.asking import Asking
from tongban.common.v1 import common_pb2
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import resources_pb2 as pb

FACE = ("number", "holders", "face_fields")
FILE = ("file",)


class Recording:
    """Writes use records."""

    def __init__(self, store: UseStore, wire: Wire, clock: Clock, committed: asyncio.Event, log: Log) -> None:
        self._store = store
        self._wire = wire
        self._clock = clock
        self._committed = committed
        self._log = log

    async def record(
        self,
        command: Command,
        asking: Asking,
        used: Sequence[tuple[Row, Basis]],
        action: str,
        *,
        obj: str = "",
        presentation: str = "",
        fields: Sequence[str] = FACE,
        copy: Copy | None = None,
    ) -> tuple[common_pb2.Receipt, str]:
        """Writes one audit record, and a use of each licence with its event; returns the receipt and the last use.

        Args:
            command: the call.
            asking: who asks, and for what.
            used: the licences, each with the basis of its use.
            action: a name of UseAction without its prefix.
            obj: the object of the audit record, where it is not the one licence.
            presentation: the presentation that allowed it, or an empty string.
            fields: what leaves.
            copy: the annotated copy that is handed out.

        Raises:
            Unavailable: AUDIT_UNAVAILABLE, nothing was recorded and nothing may be answered.
        """
        now = self._clock.now()
        entry = self._log.entry(command, now, obj or f"licenses/{used[0][0].id}", fields=fields, record_count=len(used))
        receipt = self._log.receipt(entry)
        context = common_pb2.UseContext()
        context.CopyFrom(asking.context)
        context.transaction_id = entry.transaction_id
        shared = UseRecord(
            entry,
            action,
            presentation,
            context,
            asking.actor.subject,
            asking.reader.region_code,
            tracing.traceparent(command.trace_id, command.span_id) if command.trace_id else "",
            receipt.record,
            copy,
        )
        uses = [self._use(row, basis, shared) for row, basis in used]
        try:
            await self._store.record(shared, uses)
        except (TongbanError, SQLAlchemyError, PostgresError) as error:
            raise reasons.audit_unavailable("the use can't be recorded; nothing was done", retry_after=1.0) from error
        self._committed.set()
        mark_recorded()
        return receipt, f"licenseUses/{uses[-1].id}"

    def _use(self, row: Row, basis: Basis, shared: UseRecord) -> Use:
        identifier, event_id = uuid7(), uuid7()
        event = events.LicenseUsed(
            license=f"licenses/{row.id}",
            license_use=f"licenseUses/{identifier}",
            action=pb.UseAction.Value(f"USE_ACTION_{shared.action}"),
            basis=pb.UseBasis.Value(f"USE_BASIS_{basis.value}"),
            region_code=shared.region_code,
            department=shared.context.department,
            case_name=shared.context.case_name,
            holders=row.holders,
            use_time=timestamp(shared.entry.record_time),
        )
        return Use(identifier, row, basis.value, event_id, self._wire.close_up(event_id, event.SerializeToString()))
