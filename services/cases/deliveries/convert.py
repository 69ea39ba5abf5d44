"""Deliveries as messages, and back."""

from datetime import datetime

from libs.crypto.envelope import Column, FieldCipher
from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.cases.core.cases import CaseRecord
from services.cases.deliveries.store import DeliveryRow
from tongban.cases.v1 import delivery_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources

METHODS = Names(resources.DeliveryMethod)
_STATES = Names(pb.CaseDeliveryState)
_SEALED = Column("deliveries", "sealed")


def new_delivery(record: CaseRecord, wanted: pb.CaseDelivery, cipher: FieldCipher, now: datetime) -> DeliveryRow:
    """Returns the delivery of a case's result that is asked for."""
    delivery_id, parties = uuid7(), record.content
    recipient = wanted.recipient_name or parties.agent.display_name or parties.applicant.display_name
    private = pb.CaseDelivery(recipient_name=recipient)
    if wanted.HasField("address"):
        private.address.CopyFrom(wanted.address)
    return DeliveryRow(
        id=delivery_id,
        case_id=record.id,
        method=METHODS.name(wanted.method),
        region=record.receiving_region,
        sealed=cipher.encrypt(_SEALED, delivery_id, private.SerializeToString()),
        tracking_number=wanted.tracking_number,
        create_time=now,
        update_time=now,
        applicant=record.applicant,
        agent=record.agent,
        department=record.department,
    )


def delivery_message(row: DeliveryRow, cipher: FieldCipher) -> pb.CaseDelivery:
    """Builds a delivery's message."""
    message = pb.CaseDelivery.FromString(cipher.decrypt(_SEALED, row.id, row.sealed))
    message.MergeFrom(
        pb.CaseDelivery(
            name=row.name,
            case=f"cases/{row.case_id}",
            method=METHODS.number(row.method),
            state=_STATES.number(row.state),
            region=row.region,
            tracking_number=row.tracking_number,
            confirmed_by=row.confirmed_by,
            create_time=timestamp(row.create_time),
            update_time=timestamp(row.update_time),
            deliver_time=timestamp(row.deliver_time),
            etag=etag_of(row.version),
        )
    )
    return message
