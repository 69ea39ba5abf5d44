"""Consents in PostgreSQL."""

from datetime import datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.consents.rules import Consent
from services.identity.core import schema
from services.identity.core.names import id_of
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.consent_service_pb2 import ListConsentsRequest

consents = sa.Table(
    "consents",
    schema.METADATA,
    columns.record_id(),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("purpose_code", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("case_name", sa.Text, nullable=False),
    columns.texts("resources"),
    sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("evidence", sa.LargeBinary),
    sa.Column("granter", sa.Text, nullable=False),
    sa.Column("mandate", sa.Text, nullable=False),
    sa.Column("witness", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    columns.moment("withdraw_time"),
    *columns.life(),
    sa.Index("consents_of_subject", "subject", "create_time", "id"),
    comment="Consents to the use of licences and data; EXPIRED follows from expire_time and is never stored.",
)
of(consents)(Consent)

_STATE = """
CASE WHEN state = 'ACTIVE' AND expire_time <= CAST(:now AS timestamptz) THEN 'EXPIRED' ELSE state END
""".strip()
LISTED = FilteredList(
    Consent,
    ListConsentsRequest,
    consents,
    {
        **{name: fields.text(name) for name in ("recipient", "purpose_code", "granter")},
        "case": fields.text("case_name"),
        "resources": fields.texts("resources"),
        "method": fields.choice("method", pb.ConsentMethod),
        "state": fields.choice(_STATE, pb.ConsentState),
        "start_time": fields.moment("begin_time"),
        "end_time": fields.moment("expire_time"),
        "create_time": fields.moment("create_time"),
        "withdraw_time": fields.moment("withdraw_time", nullable=True),
    },
    {"create_time": Order(("create_time", "id"), (Path(("subject",)),))},
    "create_time desc",
)
ADD, UPDATE = Addition(Consent), Update(Consent)
_BY_ID = Query(Consent, "SELECT {columns} FROM consents WHERE id = CAST(:id AS uuid)")
_LOCK = Query(Consent, "SELECT {columns} FROM consents WHERE id = CAST(:id AS uuid) FOR UPDATE")
_WITHDRAW = Query(
    Consent,
    """UPDATE consents SET state = 'WITHDRAWN', withdraw_time = CAST(:now AS timestamptz), update_time = :now,
      version = version + 1
    WHERE subject = :subject AND state = 'ACTIVE' AND expire_time > :now RETURNING {columns}""",
)


_RENAME = Query(
    Consent,
    """UPDATE consents SET subject = :new, update_time = :now, version = version + 1
    WHERE subject = :old RETURNING {columns}""",
)


async def rename_subject(connection: DatabaseConnection, old: str, new: str, now: datetime) -> None:
    """Has all consents to the use of somebody's data be of another name of theirs."""
    await _RENAME.all(connection, old=old, new=new, now=now)


async def withdraw_all(connection: DatabaseConnection, subject: str, now: datetime) -> list[Consent]:
    """Takes back whatever consents there are to the use of somebody's data."""
    return await _WITHDRAW.all(connection, subject=subject, now=now)


async def consent(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Consent:
    """Reads a consent, locked for change if wished; raises NotFound."""
    found = await (_LOCK if lock else _BY_ID).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found
