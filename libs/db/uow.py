"""The unit of work: state, idempotency row, events and audit record in one transaction."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypeVar, cast

from google.protobuf.message import Message

from libs.audit.log import Log
from libs.clock import Clock
from libs.crypto.envelope import Column, FieldCipher
from libs.crypto.sm3 import sm3
from libs.db.bodies import kept_body, row_of, same_body
from libs.db.change import close_with_evidence
from libs.db.command import Command
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.evidence import Evidence
from libs.db.failures import OutcomeUnknown
from libs.db.query import Query, joined, of
from libs.db.schema import audit_records, idempotency
from libs.db.validated import answered
from libs.errors import TongbanError, Unavailable, reasons
from libs.events.wire import Wire
from libs.rpc.messages import wire_bytes

Answer = TypeVar("Answer", bound=Message)
Result = TypeVar("Result")
_MOST_QUESTIONS = 4
"""So often a work may have something asked before it goes on."""

# One statement, one round trip. A second commit of the same request_id breaks the primary key here, and with it the
# whole transaction: nothing is ever done twice.
_KEPT = """kept AS (
  INSERT INTO idempotency (caller, method, request_id, digest, response, record)
  VALUES (:caller, :method, :request_id, :digest, :response, :record)
)"""


@of(
    joined(
        digest=idempotency.c.digest,
        response=idempotency.c.response,
        record=audit_records.c.id,
        record_time=audit_records.c.record_time,
        transaction_id=audit_records.c.transaction_id,
        leaf_hash=audit_records.c.leaf_hash,
    )
)
@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a command was answered, encrypted; what is kept of the body that it came with; and the record of that call."""

    digest: bytes
    response: bytes
    record: str
    record_time: datetime
    transaction_id: str
    leaf_hash: bytes


_STORED = Query(
    StoredAnswer,
    """
SELECT {columns} FROM (
  SELECT i.digest, i.response, r.id AS record, r.record_time, r.transaction_id, r.leaf_hash
  FROM idempotency AS i JOIN audit_records AS r ON r.id = i.record
  WHERE i.caller = :caller AND i.method = :method AND i.request_id = :request_id
) AS known
""",
)
_ANSWER = Column("idempotency", "response")


class AskFirst(Exception):
    """Something must be found out elsewhere before the work can go on: it is rolled back, settled, and begun again.

    So a call of a neighbour, which may take seconds, holds no lock and no connection; and who needs none pays for none.
    """

    def __init__(self, settle: Callable[[], Awaitable[None]]) -> None:
        super().__init__("must be settled outside of the transaction")
        self.settle = settle


class _OnlyValidated(Exception):
    """The work went through, and was to be validated only: with this its transaction is rolled back."""


@dataclass(slots=True)
class Transaction(Evidence):
    """What a handler works with while its transaction is open: the connection, and what is written with the commit.

    Attributes:
        connection: the connection, inside its transaction.
        cipher: encrypts the stored answer, which may hold personal data.
        about: what the audit record is about, where the answer has no ``name``.
        committed: what is called once all of it stands, such as waking who takes up what was put in line.
    """

    connection: DatabaseConnection = field(kw_only=True)
    cipher: FieldCipher = field(kw_only=True)
    about: str = ""
    committed: list[Callable[[], None]] = field(default_factory=list)

    async def flush(self, response: Message) -> None:
        """Writes answer, events and records, with what was put off, in one statement; nothing may follow it."""
        command = self.command
        name = self.about or str(getattr(response, "name", "") or "")
        written = wire_bytes(response)
        receipt = self.record(name, response_digest=sm3(written))
        answer = {
            "caller": command.caller,
            "method": command.method,
            "request_id": command.request_id,
            "digest": kept_body(self.cipher, command),
            "response": self.cipher.encrypt(_ANSWER, row_of(command), written),
            "record": receipt.record.rpartition("/")[2],
        }
        await close_with_evidence(self.connection, _KEPT, {**self.values(), **answer})

    async def flush_step(self) -> None:
        """Writes the events and the records that were added, and no answer: the command goes on, in another transaction."""
        await close_with_evidence(self.connection, "", self.values())


Work: TypeAlias = Callable[[Transaction], Awaitable[Answer]]
"""What is done in a transaction, for the answer that is stored with it."""


class UnitOfWork:
    """Runs commands, each exactly once."""

    def __init__(self, database: Database, clock: Clock, cipher: FieldCipher, wire: Wire, log: Log) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._cipher = cipher
        self._wire = wire
        self.committed = asyncio.Event()

    async def run(self, command: Command, work: Work[Answer]) -> Answer:
        """Runs ``work`` in a transaction and stores its answer under the command's request_id.

        A repeated command gets the stored answer. That is looked up only when the work fails (a repeated transition
        fails on the state it made itself) or its request_id is taken, so the ordinary call pays nothing for it.
        A work that raises :class:`AskFirst` is begun again once that is settled; what settling refuses is refused.
        Of a command to be validated only everything is done as ever but the end: it is rolled back, with the numbers that
        it drew, and leaves no answer, no event and no record of a change. What is stored under its request_id is neither asked for nor told.

        Raises:
            FailedPrecondition: REQUEST_ID_REUSED, the id was used with another body.
            Unavailable: DEPENDENCY_UNAVAILABLE, the database does not answer; where it was asked to commit before, it
                may have done so. A repeat with the same request_id gets the stored answer then, or does the work.
            TongbanError: whatever else ``work`` raises; nothing is changed then.
        """

        async def prepare() -> Work[Answer]:
            return work

        return await self.prepared(command, prepare)

    async def prepared(self, command: Command, prepare: Callable[[], Awaitable[Work[Answer]]]) -> Answer:
        """Does the same with the work that ``prepare`` makes, of what it finds out before a transaction is open.

        What is found out may have changed since a first call was answered: a repeat of that gets its answer all the same.
        """
        try:
            return await self._settled(command, await prepare())
        except Unavailable as error:
            if error.metadata.get("dependency") == "database" and not isinstance(error, OutcomeUnknown):
                raise  # asked again it would answer no better
            # What is stored is true. That nothing is stored proves nothing: COMMIT may still be under way to the server.
            try:
                stored = await self.stored(command)
            except Unavailable:
                raise error from error.__cause__
            if stored is None:
                raise
            return cast("Answer", stored)
        except TongbanError:
            # A refusal may be told only where the database says that it is not a repeat's.
            stored = await self.stored(command)
            if stored is None:
                raise
            return cast("Answer", stored)

    async def _settled(self, command: Command, work: Work[Answer]) -> Answer:
        for _ in range(_MOST_QUESTIONS):
            try:
                return await self._run(command, work)
            except AskFirst as needed:
                await needed.settle()
        raise RuntimeError("what was settled outside did not satisfy the work")

    async def _run(self, command: Command, work: Work[Answer]) -> Answer:
        try:
            async with self._database.transaction() as connection:
                transaction = self.within(connection, command)
                answer = await work(transaction)
                await _ended(transaction, answer)
        except _OnlyValidated:
            await answered(self._evidence(command), self._database, transaction.about, answer)
            return answer
        self._stands(transaction)
        return answer

    def _stands(self, transaction: Transaction) -> None:
        transaction.noted()
        self.committed.set()
        for each in transaction.committed:
            each()

    def within(self, connection: DatabaseConnection, command: Command) -> Transaction:
        """Makes what a use case works with, in a transaction that is open already (a leader's)."""
        return Transaction(
            self._log, self._wire, command, self._clock.now(), connection=connection, cipher=self._cipher
        )

    def _evidence(self, command: Command) -> Evidence:
        return Evidence(self._log, self._wire, command, self._clock.now())

    async def step(self, command: Command, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Runs one step of a command that takes several: state, events and the records that ``work`` adds.

        No answer is stored, so ``work`` itself must see to it that a repeat changes nothing.
        """
        if command.validate_only:
            raise TypeError(f"{command.method} takes several steps: what is validated only takes one, by run()")
        async with self._database.transaction() as connection:
            transaction = self.within(connection, command)
            result = await work(transaction)
            await transaction.flush_step()
        self._stands(transaction)
        return result

    def kept_body(self, command: Command) -> bytes:
        """Returns what a flow of several steps keeps of its command's body, for :meth:`is_same_body`."""
        return kept_body(self._cipher, command)

    def is_same_body(self, command: Command, kept: bytes) -> bool:
        """Tells whether a repeated command came with the body that it came with first."""
        return same_body(self._cipher, command, kept)

    async def stored(self, command: Command) -> Message | None:
        """Returns the answer that this command got before, or None; for flows of several steps to ask first."""
        if command.validate_only:
            return None
        async with self._database.read() as connection:
            found = await _STORED.first(
                connection, caller=command.caller, method=command.method, request_id=command.request_id
            )
        if found is None:
            return None
        if not self.is_same_body(command, found.digest):
            raise reasons.request_id_reused(
                "the request_id was used before with another body", request_id=command.request_id
            )
        # What is told again was recorded when it was first told, and answers with that receipt.
        command.recorded(self._log.receipt_of(found.record, found.record_time, found.transaction_id, found.leaf_hash))
        return command.response_type.FromString(self._cipher.decrypt(_ANSWER, row_of(command), found.response))


async def _ended(transaction: Transaction, answer: Message) -> None:
    """Writes what belongs to a change; raises where there is to be none."""
    if transaction.command.validate_only:
        await transaction.connection.ready()
        raise _OnlyValidated
    await transaction.flush(answer)


def derived_request_id(*parts: str) -> str:
    """Makes a request_id that is the same whenever a step is repeated: a UUID of the step's name (RFC 9562, 5.5)."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "tongban:" + ":".join(parts)))
