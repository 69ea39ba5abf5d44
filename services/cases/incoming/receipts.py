"""Receipts of messages, and who may bring them."""

from dataclasses import replace

from libs.access.actor import Actor
from libs.db.command import Command
from libs.db.uow import Transaction
from libs.errors import invalid_field, reasons
from libs.rpc.messages import timestamp
from services.cases.core.exchange import admit
from services.cases.core.payloads import OpenedMessage
from services.cases.incoming.store import ReceivedMessages
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.common.v1 import common_pb2


def command_under(command: Command, transaction_id: str, request_id: str) -> Command:
    """Returns the command under the exchange's transaction id, and under an id that is the message's own."""
    return replace(command, use=common_pb2.UseContext(transaction_id=transaction_id), request_id=request_id)


def require_sender(actor: Actor, sender_region: str) -> None:
    """Raises REGION_MISMATCH unless the message comes from the region that the token speaks for."""
    if not actor.region or actor.region != sender_region:
        raise reasons.region_mismatch("the message is another region's", region=sender_region)


def require_service(actor: Actor, sender_region: str) -> None:
    """Raises ACTOR_NOT_ALLOWED unless that region's cases service itself calls: no officer of it answers past it."""
    require_sender(actor, sender_region)
    if actor.subject != f"//{sender_region}/services/cases":
        raise reasons.actor_not_allowed("the deciding region answers by its cases service only", actor_kind=actor.kind)


def require_number(sequence: int, *, acknowledges: bool) -> None:
    """Raises FIELD_INVALID unless a message came by the RPC for its number: 0 is the acknowledgement, and nothing else is."""
    if (sequence == 0) != acknowledges:
        raise invalid_field(
            "message.sequence", "acknowledgement.number", "is 0 for the acknowledgement, and only for it"
        )


def first_receipt(received: ReceivedMessages, message: OpenedMessage) -> pb.TransferReceipt | None:
    """Returns the first receipt of a repeated message; raises TRANSFER_MESSAGE_CONFLICT for another content."""
    row = received.rows.get(message.sequence)
    if row is None or row.receipt is None:
        return None
    admit(received.inbox, message.sequence, message.envelope.previous_sequence, message.key)
    return pb.TransferReceipt.FromString(row.receipt)


def receipted(tx: Transaction, message: OpenedMessage, region: str, release: str, *, held: bool) -> pb.TransferReceipt:
    """Builds the receipt of a message over the bytes that arrived, with an audit record of its own."""
    envelope = message.envelope
    receipt = tx.record(f"exchanges/{envelope.exchange_id}/messages/{envelope.sequence}")
    understood = pb.UNDERSTANDING_NOT_UNDERSTOOD if message.doubts else pb.UNDERSTANDING_UNDERSTOOD
    return pb.TransferReceipt(
        exchange_id=envelope.exchange_id,
        sequence=envelope.sequence,
        digest=message.digest,
        region=region,
        held=held,
        receive_time=timestamp(tx.now),
        receipt=receipt,
        understanding=understood,
        doubts=message.doubts,
        release=release,
    )
