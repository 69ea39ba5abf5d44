"""What is told of requests, by events."""

from datetime import date

from libs.db.uow import Transaction
from libs.rpc.messages import date_message, timestamp
from services.sharing.requests.store import DataRequest
from tongban.sharing.v1 import events_pb2 as events


def tell_submitted(tx: Transaction, row: DataRequest, due: date) -> None:
    """Tells that a request was handed in, and by when it is to be answered."""
    tx.emit(
        row.name,
        events.DataRequestSubmitted(
            request=row.name,
            resource=row.resource,
            consumer_region=row.consumer_region,
            submit_time=timestamp(tx.now),
            answer_due_date=date_message(due),
        ),
    )


def tell_granted(tx: Transaction, row: DataRequest, grant: str, due: date) -> None:
    """Tells that a request was granted, and by when the data are to flow."""
    tx.emit(
        row.name,
        events.DataRequestGranted(
            request=row.name,
            resource=row.resource,
            grant=grant,
            consumer_region=row.consumer_region,
            decide_time=timestamp(tx.now),
            supply_due_date=date_message(due),
        ),
    )


def tell_refused(tx: Transaction, row: DataRequest) -> None:
    """Tells that a request was refused; why, the request says to who may get it."""
    tx.emit(
        row.name,
        events.DataRequestRefused(
            request=row.name,
            resource=row.resource,
            consumer_region=row.consumer_region,
            decide_time=timestamp(tx.now),
        ),
    )
