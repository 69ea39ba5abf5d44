"""Requests in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Delete, Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order
from services.sharing.core import schema
from services.sharing.core.schema import PATHS
from services.sharing.requests.rules import RequestProgress, RequestState
from tongban.sharing.v1 import resources_pb2 as pb
from tongban.sharing.v1.grant_service_pb2 import ListDataRequestsRequest

requests = sa.Table(
    "requests",
    schema.METADATA,
    columns.record_id(),
    schema.resource_id(),
    *schema.sides(),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("applicant", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("responsible_person", sa.LargeBinary, nullable=False),
    sa.Column("responsible_phone", sa.LargeBinary, nullable=False),
    columns.moment("submit_time"),
    sa.Column("answer_days", sa.SmallInteger),
    columns.moment("pre_review_time"),
    columns.text("pre_reviewer"),
    columns.moment("review_time"),
    columns.text("reviewer"),
    sa.Column("opinions", JSONB, nullable=False, server_default="[]"),
    columns.moment("decide_time"),
    columns.text("decider"),
    columns.text("refusal_reason"),
    sa.Column("grant_id", sa.Uuid(as_uuid=False)),
    sa.Column("supply_days", sa.SmallInteger),
    # Which human beings asked and reviewed: separation is told by them, not by their records.
    columns.text("applicant_human"),
    columns.text("pre_reviewer_human"),
    columns.text("reviewer_human"),
    *columns.life(),
    sa.Index("requests_resource", "resource_id"),
    *schema.listed("requests"),
    comment="Requests; content holds RequestContent without the responsible person, who stands encrypted beside it.",
)


@dataclass(frozen=True, slots=True)
class SharingOpinion:
    """What a reviewer said; ``state`` is that which the request came to, ``time`` in ISO 8601."""

    state: str
    reviewer: str
    time: str
    text: str


@of(requests)
@dataclass(frozen=True, slots=True)
class DataRequest:
    """A request for data. Its deadlines are derived: from when a period began, and how many working days it has."""

    id: str
    resource_id: str
    provider_department: str
    consumer_region: str
    departments: tuple[str, ...]
    applicant: str
    content: bytes
    responsible_person: bytes
    responsible_phone: bytes
    applicant_human: str
    create_time: datetime
    update_time: datetime
    state: RequestState = RequestState.DRAFT
    submit_time: datetime | None = None
    answer_days: int | None = None
    pre_review_time: datetime | None = None
    pre_reviewer: str = ""
    pre_reviewer_human: str = ""
    review_time: datetime | None = None
    reviewer: str = ""
    reviewer_human: str = ""
    opinions: tuple[SharingOpinion, ...] = ()
    decide_time: datetime | None = None
    decider: str = ""
    refusal_reason: str = ""
    grant_id: str | None = None
    supply_days: int | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"dataRequests/{self.id}"

    @property
    def resource(self) -> str:
        """The name of the resource whose data are asked for."""
        return f"dataResources/{self.resource_id}"

    def progress(self) -> RequestProgress:
        """Returns how far it has come, and who brought it there."""
        return RequestProgress(
            name=self.name,
            state=self.state,
            applicant=self.applicant_human,
            pre_reviewer=self.pre_reviewer_human,
            reviewer=self.reviewer_human,
        )


ADD, UPDATE, DELETE = Addition(DataRequest), Update(DataRequest), Delete(DataRequest)
BY_ID = Query(DataRequest, "SELECT {columns} FROM requests WHERE id = CAST(:id AS uuid)")
_LOCK = Query(DataRequest, "SELECT {columns} FROM requests WHERE id = CAST(:id AS uuid) FOR UPDATE")
LISTED = FilteredList(
    DataRequest,
    ListDataRequestsRequest,
    requests,
    {
        "content.resource": fields.named("resource_id", "dataResources"),
        "content.terms.consumer_region": fields.text("consumer_region"),
        "content.terms.departments": fields.names("departments", "departments"),
        "state": fields.choice("state", pb.DataRequestState),
        **{name: fields.text(name) for name in ("applicant", "pre_reviewer", "reviewer", "decider")},
        "grant": fields.named("grant_id", "dataGrants", nullable=True),
        "create_time": fields.moment("create_time"),
        **{
            name: fields.moment(name, nullable=True)
            for name in ("submit_time", "pre_review_time", "review_time", "decide_time")
        },
    },
    {"create_time": Order(("create_time", "id"), PATHS)},
    "create_time desc",
)


async def lock_request(connection: DatabaseConnection, key: str) -> DataRequest:
    """Reads a request and keeps others from changing it; raises NotFound."""
    found = await _LOCK.first(connection, id=key)
    if found is None:
        raise not_found(f"dataRequests/{key}")
    return found
