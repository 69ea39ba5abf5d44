"""Consents in PostgreSQL."""

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Insert, Query, Update, of
from libs.errors import not_found
from services.identity.consents.rules import Consent
from services.identity.core import schema
from services.identity.core.names import id_of

consents = sa.Table(
    "consents",
    schema.METADATA,
    columns.record_id(),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
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
    sa.Index("consents_subject", "subject", "id"),
    comment="Consents to the use of licences and data; EXPIRED follows from expire_time and is never stored.",
)
of(consents)(Consent)

ADD, UPDATE = Insert(Consent), Update(Consent)
_BY_ID = Query(Consent, "SELECT {columns} FROM consents WHERE id = CAST(:id AS uuid)")
_LOCK = Query(Consent, "SELECT {columns} FROM consents WHERE id = CAST(:id AS uuid) FOR UPDATE")


async def consent(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Consent:
    """Reads a consent, locked for change if wished; raises NotFound."""
    found = await (_LOCK if lock else _BY_ID).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found
