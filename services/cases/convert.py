"""Between rows, domain and messages: enum names, dates, and the messages of cases."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from libs.db.etag import etag_of
from libs.errors import invalid_field
from libs.ids import names
from libs.rpc.timestamps import timestamp
from services.cases.domain.clock import Reading
from services.cases.domain.states import CaseState, public_status
from services.cases.store.cases import CaseRecord
from tongban.cases.v1 import (
    calendar_service_pb2,
    delivery_service_pb2,
    exchange_service_pb2,
    item_service_pb2,
    rating_service_pb2,
    task_service_pb2,
)
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2


class Names:
    """An enum of the contract by the names that rows and domain use: its values without their prefix."""

    def __init__(self, enum: Any, prefix: str) -> None:
        self._numbers: dict[str, int] = {name.removeprefix(prefix): number for name, number in enum.items()}
        self._names = {number: name for name, number in self._numbers.items()}
        self._names[0], self._numbers[""] = "", 0

    def number(self, name: str) -> Any:
        """Returns the contract's value of ``name``; 0 for an empty one."""
        return self._numbers[name]

    def name(self, number: int) -> str:
        """Returns the name of the contract's value; empty for 0."""
        return self._names[number]


STATE = Names(pb.CaseState, "CASE_STATE_")
ACTION = Names(pb.CaseAction, "CASE_ACTION_")
OUTCOME = Names(pb.Outcome, "OUTCOME_")
CHANNEL = Names(pb.Channel, "CHANNEL_")
APPLICANT_TYPE = Names(pb.ApplicantType, "APPLICANT_TYPE_")
LIGHT = Names(pb.Light, "LIGHT_")
PROCEDURE = Names(pb.SpecialProcedure, "SPECIAL_PROCEDURE_")
SATISFACTION = Names(pb.SatisfactionLevel, "SATISFACTION_LEVEL_")
METHOD = Names(pb.DeliveryMethod, "DELIVERY_METHOD_")
MODE = Names(pb.CrossRegionMode, "CROSS_REGION_MODE_")
ITEM_STATE = Names(item_service_pb2.ItemState, "ITEM_STATE_")
HANDLING = Names(item_service_pb2.HandlingKind, "HANDLING_KIND_")
DAY_KIND = Names(calendar_service_pb2.DayKind, "DAY_KIND_")
TASK_KIND = Names(task_service_pb2.TaskKind, "TASK_KIND_")
TASK_STATE = Names(task_service_pb2.TaskState, "TASK_STATE_")
DELIVERY_STATE = Names(delivery_service_pb2.DeliveryState, "DELIVERY_STATE_")
RATING_KIND = Names(rating_service_pb2.RatingKind, "RATING_KIND_")
RATING_CHANNEL = Names(rating_service_pb2.RatingChannel, "RATING_CHANNEL_")
TRANSFER_STATE = Names(exchange_service_pb2.TransferState, "TRANSFER_STATE_")
DIRECTION = Names(exchange_service_pb2.TransferDirection, "TRANSFER_DIRECTION_")


def date_message(day: date | None) -> common_pb2.Date | None:
    """Returns a day as a message; None stays None, which a message takes as "not set"."""
    return common_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None


def day_of(message: common_pb2.Date, field: str) -> date:
    """Returns the day that a message says; raises FIELD_INVALID where the calendar has no such day."""
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        raise invalid_field(field, "date.exists", "is no day of the calendar") from None


def aware(moment: Any) -> datetime:
    """Returns a Timestamp as an aware datetime in UTC."""
    found: datetime = moment.ToDatetime(tzinfo=UTC)
    return found


def id_of(name: str) -> str:
    """Returns the last part of a resource's name."""
    return name.rpartition("/")[2]


def case_message(
    record: CaseRecord, item_name: str, item_version: int, reading: Reading | None, *, whole: bool = True
) -> pb.Case:
    """Builds a case's message, with its materials and form only where ``whole``; ``reading`` is that of its clock."""
    light = str(reading.light) if reading else ""
    promised = reading.promised_deadline if reading and record.accept_time else None
    message = pb.Case()
    message.CopyFrom(record.content)
    if not whole:
        message.ClearField("materials")
        message.ClearField("form_values")
    state = CaseState(record.state)
    message.MergeFrom(
        pb.Case(
            name=record.name,
            number=record.number or "",
            item=f"items/{record.item}",
            task_code=record.task_code,
            item_version=item_version,
            item_display_name=item_name,
            state=STATE.number(record.state),
            public_status=int(public_status(state)),  # type: ignore[arg-type]
            assurance=record.assurance,
            home_region=record.home_region,
            receiving_region=record.receiving_region,
            channel=CHANNEL.number(record.channel),
            department=record.department,
            transfer=f"transfers/{record.transfer}" if record.transfer else "",
            license=record.license,
            license_identifier=record.license_identifier,
            received_by=record.received_by,
            accepted_by=record.accepted_by,
            reviewed_by=record.reviewed_by,
            promised_date=date_message(promised),
            light=LIGHT.number(light),
            rating=SATISFACTION.number(record.rating),
            delivery=f"deliveries/{record.delivery}" if record.delivery else "",
            create_time=timestamp(record.create_time),
            update_time=timestamp(record.update_time),
            submit_time=timestamp(record.submit_time),
            accept_time=timestamp(record.accept_time),
            decide_time=timestamp(record.decide_time),
            close_time=timestamp(record.close_time),
            deliver_time=timestamp(record.deliver_time),
            end_time=timestamp(record.end_time),
            etag=etag_of(record.version),
        )
    )
    if not message.title:
        message.title = item_name
    return message


def summary(record: CaseRecord, item_name: str, actor: str, now: datetime) -> events.CaseSummary:
    """Builds what every event of a case tells."""
    return events.CaseSummary(
        name=record.name,
        number=record.number or "",
        item=f"items/{record.item}",
        task_code=record.task_code,
        item_display_name=item_name,
        category=record.category,
        state=STATE.number(record.state),
        applicant=record.applicant,
        agent=record.agent,
        department=record.department,
        channel=CHANNEL.number(record.channel),
        transfer=f"transfers/{record.transfer}" if record.transfer else "",
        actor=actor,
        event_time=timestamp(now),
        sequence=record.steps,
        receiving_region=record.receiving_region,
        home_region=record.home_region,
    )


def files_of(materials: Iterable[pb.CaseMaterial], here: str) -> list[str]:
    """Returns the files that the materials of a case refer to, as this region names them."""
    named = (material.reference.material for material in materials)
    return [str(names.parse(name, "material").relative_to(here)) for name in named if name]


def codes_of(materials: Iterable[pb.CaseMaterial]) -> tuple[str, ...]:
    """Returns the codes of the materials of a case."""
    return tuple(material.reference.code for material in materials)
