"""What the deciding region answers, taken over at the receiving side: the acknowledgement, progress, the result."""

from typing import Any

from libs.db.uow import Transaction
from libs.errors import state_conflict
from services.cases.core.exchange import TransferState
from services.cases.core.messages import STATES
from services.cases.core.transfers import TransferRow, TransferStore
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources


def same_acknowledgement(row: TransferRow, acknowledged: bytes, digest: str) -> pb.TransferReceipt:
    """Returns the first receipt; raises STATE_CONFLICT where something else was acknowledged before."""
    receipt = pb.TransferReceipt.FromString(acknowledged)
    if receipt.digest != digest:
        raise state_conflict(row.name, row.state, TransferState.RECEIVED)
    return receipt


def tell_acknowledged(tx: Transaction, row: TransferRow, request: pb.AcknowledgeCaseTransferRequest) -> None:
    """Emits that an application was acknowledged."""
    event = events.CaseTransferAcknowledged(
        name=row.name,
        state=request.state,
        case_name=request.case_name,
        case_number=request.case_number,
        reason=request.reason,
        sent=_sent(row, request.case_name),
    )
    tx.emit(row.name, event)


def apply_answer(tx: Transaction, row: TransferRow, content: pb.CaseTransfer, message: pb.TransferMessage) -> bool:
    """Takes one message over; returns whether it tells of an acceptance with tolerance."""
    event = events.CaseTransferProgressed(name=row.name, sequence=message.sequence, sent=_sent(row, row.case_name))
    if message.HasField("progress"):
        content.progress.CopyFrom(message.progress)
        event.progress.CopyFrom(message.progress)
    else:
        content.result.CopyFrom(message.result)
        event.result.CopyFrom(message.result)
    tx.emit(row.name, event)
    return message.progress.action == resources.CASE_ACTION_ACCEPT_WITH_TOLERANCE


def written(
    transfers: TransferStore, row: TransferRow, content: pb.CaseTransfer, applied: int, *, tolerated: bool
) -> dict[str, Any]:
    """Returns the columns that change with messages that were taken over."""
    return {
        "sealed": transfers.sealed(row.id, content),
        "progress_state": STATES.name(content.progress.state),
        "tolerated": tolerated,
        "last_applied": applied,
    }


def _sent(row: TransferRow, case_name: str) -> events.SentApplication:
    return events.SentApplication(
        case_name=case_name, department=row.owner_department, applicant=row.applicant, agent=row.agent
    )
