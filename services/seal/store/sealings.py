"""Reads and writes uses of seals: intents, outcomes, and what is still open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.audit.log import Entry
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.seal.domain.sealings import SealingState
from services.seal.tables import sealing_batches as batches
from services.seal.tables import sealing_outcomes as outcomes
from services.seal.tables import sealings

# One statement, one round trip, with the audit record in it. The unique key of an attempt breaks the whole of it; a seal
# that was changed since it was read leaves it without effect. FOR SHARE: revoking the seal waits for it, and it for that.
_COMMIT = sa.text("""
WITH seal AS (
  SELECT id FROM seals WHERE id = :seal AND version = :seal_version FOR SHARE
), batch AS (
  INSERT INTO sealing_batches (id, caller, method, request_id, attempt, request_digest, seal, certificate, kind,
    signing_time, source_digest, use_context, case_name, user_name, approver, create_time)
  SELECT :batch, :caller, :method, :request_id, :attempt, :request_digest, seal.id, :certificate, :kind,
    :signing_time, :source_digest, :use_context, :case_name, :user_name, '', :now FROM seal
  RETURNING id, seal
), opened AS (
  INSERT INTO sealing_open (batch) SELECT id FROM batch
), made AS (
  INSERT INTO sealings (id, number, batch, seal, place, digest, data_digest, property_info)
  SELECT i.id, i.number, batch.id, batch.seal, i.place, i.digest, i.data_digest, i.property_info
  FROM batch, unnest(:ids, :numbers, :digests, :data_digests, :property_infos) WITH ORDINALITY
    AS i (id, number, digest, data_digest, property_info, place)
), record AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash)
  SELECT :record, :now, :transaction_id, :object, :canonical, :leaf_hash FROM batch RETURNING seq
), pending AS (
  INSERT INTO audit_pending (seq) SELECT seq FROM record
)
SELECT id FROM batch
""").bindparams(
    *(sa.bindparam(name, type_=sa.Uuid(as_uuid=False)) for name in ("batch", "seal", "certificate")),
    *(sa.bindparam(name, type_=sa.Integer) for name in ("attempt", "seal_version")),
    *(
        sa.bindparam(name, type_=sa.Text)
        for name in (
            "caller",
            "method",
            "request_id",
            "kind",
            "case_name",
            "user_name",
            "record",
            "transaction_id",
            "object",
        )
    ),
    *(
        sa.bindparam(name, type_=sa.LargeBinary)
        for name in ("request_digest", "source_digest", "use_context", "canonical", "leaf_hash")
    ),
    *(sa.bindparam(name, type_=sa.DateTime(timezone=True)) for name in ("signing_time", "now")),
    *(sa.bindparam(name, type_=ARRAY(sa.LargeBinary)) for name in ("digests", "data_digests")),
    *(sa.bindparam(name, type_=ARRAY(sa.Text)) for name in ("numbers", "property_infos")),
    sa.bindparam("ids", type_=ARRAY(sa.Uuid(as_uuid=False))),
)

# The primary key of an outcome decides between a call that is late and the sweeper that has given it up. A seal that has
# ended since the intent signs no more: FOR SHARE, so that whoever ends it waits for the result, or the result for them.
_CLOSE = sa.text("""
WITH seal AS (
  SELECT s.id FROM sealing_batches AS b JOIN seals AS s ON s.id = b.seal
  WHERE b.id = :batch AND s.state = 'ACTIVE' AND :now <= LEAST(s.valid_until_time, s.certified_until_time)
  FOR SHARE OF s
), outcome AS (
  INSERT INTO sealing_outcomes (batch, state, signatures, result_digest, void_reason, outcome_time)
  SELECT :batch, :state, :signatures, :result_digest, :void_reason, :now
  WHERE :state = 'VOIDED' OR EXISTS (SELECT FROM seal)
  ON CONFLICT (batch) DO NOTHING RETURNING batch
)
DELETE FROM sealing_open USING outcome WHERE sealing_open.batch = outcome.batch RETURNING sealing_open.batch
""").bindparams(
    sa.bindparam("batch", type_=sa.Uuid(as_uuid=False)),
    *(sa.bindparam(name, type_=sa.Text) for name in ("state", "void_reason")),
    sa.bindparam("signatures", type_=ARRAY(sa.LargeBinary)),
    sa.bindparam("result_digest", type_=sa.LargeBinary),
    sa.bindparam("now", type_=sa.DateTime(timezone=True)),
)

_ATTEMPTS = sa.text("""
SELECT b.id, b.attempt, b.request_digest, o.state, w.commit_time < now() - :patience AS is_abandoned,
  (SELECT s.id FROM sealings s WHERE s.batch = b.id ORDER BY s.place LIMIT 1) AS sealing
FROM sealing_batches b LEFT JOIN sealing_outcomes o ON o.batch = b.id LEFT JOIN sealing_open w ON w.batch = b.id
WHERE b.caller = :caller AND b.method = :method AND b.request_id = :request_id
ORDER BY b.attempt DESC LIMIT 1
""").bindparams(sa.bindparam("patience", type_=sa.Interval))

ABANDONED_BATCHES = """
SELECT w.batch AS key, CAST(b.seal AS text) AS party FROM sealing_open AS w JOIN sealing_batches AS b ON b.id = w.batch
WHERE w.commit_time < now() - CAST(:age AS interval) OR w.commit_time > now() + interval '1 day'
"""
"""Batches that have been open for longer than an age, as a sweep looks for them; and those that were opened while the
machine's clock was ahead."""

_OF_BATCH = (
    sa.select(sealings.c.id, sealings.c.seal)
    .where(sealings.c.batch == sa.bindparam("batch", type_=sa.Uuid(as_uuid=False)))
    .order_by(sealings.c.place)
)

_STATE = sa.func.coalesce(outcomes.c.state, SealingState.COMMITTED.value)
_WHOLE = (
    sa.select(
        sealings.c.id,
        sealings.c.number,
        sealings.c.seal,
        sealings.c.digest,
        sealings.c.data_digest,
        batches.c.certificate,
        batches.c.kind,
        batches.c.source_digest,
        batches.c.use_context,
        batches.c.user_name,
        batches.c.approver,
        batches.c.create_time,
        _STATE.label("state"),
        outcomes.c.result_digest,
        outcomes.c.outcome_time,
        sa.func.coalesce(outcomes.c.void_reason, "").label("void_reason"),
    )
    .join(batches, batches.c.id == sealings.c.batch)
    .join(outcomes, outcomes.c.batch == sealings.c.batch, isouter=True)
)
_BY_ID = _WHOLE.where(sealings.c.id == sa.bindparam(rows.KEY))
_SIGNED = (
    sa.select(batches.c.signing_time, outcomes.c.signatures)
    .join(sealings, sealings.c.batch == batches.c.id)
    .join(outcomes, outcomes.c.batch == batches.c.id)
    .where(sealings.c.id == sa.bindparam(rows.KEY))
)
_FILTERS = {
    "seal": sealings.c.seal == sa.bindparam("seal", type_=sa.Uuid(as_uuid=False)),
    "state": sa.bindparam("state") == _STATE,
    "case_name": batches.c.case_name == sa.bindparam("case_name"),
    "number": sealings.c.number == sa.bindparam("number"),
    "before": sealings.c.id < sa.bindparam("before", type_=sa.Uuid(as_uuid=False)),
}


@cache
def _listing(filters: frozenset[str]) -> sa.Select[*tuple[Any, ...]]:
    """Returns the query for one combination of filters, so that each uses the index that serves it."""
    query = _WHOLE.where(*(_FILTERS[name] for name in sorted(filters)))
    return query.order_by(sealings.c.id.desc()).limit(sa.bindparam("size", type_=sa.Integer))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a batch.

    Attributes:
        batch: its id.
        state: SIGNED or VOIDED.
        signatures: the signature values, DER, in the order of the intents.
        result_digest: SM3 of the sealed document, or None.
        void_reason: why it was voided, or empty.
    """

    batch: str
    state: SealingState
    signatures: Sequence[bytes] = ()
    result_digest: bytes | None = None
    void_reason: str = ""


class SealingStore:
    """Uses of seals in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, values: Mapping[str, Any], entry: Entry) -> bool:
        """Writes a batch, its intents and its audit record; tells False, and writes nothing, where the seal has changed.

        Raises:
            AlreadyExists: the attempt is taken.
        """
        recorded = {
            "record": entry.id,
            "transaction_id": entry.transaction_id,
            "object": entry.object,
            "canonical": entry.canonical,
            "leaf_hash": entry.leaf_hash,
        }
        async with self._database.read() as connection:
            return (await connection.execute(_COMMIT, {**values, **recorded})).first() is not None

    async def close(self, connection: AsyncConnection, outcome: Outcome, now: datetime) -> bool:
        """Writes the outcome of a batch.

        Tells False, and writes nothing, where it has one already, or is SIGNED under a seal that is no longer in force.
        """
        found = await connection.execute(
            _CLOSE,
            {
                "batch": outcome.batch,
                "state": outcome.state.value,
                "signatures": list(outcome.signatures),
                "result_digest": outcome.result_digest,
                "void_reason": outcome.void_reason,
                "now": now,
            },
        )
        return found.first() is not None

    async def last_attempt(self, command: Command, patience: timedelta) -> Row | None:
        """Reads the last attempt at ``command``: its state (None while open), and whether it was given up."""
        async with self._database.read() as connection:
            return (
                await connection.execute(
                    _ATTEMPTS,
                    {
                        "caller": command.caller,
                        "method": command.method,
                        "request_id": command.request_id,
                        "patience": patience,
                    },
                )
            ).first()

    async def of_batch(self, connection: AsyncConnection, batch: str) -> Sequence[Row]:
        """Reads id and seal of each intent of a batch."""
        return (await connection.execute(_OF_BATCH, {"batch": batch})).all()

    async def sealing(self, identifier: str) -> Row:
        """Reads one use; raises NotFound."""
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(_BY_ID, {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"sealings/{identifier}")
        return row

    async def signed(self, identifier: str) -> Row:
        """Reads time and signature value of a use that was signed, one to its batch."""
        async with self._database.read() as connection:
            return (await connection.execute(_SIGNED, {rows.KEY: identifier})).one()

    async def page(self, filters: Mapping[str, str], size: int) -> Sequence[Row]:
        """Reads at most ``size`` uses, newest first; filters as in ``_FILTERS``, empty ones don't count."""
        given = {name: value for name, value in filters.items() if value}
        async with self._database.read() as connection:
            return (await connection.execute(_listing(frozenset(given)), {**given, "size": size})).all()
