"""What the deciding region answers, taken over at the receiving side: the acknowledgement, progress, the result."""

from dataclasses import dataclass
from typing import Any

from libs.db.uow import Transaction
from libs.errors import not_found, reasons
from libs.ids import names
from libs.rpc.messages import Names
from services.cases.core.exchange import Payload, TransferSignal, move
from services.cases.core.messages import STATES
from services.cases.core.parts import Parts
from services.cases.core.payloads import OpenedMessage
from services.cases.core.transfers import UPDATE, ExchangeKey, TransferRow
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources

_TRANSFER_STATES = Names(pb.CaseTransferState)
_SIGNALS = {"ACCEPTED": TransferSignal.ACCEPT, "RETURNED": TransferSignal.RETURN}


@dataclass(frozen=True, slots=True)
class AnswerApplier:
    """Takes messages of the deciding region over, each in the transaction of the one that is received."""

    parts: Parts

    async def apply(self, tx: Transaction, exchange: ExchangeKey, message: OpenedMessage, newest: int) -> None:
        """Takes a message over; ``newest`` is the number of the last one with such a payload that was applied.

        One that was not understood at first may come after those that followed it: what they say stands.
        """
        row = sent(await self.parts.transfers.of_exchange(tx.connection, exchange))
        row = await self.parts.transfers.lock(tx.connection, row.name)
        if message.kind == Payload.ACKNOWLEDGEMENT:
            values = _acknowledged(row, message.content, tx)
        else:
            values = self._answered(tx, row, message, stands=message.sequence > newest)
        await UPDATE.one(tx.connection, row.id, **values, update_time=tx.now)

    def _answered(self, tx: Transaction, row: TransferRow, message: OpenedMessage, *, stands: bool) -> dict[str, Any]:
        content, told = self.parts.transfers.content(row), message.content
        event = events.CaseTransferProgressed(name=row.name, sequence=message.sequence, sent=_sent(row, row.case_name))
        field, tolerated = (
            ("result", row.tolerated) if message.kind == Payload.RESULT else ("progress", _tolerated(row, told))
        )
        getattr(event, field).CopyFrom(told)
        if stands:
            getattr(content, field).CopyFrom(told)
        tx.emit(row.name, event)
        return {
            "sealed": self.parts.transfers.sealed(row.id, content),
            "progress_state": STATES.name(content.progress.state),
            "tolerated": tolerated,
            "last_applied": max(row.last_applied, message.sequence),
        }


def _tolerated(row: TransferRow, progress: pb.TransferProgress) -> bool:
    return row.tolerated or progress.action == resources.CASE_ACTION_ACCEPT_WITH_TOLERANCE


def sent(row: TransferRow | None) -> TransferRow:
    """Returns the transfer of an exchange that was sent from here; raises NotFound where there is none."""
    if row is None:
        raise not_found("caseTransfers")
    return row


def check_acknowledgement(message: OpenedMessage) -> None:
    """Raises REGION_MISMATCH where a region names a case that is not its own."""
    case_name, region = message.content.case, message.envelope.sender_region
    if case_name and names.parse(case_name, "case").region != region:
        raise reasons.region_mismatch("the case is another region's", region=region)


def _acknowledged(row: TransferRow, told: pb.TransferAcknowledgement, tx: Transaction) -> dict[str, Any]:
    state = move(row.name, row.state, _SIGNALS[_TRANSFER_STATES.name(told.state)])
    event = events.CaseTransferAcknowledged(
        name=row.name,
        state=told.state,
        case=told.case,
        case_number=told.case_number,
        reason=told.reason,
        sent=_sent(row, told.case),
    )
    tx.emit(row.name, event)
    return {
        "state": state,
        "case_name": told.case,
        "case_number": told.case_number,
        "end_reason": told.reason,
        "acknowledge_time": tx.now,
    }


def _sent(row: TransferRow, case_name: str) -> events.SentApplication:
    return events.SentApplication(
        case=case_name, department=row.owner_department, applicant=row.applicant, agent=row.agent
    )
