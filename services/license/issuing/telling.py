"""What is told of a licence that a case yields: when it is issued or voided, and again when asked.

``cases`` asks again where it waits for a licence and heard nothing: the question, or the answer, may have been lost with
the stream that carried it. Whatever was answered before is answered again, and nothing is issued twice.
"""

from dataclasses import replace

from libs.db.command import Command
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import TongbanError
from libs.rpc.messages import timestamp
from services.license.core.licenses import License, lock
from services.license.core.lifecycle import LicenseState
from services.license.core.messages import named, validity_message
from services.license.issuing.store import IssuingStore
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


def tell_issued(tx: Transaction, issued: License) -> None:
    """Tells that a licence is issued."""
    tx.emit(
        issued.name,
        events.LicenseIssued(
            license=issued.name,
            identifier=issued.identifier,
            license_type=f"licenseTypes/{issued.license_type}",
            type_display_name=issued.type_display_name,
            version=issued.license_version,
            holders=issued.holders,
            issuer_department=issued.issuer_department,
            case=issued.case_name,
            receiving_region=issued.receiving_region,
            validity=validity_message(issued),
            issue_time=timestamp(issued.issue_time),
        ),
    )


def tell_voided(tx: Transaction, voided: License) -> None:
    """Tells that a draft was given up."""
    tx.emit(
        voided.name,
        events.LicenseVoided(
            license=voided.name,
            identifier=voided.identifier,
            case=voided.case_name,
            error_reason=voided.state_reason,
            void_time=timestamp(voided.void_time),
            license_type=f"licenseTypes/{voided.license_type}",
        ),
    )


def tell_refused(tx: Transaction, order: pb.IssueLicenseRequest, cause: TongbanError) -> None:
    """Tells that an order was given up before it was a draft."""
    tx.emit(
        order.case,
        events.LicenseVoided(
            case=order.case,
            error_reason=cause.reason,
            void_time=timestamp(tx.now),
            license_type=order.license_type,
            broken_rules=[f"{each.field}: {each.rule}" for each in cause.violations],
        ),
    )


class RepeatedAnswers:
    """Answers once more what was answered before."""

    def __init__(self, uow: UnitOfWork, store: IssuingStore) -> None:
        self._uow = uow
        self._store = store

    async def answered(self, command: Command, order: pb.IssueLicenseRequest, voided: str) -> bool:
        """Tells whether a case was answered, or is being answered, under another command than this; answers it again.

        A draft is left to whoever works on it, and after them to the sweeper. ``voided`` is the licence that was given up
        before the decision, which was made anew for it: that one is no answer to it.
        """
        last = await self._store.last_of_case(order.case, order.license_type)
        if last is None or last.name == voided or await self._is_own(command):
            return False

        async def work(tx: Transaction) -> resources.License:
            known = await lock(tx.connection, last.name)
            if known.ofd_digest:
                tell_issued(tx, known)
            elif known.state is LicenseState.VOIDED:
                tell_voided(tx, known)
            return named(known)

        await self._uow.run(replace(command, method=f"{command.method}:again", response_type=resources.License), work)
        return True

    async def _is_own(self, command: Command) -> bool:
        """True where this very command began what there is: it came twice, or was cut off, and goes on by itself."""
        typed = replace(command, response_type=resources.License)
        intent = replace(typed, method=f"{command.method}:intent")
        return await self._uow.stored(intent) is not None or await self._uow.stored(typed) is not None
