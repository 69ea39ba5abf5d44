"""Writes audit records: with a mutation in its transaction, or alone before data leaves ("no record, no service")."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from libs.audit.log import Log
from libs.clock import Clock
from libs.db.failures import DATABASE_ERRORS
from libs.db.statement import Statement
from libs.errors import TongbanError, reasons
from tongban.common.v1 import common_pb2

if TYPE_CHECKING:
    from libs.db.command import Command
    from libs.db.engine import Database

_INSERT = """
WITH written AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash, actor,
    purpose_code, service_item, case_name)
  VALUES (:id, :record_time, :transaction_id, :object, :canonical, :leaf_hash, :actor,
    :purpose_code, :service_item, :case_name) RETURNING seq, record_time
), used AS (
  INSERT INTO data_uses (subject, record_time, record_seq)
  SELECT subject, record_time, seq FROM written, unnest(CAST(:subjects AS text[])) AS of (subject)
){beside}
INSERT INTO audit_pending (seq) SELECT seq FROM written
"""
_OPEN = """, opened AS (
  INSERT INTO retries (task, key, party, next_attempt) VALUES (:task, :id, :party, now() + make_interval(secs => :patience))
)"""
_CLOSED = Statement("DELETE FROM retries WHERE task = :task AND key = :opened_by")
_CLOSE = ", closed AS (DELETE FROM retries WHERE task = :task AND key = :opened_by)"


_PLAIN, _OPENING, _CLOSING = [Statement(_INSERT.format(beside=beside)) for beside in ("", _OPEN, _CLOSE)]


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What leaves for another party and must be answered, or be told as unanswered (``libs.audit.questions``).

    Attributes:
        task: the kind of question: the name of the hand-over.
        party: who is asked.
        patience: seconds after which an answer does not come any more.
    """

    task: str
    party: str
    patience: float


def _closing(question: OpenQuestion, receipt: common_pb2.Receipt) -> dict[str, object]:
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
        subjects: Iterable[str] = (),
        asks: OpenQuestion | None = None,
        answers: tuple[OpenQuestion, common_pb2.Receipt] | None = None,
    ) -> common_pb2.Receipt:
        """Writes one record and returns its receipt; raises Unavailable AUDIT_UNAVAILABLE if it can't be written.

        ``subjects`` are those whose data leaves: they are told of it. With ``asks`` the record opens a question, which the record that ``answers`` it by its receipt closes.
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
            subjects=subjects,
        )
        values: dict[str, object] = {
            "id": entry.id,
            "record_time": entry.record_time,
            "transaction_id": entry.transaction_id,
            "object": obj,
            "canonical": entry.canonical,
            "leaf_hash": entry.leaf_hash,
            "actor": entry.actor,
            "purpose_code": entry.purpose_code,
            "service_item": entry.service_item,
            "case_name": entry.case,
            "subjects": list(entry.subjects),
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
                await statement.execute(connection, values)
        except (TongbanError, *DATABASE_ERRORS) as error:
            # Whatever keeps the record from being written keeps the answer from leaving.
            raise reasons.audit_unavailable(
                "the audit record can't be written; nothing was done", retry_after=1.0
            ) from error
        receipt = self.log.receipt(entry)
        command.recorded(receipt)
        return receipt

    async def close(self, question: OpenQuestion, receipt: common_pb2.Receipt) -> None:
        """Closes a question that was answered by a refusal; who recorded the question records that, too."""
        async with self._database.read() as connection:
            await _CLOSED.execute(connection, _closing(question, receipt))
