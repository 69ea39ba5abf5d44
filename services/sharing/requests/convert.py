"""Requests as messages, and what of a message is stored."""

from datetime import date, datetime
from typing import Any

from libs.civil.calendar import Calendar, local_day
from libs.crypto.envelope import Column, FieldCipher
from libs.db.etag import etag_of
from libs.rpc.messages import Names, date_message, timestamp
from services.sharing.core.participants import Participant
from services.sharing.core.resources import CatalogueResource
from services.sharing.requests.store import DataRequest, SharingOpinion
from tongban.sharing.v1 import resources_pb2 as pb

REQUEST_STATES = Names(pb.DataRequestState)
_PERSON = Column("requests", "responsible_person")
_PHONE = Column("requests", "responsible_phone")


def drafted(
    key: str,
    content: pb.RequestContent,
    behind: CatalogueResource,
    caller: Participant,
    cipher: FieldCipher,
    now: datetime,
) -> DataRequest:
    """Returns the record of a new request for what is ``behind`` it; the responsible person stands encrypted."""
    return DataRequest(
        id=key,
        resource_id=behind.id,
        provider_department=behind.provider_department,
        applicant=caller.subject,
        applicant_human=caller.actor.human,
        create_time=now,
        update_time=now,
        **written(key, content, cipher),
    )


def written(key: str, content: pb.RequestContent, cipher: FieldCipher) -> dict[str, Any]:
    """Returns what can be written of a draft more than once, by column; the responsible person stands encrypted."""
    kept = pb.RequestContent()
    kept.CopyFrom(content)
    kept.ClearField("responsible_person")
    kept.ClearField("responsible_phone")
    return {
        "consumer_region": content.terms.consumer_region,
        "departments": tuple(content.terms.departments),
        "content": kept.SerializeToString(),
        "responsible_person": cipher.encrypt_text(_PERSON, key, content.responsible_person),
        "responsible_phone": cipher.encrypt_text(_PHONE, key, content.responsible_phone),
    }


def request_message(row: DataRequest, cipher: FieldCipher, calendar: Calendar) -> pb.DataRequest:
    """Builds a request's message, with the responsible person in clear: applicant and provider must reach them.

    Its deadlines are derived here from what is stored: when a period began and how long it is.
    """
    return pb.DataRequest(
        name=row.name,
        state=REQUEST_STATES.number(row.state.value),
        content=_content(row, cipher),
        applicant=row.applicant,
        submit_time=timestamp(row.submit_time),
        answer_due_date=date_message(_due(row.submit_time, row.answer_days, calendar)),
        pre_review_time=timestamp(row.pre_review_time),
        pre_reviewer=row.pre_reviewer,
        review_time=timestamp(row.review_time),
        reviewer=row.reviewer,
        opinions=map(_opinion_message, row.opinions),
        decide_time=timestamp(row.decide_time),
        decider=row.decider,
        refusal_reason=row.refusal_reason,
        grant=f"dataGrants/{row.grant_id}" if row.grant_id else "",
        supply_due_date=date_message(_due(row.decide_time, row.supply_days, calendar)),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def _content(row: DataRequest, cipher: FieldCipher) -> pb.RequestContent:
    content = pb.RequestContent.FromString(row.content)
    content.responsible_person = cipher.decrypt_text(_PERSON, row.id, row.responsible_person)
    content.responsible_phone = cipher.decrypt_text(_PHONE, row.id, row.responsible_phone)
    return content


def _due(since: datetime | None, days: int | None, calendar: Calendar) -> date | None:
    """Returns the last day of a period of working days; None where it hasn't begun."""
    return calendar.add(local_day(since), days) if since and days is not None else None


def _opinion_message(opinion: SharingOpinion) -> pb.ReviewOpinion:
    return pb.ReviewOpinion(
        state=REQUEST_STATES.number(opinion.state),
        reviewer=opinion.reviewer,
        opinion_time=timestamp(datetime.fromisoformat(opinion.time)),
        text=opinion.text,
    )
