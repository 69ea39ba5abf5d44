"""What the license service tells of a licence that a case yields: when it is issued or voided, and again when asked.

``cases`` asks again where it waits for a licence and heard nothing: the question, or the answer, may have been lost with
the stream that carried it. Whatever was answered before is answered again, and nothing is issued twice.
"""

from dataclasses import replace

from libs.db.command import Command
from libs.db.engine import Row
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import TongbanError
from libs.rpc.timestamps import timestamp
from services.license.convert import validity_message
from services.license.domain.lifecycle import State
from services.license.store.licenses import LicenseStore
from services.license.usecases.licenses import bare
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


def tell_issued(tx: Transaction, row: Row) -> None:
    """Tells that a licence is issued."""
    tx.emit(
        f"licenses/{row.id}",
        events.LicenseIssued(
            license=f"licenses/{row.id}",
            identifier=row.identifier,
            license_type=f"licenseTypes/{row.license_type}",
            type_display_name=row.type_display_name,
            version=row.license_version,
            holders=row.holders,
            issuer_department=row.issuer_department,
            case_name=row.case_name,
            receiving_region=row.receiving_region,
            validity=validity_message(row),
            issue_time=timestamp(row.issue_time),
        ),
    )


def tell_voided(tx: Transaction, row: Row) -> None:
    """Tells that a draft was given up."""
    tx.emit(
        f"licenses/{row.id}",
        events.LicenseVoided(
            license=f"licenses/{row.id}",
            identifier=row.identifier,
            case_name=row.case_name,
            error_reason=row.state_reason,
            void_time=timestamp(row.void_time),
            license_type=f"licenseTypes/{row.license_type}",
        ),
    )


def tell_refused(tx: Transaction, order: pb.IssueLicenseRequest, cause: TongbanError) -> None:
    """Tells that an order was given up before it was a draft."""
    tx.emit(
        order.case_name,
        events.LicenseVoided(
            case_name=order.case_name,
            error_reason=cause.reason,
            void_time=timestamp(tx.now),
            license_type=order.license_type,
            broken_rules=[f"{each.field}: {each.rule}" for each in cause.violations],
        ),
    )


class Telling:
    """Answers once more what was answered before."""

    def __init__(self, uow: UnitOfWork, store: LicenseStore) -> None:
        self._uow = uow
        self._store = store

    async def answered(self, command: Command, order: pb.IssueLicenseRequest, voided: str) -> bool:
        """Tells whether a case was answered, or is being answered, under another command than this; answers it again.

        A draft is left to whoever works on it, and after them to the sweeper. ``voided`` is the licence that was given up
        before the decision, which was made anew for it: that one is no answer to it.
        """
        last = await self._store.last_of_case(order.case_name, order.license_type.removeprefix("licenseTypes/"))
        if last is None or f"licenses/{last}" == voided or await self._is_own(command):
            return False

        async def work(tx: Transaction) -> resources.License:
            known = await self._store.lock(tx.connection, last)
            if known.ofd_digest:
                tell_issued(tx, known)
            elif known.state == State.VOIDED.value:
                tell_voided(tx, known)
            return bare(known)

        await self._uow.run(replace(command, method=f"{command.method}:again", response_type=resources.License), work)
        return True

    async def _is_own(self, command: Command) -> bool:
        """True where this very command began what there is: it came twice, or was cut off, and goes on by itself."""
        typed = replace(command, response_type=resources.License)
        intent = replace(typed, method=f"{command.method}:intent")
        return await self._uow.stored(intent) is not None or await self._uow.stored(typed) is not None
