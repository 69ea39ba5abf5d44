"""The uses of seals that are on record, as they are read and listed."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.seal.core.sealings import sealing_batches as batches
from services.seal.core.sealings import sealing_outcomes as outcomes
from services.seal.core.sealings import sealings
from services.seal.core.seals import found
from services.seal.sealing.rules import SealingKind, SealingState
from tongban.seal.v1 import resources_pb2 as pb
from tongban.seal.v1.sealing_service_pb2 import ListSealingsRequest


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
(
  SELECT s.id, s.number, s.seal, s.digest, s.data_digest, s.create_time, s.case_name, b.certificate, b.kind, b.source_digest,
    b.use_context, b.purpose_code, b.service_item, b.user_name, b.approver, coalesce(o.state, 'COMMITTED') AS state, o.result_digest, o.outcome_time,
    coalesce(o.void_reason, '') AS void_reason
  FROM sealings AS s JOIN sealing_batches AS b ON b.id = s.batch LEFT JOIN sealing_outcomes AS o ON o.batch = s.batch
)
""".strip()
_SIGNED, _VOIDED = (f"CASE WHEN state = '{each}' THEN outcome_time END" for each in ("SIGNED", "VOIDED"))
LISTED = FilteredList(
    SealingView,
    ListSealingsRequest,
    sealings,
    {
        "number": fields.text("number"),
        "seal": fields.named("seal", "seals"),
        "certificate": fields.named("certificate", "certificates"),
        "kind": fields.choice("kind", pb.SealingKind),
        "state": fields.choice("state", pb.SealingState),
        "use_context.case": fields.text("case_name"),
        **{f"use_context.{name}": fields.text(name) for name in ("purpose_code", "service_item")},
        "user": fields.text("user_name"),
        "approvals.approver": fields.elsewhere("approver", fields.text("approver"), "approver = {value}"),
        "create_time": fields.moment("create_time"),
        "sign_time": fields.moment(_SIGNED, nullable=True),
        "void_time": fields.moment(_VOIDED, nullable=True),
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (
                Path(),
                Path(("seal",)),
                Path(("number",), few=True),
                Path(("case_name",), "case_name <> ''"),
            ),
        )
    },
    "create_time desc",
    _SHOWN,
)
_BY_ID = Query(SealingView, f"SELECT {{columns}} FROM {_SHOWN} AS shown WHERE id = CAST(:id AS uuid)")  # noqa: S608 - texts of our own


async def read(database: Database, name: str) -> SealingView:
    """Reads one use; raises NotFound."""
    async with database.read() as connection:
        return found(await _BY_ID.first(connection, id=name.removeprefix("sealings/")), name)
