"""What using seals reads and writes: what decides on a use, intents, outcomes, and what is still open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.access.purposes import basis_of, item_of
from libs.db.command import Command
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.evidence import Evidence, recorded
from libs.db.query import Query, joined, of
from services.seal.core.certificates import certificates
from services.seal.core.seal_rules import SealFacts, SealState, SealUser, User
from services.seal.core.sealings import sealing_batches as batches
from services.seal.core.sealings import sealing_open, sealings
from services.seal.core.sealings import sealing_outcomes as outcomes
from services.seal.core.seals import found, seal_key, seals
from services.seal.sealing.plans import SealingIntent, SealingPlan
from services.seal.sealing.rules import SealingState

# One statement, one round trip, with the audit record in it. The unique key of an attempt breaks the whole of it; a seal
# that was changed since it was read leaves it without effect. FOR SHARE: revoking the seal waits for it, and it for that.
_COMMIT = recorded(
    """seal AS (
  SELECT id FROM seals WHERE id = CAST(:seal AS uuid) AND version = CAST(:seal_version AS integer) FOR SHARE
), batch AS (
  INSERT INTO sealing_batches (id, caller, method, request_id, attempt, request_digest, seal, certificate, kind,
    signing_time, source_digest, use_context, case_name, purpose_code, service_item, basis_kind, named_basis, user_name,
    approver, create_time)
  SELECT CAST(:batch AS uuid), CAST(:caller AS text), CAST(:method AS text), CAST(:request_id AS text),
    CAST(:attempt AS integer), CAST(:request_digest AS bytea), seal.id, CAST(:certificate AS uuid), CAST(:kind AS text),
    CAST(:signing_time AS timestamptz), CAST(:source_digest AS bytea), CAST(:use_context AS bytea),
    CAST(:case_name AS text), CAST(:purpose_code AS text), CAST(:service_item AS text), CAST(:basis_kind AS text),
    CAST(:named_basis AS text), CAST(:user_name AS text), '', CAST(:event_time AS timestamptz) FROM seal
  RETURNING id, seal, create_time, case_name
), opened AS (
  INSERT INTO sealing_open (batch) SELECT id FROM batch
), made AS (
  INSERT INTO sealings (id, number, batch, seal, create_time, case_name, place, digest, data_digest, property_info)
  SELECT i.id, i.number, batch.id, batch.seal, batch.create_time, batch.case_name, i.place, i.digest, i.data_digest, i.property_info
  FROM batch, unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[]), CAST(:digests AS bytea[]),
    CAST(:data_digests AS bytea[]), CAST(:property_infos AS text[])) WITH ORDINALITY
    AS i (id, number, digest, data_digest, property_info, place)
)""",
    when="EXISTS (SELECT FROM batch)",
    answer="SELECT id FROM batch",
)


@of(sealing_open)
@dataclass(frozen=True, slots=True)
class _ClosedBatch:
    batch: str


# The primary key of an outcome decides between a call that is late and the sweeper that has given it up. A seal that has
# ended since the intent signs no more: FOR SHARE, so that whoever ends it waits for the result, or the result for them.
_CLOSE = Query(
    _ClosedBatch,
    """
WITH seal AS (
  SELECT s.id FROM sealing_batches AS b JOIN seals AS s ON s.id = b.seal
  WHERE b.id = CAST(:id AS uuid) AND s.state = 'ACTIVE'
    AND CAST(:now AS timestamptz) <= LEAST(s.valid_until_time, s.certified_until_time)
  FOR SHARE OF s
), outcome AS (
  INSERT INTO sealing_outcomes (batch, state, signatures, result_digest, void_reason, outcome_time)
  SELECT CAST(:id AS uuid), CAST(:state AS text), CAST(:signatures AS bytea[]), CAST(:result_digest AS bytea),
    CAST(:void_reason AS text), CAST(:now AS timestamptz)
  WHERE CAST(:state AS text) = 'VOIDED' OR EXISTS (SELECT FROM seal)
  ON CONFLICT (batch) DO NOTHING RETURNING batch
)
DELETE FROM sealing_open USING outcome WHERE sealing_open.batch = outcome.batch RETURNING {columns:sealing_open}
""",
)


@of(
    joined(
        version=seals.c.version,
        owner=seals.c.owner,
        state=seals.c.state,
        valid_from_time=seals.c.valid_from_time,
        valid_until_time=seals.c.valid_until_time,
        certified_until_time=seals.c.certified_until_time,
        users=seals.c.users,
        kept_by=seals.c.kept_by,
        kept_human=seals.c.kept_human,
        revoke_time=certificates.c.revoke_time,
        not_before_time=certificates.c.not_before_time,
        not_after_time=certificates.c.not_after_time,
        numbers=sa.Column(type_=ARRAY(sa.BigInteger), nullable=True),
    )
)
@dataclass(frozen=True, slots=True)
class UsableSeal:
    """What decides on a use, as it stands now, and the numbers drawn for it; the last times are the certificate's."""

    version: int
    owner: str
    state: SealState
    valid_from_time: datetime
    valid_until_time: datetime
    certified_until_time: datetime
    users: tuple[SealUser, ...]
    kept_by: str
    kept_human: str
    revoke_time: datetime | None
    not_before_time: datetime
    not_after_time: datetime
    numbers: tuple[int, ...] | None

    def facts(self, name: str) -> SealFacts:
        """What the rules ask for."""
        return SealFacts(
            name,
            self.state,
            self.valid_from_time,
            self.valid_until_time,
            self.users,
            self.certified_until_time,
            User(self.kept_by, self.kept_human),
        )

    def is_certified(self, at: datetime) -> bool:
        """Tells whether the signer's certificate holds."""
        return self.revoke_time is None and self.not_before_time <= at <= self.not_after_time


_USABLE = Query(
    UsableSeal,
    """
SELECT {columns} FROM (
  SELECT s.version, s.owner, s.state, s.valid_from_time, s.valid_until_time, s.certified_until_time, s.users, s.kept_by, s.kept_human,
    c.revoke_time, c.not_before_time, c.not_after_time,
    (SELECT array_agg(nextval('sealing_numbers')) FROM generate_series(1, CAST(:count AS integer))) AS numbers
  FROM seals AS s JOIN certificates AS c ON c.id = s.certificate WHERE s.id = CAST(:id AS uuid)
) AS usable
""",
)


@of(
    joined(
        id=batches.c.id,
        attempt=batches.c.attempt,
        request_digest=batches.c.request_digest,
        state=sa.Column(type_=sa.Text),
        is_abandoned=sa.Column(type_=sa.Boolean),
        sealing=sealings.c.id,
    )
)
@dataclass(frozen=True, slots=True)
class SealingAttempt:
    """An attempt at a command: its state is None while it is open; ``sealing`` is the first of its sealings."""

    id: str
    attempt: int
    request_digest: bytes
    state: SealingState | None
    is_abandoned: bool | None
    sealing: str


_LAST_ATTEMPT = Query(
    SealingAttempt,
    """
SELECT {columns} FROM (
  SELECT b.id, b.attempt, b.request_digest, o.state, w.commit_time < now() - CAST(:patience AS interval) AS is_abandoned,
    (SELECT s.id FROM sealings AS s WHERE s.batch = b.id ORDER BY s.place LIMIT 1) AS sealing
  FROM sealing_batches AS b LEFT JOIN sealing_outcomes AS o ON o.batch = b.id LEFT JOIN sealing_open AS w ON w.batch = b.id
  WHERE b.caller = :caller AND b.method = :method AND b.request_id = :request_id ORDER BY b.attempt DESC LIMIT 1
) AS attempt
""",
)

ABANDONED_BATCHES = """
SELECT w.batch AS key, CAST(b.seal AS text) AS party FROM sealing_open AS w JOIN sealing_batches AS b ON b.id = w.batch
WHERE w.commit_time < now() - CAST(:age AS interval) OR w.commit_time > now() + interval '1 day'
"""
"""Batches that have been open for longer than an age, as a sweep looks for them; and those that were opened while the
machine's clock was ahead."""


@of(sealings)
@dataclass(frozen=True, slots=True)
class BatchedSealing:
    """One sealing of a batch."""

    id: str
    seal: str


_OF_BATCH = Query(BatchedSealing, "SELECT {columns} FROM sealings WHERE batch = CAST(:of_batch AS uuid) ORDER BY place")


@of(joined(signing_time=batches.c.signing_time, signatures=outcomes.c.signatures))
@dataclass(frozen=True, slots=True)
class SignedSealing:
    """When a sealing was signed, and the signature values of its batch, DER."""

    signing_time: datetime
    signatures: tuple[bytes, ...]


_SIGNED = Query(
    SignedSealing,
    """
SELECT {columns} FROM (
  SELECT b.signing_time, o.signatures FROM sealings AS s
  JOIN sealing_batches AS b ON b.id = s.batch JOIN sealing_outcomes AS o ON o.batch = s.batch
  WHERE s.id = CAST(:id AS uuid)
) AS signed
""",
)


@dataclass(frozen=True, slots=True)
class BatchOutcome:
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
    """Uses of seals as they come to be."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usable(self, name: str, count: int) -> UsableSeal:
        """Reads what decides on a use of a seal, and draws ``count`` numbers; raises NotFound."""
        async with self._database.read() as connection:
            return found(await _USABLE.first(connection, id=seal_key(name), count=count), name)

    async def commit(self, evidence: Evidence, plan: SealingPlan, intent: SealingIntent) -> bool:
        """Writes a batch, its intents and the evidence; tells False, and writes nothing, where the seal has changed.

        Raises:
            AlreadyExists: the attempt is taken.
        """
        values = {**_batch(evidence.command, plan, intent), **_items(plan, intent), **evidence.values()}
        async with self._database.read() as connection:
            committed = await _COMMIT.first(connection, values) is not None
        if committed:
            evidence.noted()
        return committed

    async def last_attempt(self, command: Command, patience: timedelta) -> SealingAttempt | None:
        """Reads the last attempt at ``command``, and whether it was given up."""
        async with self._database.read() as connection:
            return await _LAST_ATTEMPT.first(
                connection,
                caller=command.caller,
                method=command.method,
                request_id=command.request_id,
                patience=patience,
            )

    async def signed(self, name: str) -> SignedSealing:
        """Reads time and signature value of a sealing that was signed, one to its batch."""
        async with self._database.read() as connection:
            return await _SIGNED.one(connection, id=name.removeprefix("sealings/"))


async def close(connection: DatabaseConnection, outcome: BatchOutcome, now: datetime) -> bool:
    """Writes the outcome of a batch.

    Tells False, and writes nothing, where it has one already, or is SIGNED under a seal that is no longer in force.
    """
    closed = await _CLOSE.first(
        connection,
        id=outcome.batch,
        state=outcome.state.value,
        signatures=outcome.signatures,
        result_digest=outcome.result_digest,
        void_reason=outcome.void_reason,
        now=now,
    )
    return closed is not None


async def of_batch(connection: DatabaseConnection, batch: str) -> list[BatchedSealing]:
    """Reads the sealings of a batch in their order."""
    return await _OF_BATCH.all(connection, of_batch=batch)


def _batch(command: Command, plan: SealingPlan, intent: SealingIntent) -> Mapping[str, Any]:
    kind, named = basis_of(intent.use)
    return {
        "batch": intent.batch,
        "caller": command.caller,
        "method": command.method,
        "request_id": command.request_id,
        "attempt": intent.attempt,
        "request_digest": intent.request_digest,
        "seal": plan.seal.id,
        "seal_version": intent.seal_version,
        "certificate": plan.seal.certificate_id,
        "kind": plan.kind.value,
        "signing_time": plan.at,
        "source_digest": plan.source_digest,
        "use_context": intent.use.SerializeToString(),
        "case_name": intent.use.case,
        "purpose_code": intent.use.purpose_code,
        "service_item": item_of(intent.use),
        "basis_kind": kind,
        "named_basis": named,
        "user_name": intent.user,
    }


def _items(plan: SealingPlan, intent: SealingIntent) -> Mapping[str, Any]:
    return {
        "ids": intent.ids,
        "numbers": intent.numbers,
        "digests": [item.digest for item in plan.items],
        "data_digests": [item.data_hash for item in plan.items],
        "property_infos": [item.property_info for item in plan.items],
    }
