"""Cases in PostgreSQL: the table, its record, and how one is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from services.cases.core import schema
from services.cases.core.states import CaseFacts, CaseState
from tongban.cases.v1 import resources_pb2 as pb

SEALED = Column("cases", "sealed")

cases = sa.Table(
    "cases",
    schema.METADATA,
    columns.record_id(),
    sa.Column("number", sa.Text),
    sa.Column("item", sa.Uuid(as_uuid=False), nullable=False),
    *columns.given("task_code", "category", "department", "state", "channel", "applicant"),
    columns.text("agent"),
    columns.text("mandate"),
    columns.text("created_by"),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    *columns.given("home_region", "receiving_region"),
    sa.Column("transfer", sa.Uuid(as_uuid=False)),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    columns.text("outcome"),
    columns.text("license"),
    columns.text("license_identifier"),
    columns.text("received_by"),
    columns.text("accepted_by"),
    columns.text("reviewed_by"),
    columns.text("rating"),
    sa.Column("delivery", sa.Uuid(as_uuid=False)),
    sa.Column("clock_start", sa.Date),
    # The days on which the clock stopped and went on in this period, in turn: with clock_start and extension_days all that
    # its deadlines are derived from.
    sa.Column("standstills", ARRAY(sa.Date), nullable=False, server_default="{}"),
    # For the sweeper's search and the order of queues only: the deadline as the calendar of that edition had it.
    sa.Column("due_date", sa.Date),
    sa.Column("calendar_edition", sa.Integer, nullable=False, server_default="0"),
    sa.Column("extension_days", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("steps", sa.Integer, nullable=False),
    columns.moment("submit_time"),
    columns.moment("accept_time"),
    columns.moment("decide_time"),
    columns.moment("close_time"),
    columns.moment("deliver_time"),
    columns.moment("end_time"),
    columns.moment("rate_time"),
    *columns.life(),
    columns.text("received_human"),
    columns.text("accepted_human"),
    sa.Index("cases_number", "number", unique=True),
    sa.Index("cases_applicant", "applicant", "create_time", "id"),
    sa.Index("cases_agent", "agent", "create_time", "id", postgresql_where=sa.text("agent <> ''")),
    # Lists: in the order of creation of all, of a department, of a department in one state.
    sa.Index("cases_created", "create_time", "id"),
    sa.Index("cases_of_department", "department", "create_time", "id"),
    sa.Index("cases_department", "department", "state", "create_time", "id"),
    sa.Index("cases_recount", "calendar_edition", "id", postgresql_where=sa.text("calendar_edition > 0")),
    # BRIN: the times grow with the table, and PostgreSQL 16+ keeps an update that touches only these a HOT one.
    sa.Index(
        "cases_times",
        *("create_time", "submit_time", "accept_time", "decide_time", "close_time", "rate_time"),
        postgresql_using="brin",
    ),
    comment="Cases. sealed: tongban.cases.v1.Case with title, parties, materials, form, correction, decision.",
)


@of(cases)
@dataclass(slots=True)
class CaseRow:
    """The columns of a case. Who changes a case holds its lock, changes the record, and has it written as a whole."""

    id: str
    item: str
    task_code: str
    category: str
    department: str
    channel: str
    applicant: str
    assurance: int
    home_region: str
    receiving_region: str
    create_time: datetime
    update_time: datetime
    agent: str = ""
    mandate: str = ""
    created_by: str = ""
    transfer: str | None = None
    sealed: bytes = b""
    number: str | None = None
    state: CaseState = CaseState.DRAFT
    outcome: str = ""
    license: str = ""
    license_identifier: str = ""
    received_by: str = ""
    accepted_by: str = ""
    reviewed_by: str = ""
    rating: str = ""
    delivery: str | None = None
    clock_start: date | None = None
    standstills: list[date] = field(default_factory=list)
    due_date: date | None = None
    calendar_edition: int = 0
    extension_days: int = 0
    steps: int = 1
    submit_time: datetime | None = None
    accept_time: datetime | None = None
    decide_time: datetime | None = None
    close_time: datetime | None = None
    deliver_time: datetime | None = None
    end_time: datetime | None = None
    rate_time: datetime | None = None
    version: int = 1
    received_human: str = ""
    accepted_human: str = ""


@dataclass(slots=True)
class CaseRecord(CaseRow):
    """A case with its sealed part opened as ``content``. Set ``changed`` where that was changed."""

    content: pb.Case = field(default_factory=pb.Case)
    changed: bool = False

    @property
    def name(self) -> str:
        """`cases/<id>`."""
        return f"cases/{self.id}"

    @property
    def license_failed(self) -> bool:
        """Whether the licence that was decided on could not be issued, and it was not decided anew yet."""
        return bool(self.content.license_failures)

    def facts(self, **more: object) -> CaseFacts:
        """Returns what the state machine needs to know."""
        return CaseFacts(
            name=self.name,
            state=self.state,
            received_by=self.received_human,
            accepted_by=self.accepted_human,
            correction_asked=bool(self.content.corrections),
            **more,  # type: ignore[arg-type]
        )


COLUMNS = tuple(each.name for each in fields(CaseRow))
_BY_ID = Query(CaseRecord, "SELECT {columns} FROM cases WHERE id = CAST(:id AS uuid)")
_SEVERAL = Query(CaseRecord, "SELECT {columns} FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")
_LOCK = Query(CaseRecord, "SELECT {columns} FROM cases WHERE id = CAST(:id AS uuid) FOR UPDATE")
_BY_NUMBER = Query(CaseRecord, "SELECT {columns} FROM cases WHERE number = :number")


def id_of(name: str) -> str:
    """Returns the last part of a resource's name."""
    return name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class CaseStore:
    """Reads cases, and opens what of them is encrypted."""

    database: Database
    cipher: FieldCipher

    def opened(self, record: CaseRecord) -> CaseRecord:
        """Opens the sealed part of a record that was read just now."""
        record.content = pb.Case.FromString(self.cipher.decrypt(SEALED, record.id, record.sealed))
        return record

    async def get(self, name: str) -> CaseRecord:
        """Reads a case by its name; raises NotFound."""
        async with self.database.read() as connection:
            return self._found(await _BY_ID.first(connection, id=id_of(name)), name)

    async def several(self, names: Sequence[str]) -> list[CaseRecord]:
        """Reads cases by their names, in that order; raises NotFound for the first that is not there."""
        async with self.database.read() as connection:
            found = {each.name: each for each in await _SEVERAL.all(connection, ids=[id_of(name) for name in names])}
        return [self._found(found.get(name), name) for name in names]

    async def by_number(self, number: str) -> CaseRecord:
        """Reads the case with this number; raises NotFound."""
        async with self.database.read() as connection:
            return self._found(await _BY_NUMBER.first(connection, number=number), "cases")

    async def lock(self, connection: DatabaseConnection, name: str) -> CaseRecord:
        """Reads a case and keeps others from changing it; raises NotFound."""
        return self._found(await _LOCK.first(connection, id=id_of(name)), name)

    def _found(self, record: CaseRecord | None, name: str) -> CaseRecord:
        if record is None:
            raise not_found(name)
        return self.opened(record)
