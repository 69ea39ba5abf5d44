"""Transfers as messages."""

from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.cases.core.transfers import OUTBOUND, TransferRow
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources

DIRECTIONS, TRANSFER_STATES = Names(pb.TransferDirection), Names(pb.CaseTransferState)
MODES = Names(resources.CrossRegionMode)


def transfer_message(row: TransferRow, content: pb.CaseTransfer, here: str) -> pb.CaseTransfer:
    """Builds the message of a transfer of this region, ``here``; ``content`` is its sealed part."""
    outbound = row.direction == OUTBOUND
    content.MergeFrom(_state(row))
    content.MergeFrom(
        pb.CaseTransfer(
            name=row.name,
            exchange_id=row.exchange_id,
            transaction_id=row.transaction_id,
            direction=DIRECTIONS.number(row.direction),
            mode=MODES.number(row.mode),
            receiving_region=here if outbound else row.peer_region,
            handling_region=row.peer_region if outbound else here,
            task_code=row.task_code,
            item_display_name=row.item_display_name,
            case=row.case_name,
            case_number=row.case_number,
            department=row.department,
            operator=row.operator,
            etag=etag_of(row.version),
        )
    )
    return content


def _state(row: TransferRow) -> pb.CaseTransfer:
    return pb.CaseTransfer(
        state=TRANSFER_STATES.number(row.state),
        last_sent_sequence=row.last_sent,
        last_receipted_sequence=row.last_receipted,
        last_applied_sequence=row.last_applied,
        end_reason=row.end_reason,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        receive_time=timestamp(row.receive_time),
        acknowledge_time=timestamp(row.acknowledge_time),
        waiting_reason=row.waiting_reason,
        waiting_since_time=timestamp(row.waiting_since),
        not_understood_count=row.not_understood,
        sent_not_understood_count=row.sent_not_understood,
    )
