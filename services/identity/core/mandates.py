"""Mandates in PostgreSQL, and what other regions asserted of theirs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.errors import not_found
from services.identity.core import schema
from services.identity.core.mandate_chain import MandateChain
from services.identity.core.mandate_rules import Mandate, check_left
from services.identity.core.names import id_of

PASSED_ON = "parent <> ''"
"""What was not given by the principal itself."""

mandates = sa.Table(
    "mandates",
    schema.METADATA,
    columns.record_id(),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("all_items", sa.Boolean, nullable=False),
    columns.texts("item_codes"),
    columns.texts("powers"),
    sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("acceptance_required", sa.Boolean, nullable=False),
    sa.Column("granter", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    columns.moment("accept_time"),
    columns.moment("revoke_time"),
    columns.text("revoke_reason"),
    columns.no("guardian"),
    columns.no("sub_delegable"),
    columns.text("parent"),
    sa.Column("regions", ARRAY(sa.Text)),
    columns.text("evidence"),
    columns.texts("witnesses", empty=True),
    schema.backers(),
    columns.counted("max_uses"),
    columns.counted("uses"),
    *columns.life(),
    sa.Index("mandates_created", "create_time", "id"),
    sa.Index("mandates_of_principal", "principal", "create_time", "id"),
    sa.Index("mandates_of_agent", "agent", "create_time", "id"),
    sa.Index("mandates_of_parent", "parent", "create_time", "id", postgresql_where=sa.text(PASSED_ON)),
    sa.Index("mandates_passed_on_by", "granter", "create_time", "id", postgresql_where=sa.text(PASSED_ON)),
    comment="Who may act for whom; the state EXPIRED follows from expire_time and is never stored.",
)
of(mandates)(Mandate)

asserted_rights = sa.Table(
    "asserted_rights",
    schema.METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("mandate", sa.Text, primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    columns.texts("item_codes"),
    columns.texts("powers"),
    columns.moment("expire_time"),
    sa.Column("assert_time", sa.DateTime(timezone=True), nullable=False),
    columns.text("transaction"),
    sa.Index("asserted_rights_transaction", "transaction"),
    comment="What other regions last asserted of their people's rights to act; the mandate is empty for representatives.",
)


@of(asserted_rights)
@dataclass(frozen=True, slots=True)
class AssertedRight:
    """What another region last asserted of a right to act; the names are foreign ones, the mandate may be empty.

    ``transaction`` is the `txn` of the assertion; empty where it has none that is a UUID.
    """

    person: str
    principal: str
    mandate: str
    region: str
    item_codes: tuple[str, ...]
    powers: tuple[str, ...]
    expire_time: datetime | None
    assert_time: datetime
    transaction: str = ""


mandate_uses = sa.Table(
    "mandate_uses",
    schema.METADATA,
    sa.Column("mandate", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("token", sa.Text, primary_key=True),
    columns.moment("use_time", nullable=False),
    sa.Index("mandate_uses_time", "use_time"),
    comment="By which tokens of their agents mandates were used that may be used so many times; for as long as such a token lives.",
)


@of(mandate_uses)
@dataclass(frozen=True, slots=True)
class MandateUse:
    """A use of a mandate: by which token of its agent, named by its `jti`."""

    mandate: str
    token: str
    use_time: datetime


_BY_ID = Query(Mandate, "SELECT {columns} FROM mandates WHERE id = CAST(:id AS uuid)")
_LOCK = Query(Mandate, "SELECT {columns} FROM mandates WHERE id = CAST(:id AS uuid) FOR UPDATE")


_USE = Query(
    MandateUse,
    """INSERT INTO mandate_uses (mandate, token, use_time) VALUES (CAST(:mandate AS uuid), :token, :now)
    ON CONFLICT DO NOTHING RETURNING {columns}""",
)
_COUNT = Query(
    Mandate,
    """UPDATE mandates SET uses = uses + 1, update_time = CAST(:changed AS timestamptz), version = version + 1
    WHERE id = CAST(:id AS uuid) RETURNING {columns}""",
)
_FORGET_USES = Query(
    MandateUse,
    """DELETE FROM mandate_uses WHERE (mandate, token) IN (
      SELECT mandate, token FROM mandate_uses WHERE use_time < CAST(:before AS timestamptz) LIMIT 100 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)
_USES_KEPT = timedelta(hours=1)
"""Longer than any token lives by which a use may come again."""


async def use(connection: DatabaseConnection, link: Mandate, token: str, *, now: datetime, wall: datetime) -> bool:
    """Counts a use of a mandate by a token, named by its `jti`; says whether it was none before.

    Whoever uses it at the same time waits, and is judged by what was counted.

    Args:
        connection: a transaction.
        link: the mandate.
        token: the token that its agent showed.
        now: the business time.
        wall: the machine's, by which tokens live.

    Raises:
        PermissionDenied: MANDATE_USED_UP.
    """
    await _FORGET_USES.all(connection, before=wall - _USES_KEPT)
    locked = await mandate(connection, link.name, lock=True)
    if await _USE.first(connection, mandate=link.id, token=token, now=wall) is None:
        return False
    check_left(locked)
    await _COUNT.one(connection, id=link.id, changed=now)
    return True


async def mandate(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Mandate:
    """Reads a mandate of this region, locked for change if wished; raises NotFound."""
    found = await (_LOCK if lock else _BY_ID).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def chain(connection: DatabaseConnection, name: str) -> MandateChain:
    """Reads a mandate of this region and what it was passed on from; raises NotFound."""
    found = await mandate(connection, name)
    return MandateChain(found, await mandate(connection, found.parent) if found.parent else None)
