"""Works on operations: takes one, says that it has it, notes how far it is, and ends it with its record."""

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import Any

from google.protobuf import empty_pb2

from libs.background import attempt, forever
from libs.config import OperationsConfig
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.query import Query
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import TongbanError, reasons
from libs.ids.uuid7 import uuid7
from libs.observability.logs import logger, place_of
from libs.observability.tracing import parse_traceparent
from libs.operations import rules, store
from libs.operations.beginning import Operations
from libs.operations.messages import SealedFields
from libs.operations.rules import LongOperation
from libs.operations.work import OperationLost, OperationWork, operation

_log = logger(__name__)
_RENEWALS = 3
_REST_SECONDS = 0.5
"""So often in the time of a lease it is said that it still holds."""


class OperationWorker:
    """One process's share of the operations of its service."""

    def __init__(
        self,
        service: str,
        database: Database,
        uow: UnitOfWork,
        sealed: SealedFields,
        operations: Operations,
        config: OperationsConfig,
    ) -> None:
        self._service = service
        self._database = database
        self._uow = uow
        self._sealed = sealed
        self._operations = operations
        self._config = config
        self._lease = timedelta(seconds=config.lease_seconds)
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        operations.waiting = self._wake.set

    async def run(self) -> None:
        """Works for ever; what is under way when that is cancelled is left to another."""
        try:
            await forever("operations", self._look, _REST_SECONDS)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _look(self) -> None:
        """Looks for work again and again, each time that somebody says so or some seconds have passed."""
        while True:
            self._wake.clear()
            await self._fill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.look_seconds):
                    await self._wake.wait()

    async def _fill(self) -> None:
        # Each time under a name of its own: a process that lost one can take it up again, and is another then.
        while self._operations.kinds and len(self._running) < self._config.at_once:
            async with self._database.read() as connection:
                taken = await store.CLAIM.first(
                    connection, worker=uuid7(), lease=self._lease, methods=list(self._operations.kinds)
                )
            if taken is None:
                return
            task = asyncio.create_task(self._one(taken), name=taken.id)
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._wake.set()

    async def _one(self, taken: LongOperation) -> None:
        """Has the work done for as long as the lease is held."""
        work = asyncio.ensure_future(attempt(f"operation {taken.method}", lambda: self._worked(taken)))
        held = asyncio.ensure_future(self._hold(taken))
        try:
            await asyncio.wait({work, held}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _ended(work, held)
            await self._write(store.LEAVE, taken)
            raise
        await _ended(work, held)

    async def _hold(self, taken: LongOperation) -> None:
        """Renews the lease; returns once it is lost, or can't be known to be held any more."""
        renewed = time.monotonic()
        while time.monotonic() < renewed + self._config.lease_seconds * (1 - 1 / _RENEWALS):
            await asyncio.sleep(self._config.lease_seconds / _RENEWALS)
            with contextlib.suppress(TongbanError):
                begun = time.monotonic()
                if await self._write(store.RENEW, taken, lease=self._lease) is None:
                    break
                renewed = begun
        _log.warning("operation lost", operation=taken.id, method=taken.method)

    async def _worked(self, taken: LongOperation) -> None:
        """Does the work and writes down what came of it; a lost one ends without a trace."""
        try:
            response = await self._response(taken)
            stored = self._sealed.response(taken.id, response)
            await self._end(taken, store.SUCCEED, "OK", response=stored)
        except OperationLost:
            _log.warning("operation lost", operation=taken.id, method=taken.method)
        except TongbanError as error:
            await self._failed(taken, error)
        except Exception as error:  # noqa: BLE001 - whatever the work does wrong, who waits for it is told
            _log.error("operation failed", operation=taken.id, method=taken.method, **place_of(error))
            hidden = reasons.internal("an internal error occurred")
            hidden.metadata["correlation_id"] = taken.id
            await self._failed(taken, hidden)

    async def _response(self, taken: LongOperation) -> Any:
        name = operation(taken, self._service)
        if taken.stalls > rules.MOST_STALLS:
            raise rules.interrupted(name, "attempts")
        if taken.cancel_requested and not taken.checkpoint:
            raise rules.cancelled(name)
        kind = self._operations.kinds[taken.method]
        request = kind.request.FromString(self._sealed.open("request", taken.id, taken.request))
        checkpoint = self._sealed.open("checkpoint", taken.id, taken.checkpoint)

        async def note(phase: str, done: int, total: int, checkpoint: bytes) -> None:
            closed = self._sealed.close("checkpoint", taken.id, checkpoint)
            values = {"phase": phase, "done": done, "total": total, "checkpoint": closed}
            noted = await self._write(store.NOTE, taken, lease=self._lease, **values)
            if noted is None:
                raise OperationLost(taken.id)
            if noted.cancel_requested:
                raise rules.cancelled(name)

        return await kind.work(request, OperationWork(name, taken.owner, checkpoint, note))

    async def _failed(self, taken: LongOperation, error: TongbanError) -> None:
        if rules.passes(error):
            _log.warning("operation rests", operation=taken.id, method=taken.method, reason=error.reason)
            pause = timedelta(seconds=rules.pause_seconds(taken.stalls))
            await self._write(store.RELEASE, taken, pause=pause)
            return
        with contextlib.suppress(OperationLost):
            await self._end(taken, store.FAIL, error.reason, error=self._sealed.error(taken.id, error))

    async def _end(self, taken: LongOperation, statement: Query[LongOperation], result: str, **values: bytes) -> None:
        """Ends it and records that, together; raises OperationLost where it is no longer this process's."""
        trace_id, span_id = parse_traceparent(taken.trace) if taken.trace else ("", "")
        command = Command(
            caller=f"services/{self._service}",
            method=taken.method,
            request_id=taken.id,
            digest=b"",
            response_type=empty_pb2.Empty,
            actor=f"services/{self._service}",
            on_behalf_of=taken.actor,
            trace_id=trace_id,
            span_id=span_id,
        )

        async def work(tx: Transaction) -> None:
            ended = await statement.first(tx.connection, id=taken.id, worker=taken.worker, kept=rules.KEPT, **values)
            if ended is None:
                raise OperationLost(taken.id)
            tx.record(operation(taken, self._service), result=result, record_count=ended.done)

        await self._uow.step(command, work)

    async def _write(
        self, statement: Query[LongOperation], taken: LongOperation, **values: Any
    ) -> LongOperation | None:
        """Writes as who has taken the operation; None where they have it no more."""
        async with self._database.read() as connection:
            return await statement.first(connection, id=taken.id, worker=taken.worker, **values)


async def _ended(*tasks: "asyncio.Future[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
