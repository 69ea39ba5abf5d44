"""Between rows, rules and messages: enum names, and the messages of cases."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from libs.db.etag import etag_of
from libs.ids import names
from libs.ids.documents import mask_document_number
from libs.rpc.messages import Names, date_message, timestamp
from libs.values.messages import documents_of
from services.cases.core.cases import CaseRecord
from services.cases.core.clock import ClockReading
from services.cases.core.items import CHANNELS, ItemVersion
from services.cases.core.states import public_status
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb

STATES, ACTIONS, OUTCOMES = Names(pb.CaseState), Names(pb.CaseAction), Names(pb.Outcome)
LIGHTS, PROCEDURES = Names(pb.Light), Names(pb.SpecialProcedure)
SATISFACTION = Names(pb.SatisfactionLevel)
_TIMES = (
    *("create_time", "update_time", "submit_time", "accept_time"),
    *("decide_time", "close_time", "deliver_time", "end_time"),
)


def case_message(record: CaseRecord, item: ItemVersion, reading: ClockReading | None, *, whole: bool = True) -> pb.Case:
    """Builds a case's message, with its materials and form only where ``whole``; ``reading`` is that of its clock."""
    message = pb.Case()
    message.CopyFrom(record.content)
    if not whole:
        message.ClearField("materials")
        message.ClearField("form_values")
    message.MergeFrom(_codes(record))
    promised = reading.promised_deadline if reading and record.accept_time else None
    times: dict[str, Any] = {name: timestamp(getattr(record, name)) for name in _TIMES}
    message.MergeFrom(
        pb.Case(
            item_version=item.number,
            item_display_name=item.content.display_name,
            promised_date=date_message(promised),
            light=LIGHTS.number(reading.light if reading else ""),
            etag=etag_of(record.version),
            **times,
        )
    )
    if not message.title:
        message.title = item.content.display_name
    return message


def keep_at_home(message: pb.Case) -> None:
    """Takes out of a case's message what no list says of a case of another region: how parties are reached, and their documents' numbers."""
    for party in (message.applicant, *([message.agent] if message.HasField("agent") else ())):
        document = party.document
        document.number = mask_document_number(document.type_code, document.number)
        party.ClearField("phone")
    message.applicant.ClearField("address")


def _codes(record: CaseRecord) -> pb.Case:
    return pb.Case(
        name=record.name,
        number=record.number or "",
        item=f"serviceItems/{record.item}",
        task_code=record.task_code,
        state=STATES.number(record.state),
        public_status=int(public_status(record.state)),  # type: ignore[arg-type]
        assurance=record.assurance,
        home_region=record.home_region,
        receiving_region=record.receiving_region,
        channel=CHANNELS.number(record.channel),
        department=record.department,
        transfer=f"caseTransfers/{record.transfer}" if record.transfer else "",
        results=results(record),
        received_by=record.received_by,
        accepted_by=record.accepted_by,
        reviewed_by=record.reviewed_by,
        rating=SATISFACTION.number(record.rating),
        deliveries=[f"caseDeliveries/{record.delivery}"] if record.delivery else [],
    )


def results(record: CaseRecord, region: str = "") -> list[pb.CaseResult]:
    """Returns what a case yielded, in names with ``region`` (`//<region>/`) in front of them; a row holds one licence."""
    if not record.license:
        return []
    return [pb.CaseResult(license=f"{region}{record.license}", license_identifier=record.license_identifier)]


def summary(record: CaseRecord, item: ItemVersion, actor: str, now: datetime) -> events.CaseSummary:
    """Builds what every event of a case tells."""
    return events.CaseSummary(
        name=record.name,
        number=record.number or "",
        item=f"serviceItems/{record.item}",
        task_code=record.task_code,
        item_display_name=item.content.display_name,
        category=record.category,
        state=STATES.number(record.state),
        applicant=record.applicant,
        agent=record.agent,
        department=record.department,
        channel=CHANNELS.number(record.channel),
        transfer=f"caseTransfers/{record.transfer}" if record.transfer else "",
        actor=actor,
        event_time=timestamp(now),
        sequence=record.steps,
        receiving_region=record.receiving_region,
        home_region=record.home_region,
        license_type_codes=sorted({code for each in item.content.materials for code in each.license_type_codes}),
        legal_basis=item.content.legal_basis,
    )


def files_of(content: pb.Case, here: str) -> list[str]:
    """Returns the files that the materials and the form of a case refer to, each once, as this region names them."""
    materials = (material.reference.material for material in content.materials)
    named = dict.fromkeys((*materials, *documents_of(content.form_values)))
    return [str(names.parse(name, "material").relative_to(here)) for name in named if name]


def codes_of(materials: Iterable[pb.CaseMaterial]) -> tuple[str, ...]:
    """Returns the codes of the materials of a case."""
    return tuple(material.reference.code for material in materials)
