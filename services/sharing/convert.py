"""Rows and messages of the contract to the rules' own types, and rows to messages."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from libs.civil.calendar import Calendar, local_day
from libs.crypto.envelope import Column, FieldCipher
from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.rpc.timestamps import timestamp
from services.sharing.domain import mounts
from services.sharing.domain.catalog import DataField, DataType, Entry, ResourceForm, SharingClass
from services.sharing.domain.grants import (
    Grant,
    GrantState,
    Quota,
    RowCondition,
    RowOperator,
    Terms,
    same_day,
    state_at,
)
from services.sharing.values import read_value
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import resources_pb2 as pb

RESPONSIBLE_PERSON = Column("requests", "responsible_person")
RESPONSIBLE_PHONE = Column("requests", "responsible_phone")


def date_message(day: date | None) -> common_pb2.Date | None:
    """Returns a date as a message; None stays None."""
    return common_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None


def _moment(time: Timestamp) -> datetime:
    return time.ToDatetime(tzinfo=UTC)


# ---- catalogue and mounts ----


def entry_of(entry: pb.CatalogEntry) -> Entry:
    """Returns what the rules need to know of a catalogue entry."""
    return Entry(
        code=entry.code,
        form=ResourceForm(entry.form),
        sharing_class=SharingClass(entry.sharing_class),
        fields=tuple(_field_of(field) for field in entry.fields),
        sharing_condition=entry.sharing_condition,
        restriction_basis=entry.restriction_basis,
        open_to_public=entry.open_to_public,
    )


def _field_of(field: pb.DataField) -> DataField:
    own = SharingClass(field.sharing_class) if field.sharing_class else None
    return DataField(code=field.code, data_type=DataType(field.data_type), key=field.key, sharing_class=own)


def stored_entry(row: Row) -> Entry:
    """Returns the entry of a row of ``resources``."""
    return entry_of(pb.CatalogEntry.FromString(row.entry))


def resource_message(row: Row) -> pb.Resource:
    """Builds a catalogue entry's message."""
    return pb.Resource(
        name=f"resources/{row.id}",
        state=pb.ResourceState.Value(f"RESOURCE_STATE_{row.state}"),
        entry=pb.CatalogEntry.FromString(row.entry),
        submit_time=timestamp(row.submit_time),
        publish_time=timestamp(row.publish_time),
        mount=f"mounts/{row.mount_id}" if row.mount_id else "",
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def source_of(table: pb.TableSource) -> mounts.TableSource:
    """Returns a table source as the rules know it."""
    columns = tuple((mapping.field, mapping.column) for mapping in table.columns)
    return mounts.TableSource(table.data_source, table.schema, table.table, columns)


def mount_message(row: Row) -> pb.Mount:
    """Builds a mount's message."""
    check = (
        pb.MountCheck(
            check_time=timestamp(row.check_time),
            estimated_rows=row.estimated_rows,
            findings=row.findings,
            key_columns=row.key_columns,
        )
        if row.check_time
        else None
    )
    return pb.Mount(
        name=f"mounts/{row.id}",
        state=pb.MountState.Value(f"MOUNT_STATE_{row.state}"),
        resource=f"resources/{row.resource_id}",
        table=pb.TableSource.FromString(row.source),
        last_check=check,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


# ---- terms ----


def terms_of(terms: pb.GrantTerms, fields: Mapping[str, DataField]) -> Terms:
    """Returns terms as the rules know them.

    Raises InvalidArgument FIELD_INVALID where a row condition's value is not of its field's type. A condition on a field
    that the resource lacks keeps no values: :func:`services.sharing.domain.terms.check_terms` refuses it.
    """
    quota = terms.quota
    return Terms(
        consumer_region=terms.consumer_region,
        departments=frozenset(terms.departments),
        fields=frozenset(terms.fields),
        compare_fields=frozenset(terms.compare_fields),
        row_conditions=tuple(
            _condition_of(f"content.terms.row_conditions[{position}]", condition, fields)
            for position, condition in enumerate(terms.row_conditions)
        ),
        purpose=terms.purpose,
        case_required=terms.case_required,
        start=_moment(terms.start_time),
        end=_moment(terms.end_time),
        quota=Quota(
            queries_per_day=quota.queries_per_day, rows_per_query=quota.rows_per_query, rows_total=quota.rows_total
        ),
    )


def _condition_of(path: str, condition: pb.RowCondition, fields: Mapping[str, DataField]) -> RowCondition:
    field, operator = fields.get(condition.field), RowOperator(condition.operator)
    if field is None:
        return RowCondition(condition.field, operator, ())
    values = tuple(read_value(f"{path}.values[{n}]", field, value) for n, value in enumerate(condition.values))
    return RowCondition(condition.field, operator, values)


# ---- requests and grants ----


def due(since: datetime | None, days: int | None, calendar: Calendar) -> date | None:
    """Returns the last day of a period of working days; None where it hasn't begun."""
    return calendar.add(local_day(since), days) if since and days is not None else None


def request_message(row: Row, cipher: FieldCipher, calendar: Calendar) -> pb.SharingRequest:
    """Builds a request's message, with the responsible person in clear: applicant and provider must reach them.

    Its deadlines are derived here from what is stored: when a period began and how long it is.
    """
    content = pb.RequestContent.FromString(row.content)
    content.responsible_person = cipher.decrypt_text(RESPONSIBLE_PERSON, row.id, row.responsible_person)
    content.responsible_phone = cipher.decrypt_text(RESPONSIBLE_PHONE, row.id, row.responsible_phone)
    return pb.SharingRequest(
        name=f"requests/{row.id}",
        state=pb.RequestState.Value(f"REQUEST_STATE_{row.state}"),
        content=content,
        applicant=row.applicant,
        submit_time=timestamp(row.submit_time),
        answer_due_date=date_message(due(row.submit_time, row.answer_days, calendar)),
        pre_review_time=timestamp(row.pre_review_time),
        pre_reviewer=row.pre_reviewer,
        review_time=timestamp(row.review_time),
        reviewer=row.reviewer,
        opinions=[_opinion_message(opinion) for opinion in row.opinions],
        decide_time=timestamp(row.decide_time),
        decider=row.decider,
        refusal_reason=row.refusal_reason,
        grant=f"grants/{row.grant_id}" if row.grant_id else "",
        supply_due_date=date_message(due(row.decide_time, row.supply_days, calendar)),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def _opinion_message(opinion: Mapping[str, Any]) -> pb.ReviewOpinion:
    return pb.ReviewOpinion(
        state=pb.RequestState.Value(f"REQUEST_STATE_{opinion['state']}"),
        reviewer=opinion["reviewer"],
        opinion_time=timestamp(datetime.fromisoformat(opinion["time"])),
        text=opinion["text"],
    )


def grant_of(identifier: str, state: str, terms: bytes, entry: Entry) -> Grant:
    """Returns a stored grant as the rules know it."""
    known = terms_of(pb.GrantTerms.FromString(terms), entry.field_map())
    return Grant(f"grants/{identifier}", GrantState[state], known)


def grant_message(row: Row, entry: Entry, now: datetime, today: date) -> pb.Grant:
    """Builds the message of a grant row that carries its usage, with the state that holds at ``now``."""
    grant = grant_of(row.id, row.state, row.terms, entry)
    return pb.Grant(
        name=grant.name,
        state=pb.GrantState.Value(f"GRANT_STATE_{state_at(grant, now).name}"),
        resource=f"resources/{row.resource_id}",
        request=f"requests/{row.request_id}",
        legal_basis=row.legal_basis,
        terms=pb.GrantTerms.FromString(row.terms),
        queries_today=row.queries_today if same_day(row.day, today) else 0,
        rows_total=row.rows_total,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
