"""What a change leaves behind beside itself: audit records and events, written by the same statement.

No service names the tables of the log and of the outbox: who writes more than a :class:`UnitOfWork` does gives its own part
to :func:`recorded` and runs the whole with the values of an :class:`Evidence`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asyncpg import PostgresError
from google.protobuf.message import Message

from libs.audit.log import AuditEntry, Log
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.statement import Statement
from libs.errors import TongbanError, reasons
from libs.events.types import declared
from libs.events.wire import Wire
from libs.ids.uuid7 import uuid7
from libs.observability import tracing
from libs.rpc.messages import wire_bytes
from tongban.common.v1 import common_pb2

_TEXT = """
WITH {parts}evidence_records AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash, actor,
    purpose_code, service_item, case_name)
  SELECT r.* FROM unnest(CAST(:record_ids AS text[]), CAST(:record_times AS timestamptz[]),
    CAST(:record_transactions AS text[]), CAST(:record_objects AS text[]), CAST(:record_canonicals AS bytea[]),
    CAST(:record_leaves AS bytea[]), CAST(:record_actors AS text[]), CAST(:record_purposes AS text[]),
    CAST(:record_items AS text[]), CAST(:record_cases AS text[])) AS r {when}RETURNING seq, id, record_time
), evidence_uses AS (
  INSERT INTO data_uses (subject, record_time, record_seq)
  SELECT u.subject, w.record_time, w.seq FROM unnest(CAST(:use_records AS text[]), CAST(:use_subjects AS text[]))
    AS u (record, subject) JOIN evidence_records AS w ON w.id = u.record
), evidence_pending AS (
  INSERT INTO audit_pending (seq) SELECT seq FROM evidence_records
), evidence_events AS (
  INSERT INTO outbox (id, type, subject, public, traceparent, time, data)
  SELECT e.id, e.type, e.subject, e.public, CAST(:traceparent AS text), CAST(:event_time AS timestamptz), e.data
  FROM unnest(CAST(:event_ids AS text[]), CAST(:event_types AS text[]), CAST(:event_subjects AS text[]),
    CAST(:event_public AS boolean[]), CAST(:event_data AS bytea[])) WITH ORDINALITY
    AS e (id, type, subject, public, data, n) {when}ORDER BY e.n
)
{answer}
"""


def recorded(parts: str = "", *, when: str = "", answer: str = "SELECT 1") -> Statement:
    """Returns the statement that writes the evidence, and with it what ``parts`` do: all or nothing, one round trip.

    Args:
        parts: common table expressions of the caller's own (``used AS (INSERT …)``), with parameters of their own.
        when: a condition on ``parts`` under which there is evidence at all (``EXISTS (SELECT FROM used)``).
        answer: what the statement gives back.
    """
    before = f"{parts.strip().rstrip(',')}, " if parts else ""
    return Statement(_TEXT.format(parts=before, when=f"WHERE {when} " if when else "", answer=answer))


_EACH = """
WITH {parts}, evidence_records AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash, actor,
    purpose_code, service_item, case_name)
  SELECT r.id, r.record_time, r.transaction_id, r.object, r.canonical, r.leaf_hash, r.actor, r.purpose_code,
    r.service_item, r.case_name
  FROM unnest(CAST(:record_ids AS text[]), CAST(:record_times AS timestamptz[]),
    CAST(:record_transactions AS text[]), CAST(:record_objects AS text[]), CAST(:record_canonicals AS bytea[]),
    CAST(:record_leaves AS bytea[]), CAST(:record_actors AS text[]), CAST(:record_purposes AS text[]),
    CAST(:record_items AS text[]), CAST(:record_cases AS text[]), CAST(:record_keys AS text[])) WITH ORDINALITY
    AS r (id, record_time, transaction_id, object, canonical, leaf_hash, actor, purpose_code, service_item, case_name, key, n)
  WHERE {when} ORDER BY r.n RETURNING seq, id, record_time
), evidence_uses AS (
  INSERT INTO data_uses (subject, record_time, record_seq)
  SELECT u.subject, w.record_time, w.seq FROM unnest(CAST(:use_records AS text[]), CAST(:use_subjects AS text[]))
    AS u (record, subject) JOIN evidence_records AS w ON w.id = u.record
), evidence_pending AS (
  INSERT INTO audit_pending (seq) SELECT seq FROM evidence_records
)
{answer}
"""


def recorded_each(parts: str, *, when: str, answer: str) -> Statement:
    """Returns the statement that writes records of several commands at once, each by itself where ``parts`` did its work.

    It is run with the values of :func:`record_values`.

    Args:
        parts: common table expressions of the caller's own, with parameters of their own.
        when: the condition under which a record is written; ``r.key`` is the key that it was given.
        answer: what the statement gives back.
    """
    return Statement(_EACH.format(parts=parts.strip().rstrip(","), when=when, answer=answer))


def record_values(entries: Sequence[AuditEntry], keys: Sequence[str] = ()) -> dict[str, Any]:
    """Returns records as values of a statement of this module; with ``keys``, one each, for :func:`recorded_each`."""
    values: dict[str, Any] = {
        "record_ids": [e.id for e in entries],
        "record_times": [e.record_time for e in entries],
        "record_transactions": [e.transaction_id for e in entries],
        "record_objects": [e.object for e in entries],
        "record_canonicals": [e.canonical for e in entries],
        "record_leaves": [e.leaf_hash for e in entries],
        "record_actors": [e.actor for e in entries],
        "record_purposes": [e.purpose_code for e in entries],
        "record_items": [e.service_item for e in entries],
        "record_cases": [e.case for e in entries],
        "use_records": [e.id for e in entries for _ in e.subjects],
        "use_subjects": [subject for e in entries for subject in e.subjects],
    }
    if keys:
        values["record_keys"] = keys
    return values


@dataclass(slots=True)
class Evidence:
    """Collects the records and events of one step.

    Attributes:
        log: the service's log.
        wire: encrypts the events.
        command: what is done, by whom and why.
        now: when.
    """

    log: Log
    wire: Wire
    command: Command
    now: datetime
    _entries: list[AuditEntry] = field(default_factory=list)
    _last: common_pb2.Receipt | None = None
    _events: list[tuple[str, str, str, bool, bytes]] = field(default_factory=list)

    def record(self, about: str, **more: Any) -> common_pb2.Receipt:
        """Adds a record about a resource, and returns its receipt; ``more`` as :meth:`libs.audit.records.Log.entry`."""
        return self.add(self.log.entry(self.command, self.now, about, **more))

    def add(self, entry: AuditEntry) -> common_pb2.Receipt:
        """Adds a record that was made already, and returns its receipt."""
        self._entries.append(entry)
        self._last = receipt = self.log.receipt(entry)
        return receipt

    @property
    def receipt(self) -> common_pb2.Receipt | None:
        """The receipt of the record that was added last: the one that says how it ended; None where none was added."""
        return self._last

    def noted(self) -> None:
        """Notes, once all of it stands, that the call is recorded; it answers with :attr:`receipt`."""
        if (receipt := self.receipt) is not None:
            self.command.recorded(receipt)

    def emit(self, subject: str, data: Message) -> str:
        """Adds an event about a resource and returns its id; its type is what the contract says of the message.

        Events of one subject arrive in the order in which their transactions committed.
        """
        kind, event_id = declared(type(data)), uuid7()
        closed = self.wire.close_up(event_id, wire_bytes(data))
        self._events.append((event_id, kind.type, subject, kind.public, closed))
        return event_id

    def values(self) -> Mapping[str, Any]:
        """Returns the values of a statement of :func:`recorded`."""
        command, events = self.command, self._events
        return {
            "event_time": self.now,
            "traceparent": tracing.traceparent(command.trace_id, command.span_id) if command.trace_id else "",
            **record_values(self._entries),
            "event_ids": [e[0] for e in events],
            "event_types": [e[1] for e in events],
            "event_subjects": [e[2] for e in events],
            "event_public": [e[3] for e in events],
            "event_data": [e[4] for e in events],
        }

    async def write(self, database: Database, statement: Statement, **values: Any) -> None:
        """Runs a statement of :func:`recorded` by itself, before anything is answered ("no record, no service").

        Raises:
            Unavailable: AUDIT_UNAVAILABLE, nothing was recorded and nothing may be answered.
        """
        try:
            async with database.read() as connection:
                await statement.execute(connection, {**self.values(), **values})
        except (TongbanError, PostgresError) as error:
            raise reasons.audit_unavailable("this can't be recorded; nothing was done", retry_after=1.0) from error
        self.noted()
