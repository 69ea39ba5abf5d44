"""The uses of seals that are on record, as they are read and listed."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.query import Page, Query, joined, of
from services.seal.core.sealings import sealing_batches as batches
from services.seal.core.sealings import sealing_outcomes as outcomes
from services.seal.core.sealings import sealings
from services.seal.core.seals import found
from services.seal.sealing.rules import SealingKind, SealingState


@of(
    joined(
        id=sealings.c.id,
        number=sealings.c.number,
        seal=sealings.c.seal,
        digest=sealings.c.digest,
        data_digest=sealings.c.data_digest,
        certificate=batches.c.certificate,
        kind=batches.c.kind,
        source_digest=batches.c.source_digest,
        use_context=batches.c.use_context,
        user_name=batches.c.user_name,
        approver=batches.c.approver,
        create_time=batches.c.create_time,
        state=outcomes.c.state,
        result_digest=outcomes.c.result_digest,
        outcome_time=sa.Column(type_=sa.DateTime(timezone=True)),
        void_reason=outcomes.c.void_reason,
    )
)
@dataclass(frozen=True, slots=True)
class SealingView:
    """One use of a seal as it is shown."""

    id: str
    number: str
    seal: str
    digest: bytes
    data_digest: bytes
    certificate: str
    kind: SealingKind
    source_digest: bytes | None
    use_context: bytes
    user_name: str
    approver: str
    create_time: datetime
    state: SealingState
    result_digest: bytes | None
    outcome_time: datetime | None
    void_reason: str


_SHOWN = """
{columns} FROM (
  SELECT s.id, s.number, s.seal, s.digest, s.data_digest, b.certificate, b.kind, b.source_digest, b.use_context, b.user_name,
    b.approver, b.create_time, coalesce(o.state, 'COMMITTED') AS state, o.result_digest, o.outcome_time,
    coalesce(o.void_reason, '') AS void_reason, b.case_name
  FROM sealings AS s JOIN sealing_batches AS b ON b.id = s.batch LEFT JOIN sealing_outcomes AS o ON o.batch = s.batch
) AS shown
"""
_BY_ID = Query(SealingView, f"SELECT {_SHOWN} WHERE id = CAST(:id AS uuid)")
_LISTED = Page(
    SealingView,
    _SHOWN,
    "id DESC",
    {
        "seal": "seal = CAST(:seal AS uuid)",
        "state": "state = :state",
        "case_name": "case_name = :case_name",
        "number": "number = :number",
        "before": "id < CAST(:before AS uuid)",
    },
)


async def read(database: Database, name: str) -> SealingView:
    """Reads one use; raises NotFound."""
    async with database.read() as connection:
        return found(await _BY_ID.first(connection, id=name.removeprefix("sealings/")), name)


async def page(database: Database, size: int, **filters: str | int | None) -> list[SealingView]:
    """Lists uses, newest first; filters: ``seal`` (an id), ``state``, ``case_name``, ``number``, ``before`` (an id)."""
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, **filters)
