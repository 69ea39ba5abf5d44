"""Writes audit records: with a mutation in its transaction, or alone before data leaves ("no record, no service")."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from libs.audit.log import Log
from libs.clock import Clock
from libs.errors import TongbanError, Unavailable
from tongban.common.v1 import common_pb2

if TYPE_CHECKING:
    from libs.db.command import Command
    from libs.db.engine import Database

_INSERT = """
WITH written AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash)
  VALUES (:id, :record_time, :transaction_id, :object, :canonical, :leaf_hash) RETURNING seq
){beside}
INSERT INTO audit_pending (seq) SELECT seq FROM written
"""
_OPEN = """, opened AS (
  INSERT INTO retries (task, key, party, next_attempt) VALUES (:task, :id, :party, now() + make_interval(secs => :patience))
)"""
_CLOSED = sa.text("DELETE FROM retries WHERE task = :task AND key = :opened_by")
_CLOSE = ", closed AS (DELETE FROM retries WHERE task = :task AND key = :opened_by)"


def _statement(beside: str = "") -> sa.TextClause:
    text = sa.text(_INSERT.format(beside=beside))
    return text.bindparams(sa.bindparam("record_time", type_=sa.DateTime(timezone=True)))


_PLAIN, _OPENING, _CLOSING = _statement(), _statement(_OPEN), _statement(_CLOSE)


@dataclass(frozen=True, slots=True)
class Question:
    """What leaves for another party and must be answered, or be told as unanswered (``libs.audit.questions``).

    Attributes:
        task: the kind of question: the name of the hand-over.
        party: who is asked.
        patience: seconds after which an answer does not come any more.
    """

    task: str
    party: str
    patience: float


class _Log:
    """Which service's log this process writes; set once at the start."""

    service = ""
    region = ""


def configure(service: str, region: str) -> None:
    """Says whose log this process writes."""
    _Log.service, _Log.region = service, region


def entry_of(
    command: "Command",
    now: datetime,
    obj: str,
    *,
    result: str = "OK",
    fields: Sequence[str] = (),
    record_count: int = 0,
    response_digest: bytes = b"",
    action: str = "",
    transaction_id: str = "",
) -> Entry:
    """Builds the record of what ``command`` does to ``obj``.

    Args:
        command: who, why, and the request's digest.
        now: the time of the record.
        obj: the resource.
        result: ``OK`` or the reason of a refusal.
        fields: the fields that leave or were refused.
        record_count: how many records of data leave.
        response_digest: SM3 of the response, where it is known.
        action: what was done, if it is not the command's method.
        transaction_id: one id over all regions; the command's own, or made here.
    """
    identifier = uuid7()
    # Never the record's own id: this one goes along to other services and regions.
    transaction = transaction_id or command.use.transaction_id or uuid7()
    record = Record(
        name=f"{_Log.service}/auditRecords/{identifier}",
        record_time=now,
        transaction_id=transaction,
        trace_id=command.trace_id,
        actor=command.actor,
        on_behalf_of=command.on_behalf_of,
        department=command.department or command.use.department,
        assurance=command.assurance,
        action=action or command.method,
        object=obj,
        fields=tuple(fields),
        purpose=command.use.purpose,
        case_name=command.use.case_name,
        legal_basis=command.use.legal_basis,
        result=result,
        record_count=record_count,
        request_digest=command.digest,
        response_digest=response_digest,
    )
    canonical = record.canonical()
    return Entry(identifier, now, transaction, obj, canonical, leaf_hash(canonical))


def entry_again(record: Record, now: datetime) -> Entry:
    """Builds a further record from another one: a name and a time of its own, the rest as it is."""
    identifier = uuid7()
    further = replace(record, name=f"{_Log.service}/auditRecords/{identifier}", record_time=now)
    canonical = further.canonical()
    return Entry(identifier, now, record.transaction_id, record.object, canonical, leaf_hash(canonical))


def receipt_of(entry: Entry) -> common_pb2.Receipt:
    """Builds the receipt that the caller gets for a record."""
    return common_pb2.Receipt(
        record=f"{_Log.service}/auditRecords/{entry.id}",
        log=f"//{_Log.region}/{_Log.service}",
        leaf_hash=entry.leaf_hash,
        transaction_id=entry.transaction_id,
        record_time=timestamp(entry.record_time),
    )


def _closing(question: Question, receipt: common_pb2.Receipt) -> dict[str, object]:
    return {"task": question.task, "opened_by": receipt.record.rpartition("/")[2]}


class AuditWriter:
    """Writes single records, before a read is answered or when a call is refused.

    Attributes:
        log: the service's log.
    """

    def __init__(self, database: "Database", clock: Clock, log: Log) -> None:
        self._database = database
        self._clock = clock
        self.log = log

    async def write(
        self,
        command: "Command",
        obj: str,
        *,
        result: str = "OK",
        fields: Sequence[str] = (),
        record_count: int = 0,
        response_digest: bytes = b"",
        transaction_id: str = "",
        asks: Question | None = None,
        answers: tuple[Question, common_pb2.Receipt] | None = None,
    ) -> common_pb2.Receipt:
        """Writes one record and returns its receipt; raises Unavailable AUDIT_UNAVAILABLE if it can't be written.

        With ``asks`` the record opens a question, which the record that ``answers`` it by its receipt closes.
        """
        entry = self.log.entry(
            command,
            self._clock.now(),
            obj,
            result=result,
            fields=fields,
            record_count=record_count,
            response_digest=response_digest,
            transaction_id=transaction_id,
        )
        values: dict[str, object] = {
            "id": entry.id,
            "record_time": entry.record_time,
            "transaction_id": entry.transaction_id,
            "object": obj,
            "canonical": entry.canonical,
            "leaf_hash": entry.leaf_hash,
        }
        statement = _PLAIN
        if asks is not None:
            statement = _OPENING
            values |= {"task": asks.task, "party": asks.party, "patience": asks.patience}
        elif answers is not None:
            statement = _CLOSING
            values |= _closing(*answers)
        try:
            # One statement needs no transaction around it: one round trip instead of three.
            async with self._database.read() as connection:
                await connection.execute(statement, values)
        except (TongbanError, SQLAlchemyError) as error:
            # Whatever keeps the record from being written keeps the answer from leaving.
            raise Unavailable(
                "AUDIT_UNAVAILABLE", "the audit record can't be written; nothing was done", retry_after=1.0
            ) from error
        command.recorded()
        return self.log.receipt(entry)

    async def close(self, question: Question, receipt: common_pb2.Receipt) -> None:
        """Closes a question that was answered by a refusal; who recorded the question records that, too."""
        async with self._database.read() as connection:
            await connection.execute(_CLOSED, _closing(question, receipt))
