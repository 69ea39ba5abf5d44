"""The three steps of every use of a seal: commit the intent, use the key outside of any transaction, commit the result.

The result is committed only while the seal is in force, as the intent was: a seal that ends between the two hands nothing
out. A crash between the steps leaves an open batch, which the sweeper voids. A repeated call finds its batch and gets the
stored answer, or is told to come back, or begins anew under new numbers once the old ones are voided.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.audit.log import Entry
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    PermissionDenied,
    TongbanError,
    Unavailable,
    invalid_field,
    reasons,
    state_conflict,
)
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.seal.convert import seal_of
from services.seal.domain.sealings import ABANDONED, SealingKind, SealingState, sealing_number
from services.seal.domain.seals import User, ensure_in_force, ensure_may_use
from services.seal.store.sealings import Outcome, SealingStore
from services.seal.store.seals import SealStore
from services.seal.usecases.opened_seals import OpenedSeal
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import events_pb2 as events

Answer = TypeVar("Answer", bound=Message)
_CHINA = timedelta(hours=8)
_TRY_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Item:
    """One signature to be made.

    Attributes:
        tbs: the exact TBS_Sign bytes.
        digest: SM3 of them.
        data_hash: what the signature protects.
        property_info: where that lies.
    """

    tbs: bytes
    digest: bytes
    data_hash: bytes
    property_info: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One call's use of a seal.

    Attributes:
        seal: the seal.
        kind: what is sealed.
        at: timeInfo, whole seconds.
        items: the signatures to be made, at least one.
        source_digest: SM3 of the document as it came in, or None.
    """

    seal: OpenedSeal
    kind: SealingKind
    at: datetime
    items: Sequence[Item]
    source_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed batch.

    Attributes:
        batch: its id.
        ids: the sealings' ids, in the order of the plan's items.
        numbers: their numbers.
        use: purpose and case as they were recorded.
        user: who uses the seal.
        receipt: proof of the record.
        commit_time: when.
    """

    batch: str
    ids: Sequence[str]
    numbers: Sequence[str]
    use: common_pb2.UseContext
    user: str
    receipt: common_pb2.Receipt
    commit_time: datetime


@dataclass(frozen=True, slots=True)
class Product(Generic[Answer]):
    """What the use of the key brought.

    Attributes:
        signatures: DER, in the order of the plan's items.
        answer: builds the answer that is stored, given the time of the result.
        result_digest: SM3 of the sealed document, or None.
    """

    signatures: Sequence[bytes]
    answer: Callable[[datetime], Answer]
    result_digest: bytes | None = None


Produce = Callable[[Intent], Awaitable[Product[Answer]]]


_PAUSES = (0.2, 0.4, 0.8, 1.6, 3.2)


class _AttemptTaken(Exception):
    """The same request has a batch under this attempt already."""


async def _persistently(store: Callable[[], Awaitable[Answer]]) -> Answer:
    """Stores what is signed, also over a database that is away for some seconds.

    To give up at once would leave the intent open until the sweeper's patience ends, and the caller waiting as long.
    """
    for pause in _PAUSES:
        try:
            return await store()
        except (Unavailable, Aborted) as error:
            if error.reason == "SEALING_UNFINISHED":
                raise
            await asyncio.sleep(pause)
    return await store()


class Uses:
    """Takes the three steps."""

    def __init__(
        self,
        uow: UnitOfWork,
        seals: SealStore,
        store: SealingStore,
        audit: AuditWriter,
        clock: Clock,
        region: str,
        patience: timedelta,
    ) -> None:
        """Takes, besides its parts, how long a batch may be open before it counts as abandoned."""
        self._uow = uow
        self._seals = seals
        self._store = store
        self._audit = audit
        self._clock = clock
        self._region = region
        self._patience = patience
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, command: Command, plan: Plan, produce: Produce[Answer]) -> Answer:
        """Uses the seal once for each item of ``plan`` and returns the stored answer, or that of the first attempt.

        Once the intent is committed the other steps are taken to their end, even where the caller hangs up.

        Raises:
            TongbanError: SEAL_NOT_USABLE, SEAL_USE_NOT_ALLOWED, SEAL_DUTIES_NOT_SEPARATED, SEAL_APPROVAL_NEEDED, CERTIFICATE_NOT_VALID,
                SEALING_UNFINISHED, REQUEST_ID_REUSED, or what ``produce`` raises; the batch is voided then.
        """
        command = replace(command, use=_stated_use(command.use, current_call().actor))
        try:
            intent = await self._commit(command, plan, attempt=1)
        except (_AttemptTaken, PermissionDenied, FailedPrecondition) as error:
            # A repeat gets the first answer, even where the seal has ended since.
            stored = await self._uow.stored(command)
            if stored is not None:
                return cast("Answer", stored)
            if isinstance(error, TongbanError):
                await self._audit.write(command, plan.seal.name, result=error.reason)
                raise
            intent = await self._commit_again(command, plan)
        return await self._to_the_end(self._complete(command, plan, intent, produce))

    async def _to_the_end(self, steps: Coroutine[Any, Any, Answer]) -> Answer:
        task = asyncio.ensure_future(steps)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    async def _commit(self, command: Command, plan: Plan, attempt: int) -> Intent:
        """Step 1: numbers, digests of the exact bytes and the audit record, in one statement."""
        for _ in range(2):
            intent = await self._commit_as_read(command, plan, attempt)
            if intent is not None:
                return intent
        raise reasons.concurrent_change("the seal keeps being changed; try again", retry_after=0.1)

    async def _commit_as_read(self, command: Command, plan: Plan, attempt: int) -> Intent | None:
        """Returns None, and leaves nothing behind, where the seal was changed since it was read."""
        caller = current_call().actor
        row = await self._seals.for_use(plan.seal.identifier, len(plan.items))
        _ensure_usable(row, plan, caller)
        now = self._clock.now()
        entry = self._audit.log.entry(
            command, now, plan.seal.name, record_count=len(plan.items), action=f"{command.method}.intent"
        )
        intent = self._intent(command, plan, caller, entry, row.numbers)
        try:
            done = await self._store.commit(_row(command, plan, intent, attempt, row.version), entry)
        except AlreadyExists:
            raise _AttemptTaken from None
        return intent if done else None

    def _intent(self, command: Command, plan: Plan, caller: Actor, entry: Entry, drawn: Sequence[int]) -> Intent:
        use = common_pb2.UseContext()
        use.CopyFrom(command.use)
        use.transaction_id = entry.transaction_id
        day = (entry.record_time + _CHINA).date()
        return Intent(
            batch=uuid7(),
            ids=[uuid7() for _ in plan.items],
            numbers=[sealing_number(self._region, day, number) for number in drawn],
            use=use,
            user=caller.subject,
            receipt=self._audit.log.receipt(entry),
            commit_time=entry.record_time,
        )

    async def _commit_again(self, command: Command, plan: Plan) -> Intent:
        """Commits a further attempt once the one before is voided; voids it where it was abandoned."""
        last = await self._store.last_attempt(command, self._patience)
        assert last is not None, "the attempt that was taken has a row"
        if last.request_digest != command.digest:
            raise reasons.request_id_reused(
                "the request_id was used before with another body", request_id=command.request_id
            )
        if last.state == SealingState.SIGNED:
            # Signed in this moment: the next call gets the answer. Signed long ago: its answer is no longer kept.
            if await self._uow.stored(command) is None:
                raise state_conflict(f"sealings/{last.sealing}", last.state, SealingState.COMMITTED)
            raise _unfinished(last.sealing)
        if last.state is None:
            if not last.is_abandoned:
                raise _unfinished(last.sealing)
            await self._void(command, str(last.id), ABANDONED)
        try:
            return await self._commit(command, plan, last.attempt + 1)
        except _AttemptTaken:
            raise _unfinished(last.sealing) from None

    async def _complete(self, command: Command, plan: Plan, intent: Intent, produce: Produce[Answer]) -> Answer:
        """Steps 2 and 3."""
        try:
            product = await produce(intent)
        except TongbanError as error:
            await self._void(command, intent.batch, error.reason)
            raise
        try:
            return await self._sign_off(command, plan, intent, product)
        except Unavailable as error:
            if error.reason == "SEALING_UNFINISHED":
                await self._ensure_still_in_force(command, plan, intent)
            raise

    async def _ensure_still_in_force(self, command: Command, plan: Plan, intent: Intent) -> None:
        """Voids a batch whose seal ended after the intent, and raises SEAL_NOT_USABLE: nothing leaves under that seal."""
        row = await self._seals.for_use(plan.seal.identifier, 0)
        try:
            ensure_in_force(seal_of(row, plan.seal.identifier), self._clock.now())
        except FailedPrecondition as error:
            await self._void(command, intent.batch, error.reason)
            raise

    async def _sign_off(self, command: Command, plan: Plan, intent: Intent, product: Product[Answer]) -> Answer:
        outcome = Outcome(intent.batch, SealingState.SIGNED, product.signatures, product.result_digest)

        async def work(tx: Transaction) -> Answer:
            if not await self._store.close(tx.connection, outcome, tx.now):
                raise _unfinished(intent.ids[0])
            tx.about = plan.seal.name
            tx.emit(
                plan.seal.name,
                events.SealUsed(
                    seal=plan.seal.name,
                    sealings=[f"sealings/{each}" for each in intent.ids],
                    case_name=intent.use.case_name,
                    user=intent.user,
                    use_time=timestamp(tx.now),
                ),
            )
            return product.answer(tx.now)

        return await _persistently(lambda: self._uow.run(replace(command, use=intent.use), work))

    async def _void(self, command: Command, batch: str, reason: str) -> None:
        async def work(tx: Transaction) -> None:
            await void(tx, self._store, batch, reason)

        await self._uow.step(command, work)


async def void(tx: Transaction, store: SealingStore, batch: str, reason: str) -> bool:
    """Voids an open batch: no signature under its numbers was handed out, and none ever will be.

    Tells False where the batch has an outcome already.
    """
    if not await store.close(tx.connection, Outcome(batch, SealingState.VOIDED, void_reason=reason), tx.now):
        return False
    voided = await store.of_batch(tx.connection, batch)
    for row in voided:
        name = f"sealings/{row.id}"
        tx.emit(
            name,
            events.SealingVoided(sealing=name, seal=f"seals/{row.seal}", reason=reason, void_time=timestamp(tx.now)),
        )
    tx.record(f"seals/{voided[0].seal}", result=reason, record_count=len(voided))
    return True


def _ensure_usable(row: Row, plan: Plan, caller: Actor) -> None:
    seal = seal_of(row, plan.seal.identifier)
    also = frozenset(filter(None, (caller.delegate, caller.department)))
    ensure_may_use(seal, User(caller.subject, caller.human, also))
    ensure_in_force(seal, plan.at)
    if row.revoke_time is not None or not row.not_before_time <= plan.at <= row.not_after_time:
        raise reasons.certificate_not_valid(
            "the signer's certificate is revoked or outside its period",
            certificate=f"certificates/{plan.seal.certificate_id}",
        )


def _stated_use(use: common_pb2.UseContext, caller: Actor) -> common_pb2.UseContext:
    """Returns the use with department and operator as the token of a staff member says."""
    if not caller.clerk:
        return use
    operator = caller.clerk
    for field, stated, known in (
        ("department", use.department, caller.department),
        ("operator", use.operator, operator),
    ):
        if stated not in ("", known):
            raise invalid_field(f"use.{field}", "as_in_token", "differs from the token")
    said = common_pb2.UseContext()
    said.CopyFrom(use)
    said.department, said.operator = caller.department, operator
    return said


def _row(command: Command, plan: Plan, intent: Intent, attempt: int, seal_version: int) -> dict[str, Any]:
    return {
        "batch": intent.batch,
        "caller": command.caller,
        "method": command.method,
        "request_id": command.request_id,
        "attempt": attempt,
        "request_digest": command.digest,
        "seal": plan.seal.identifier,
        "seal_version": seal_version,
        "certificate": plan.seal.certificate_id,
        "kind": plan.kind.value,
        "signing_time": plan.at,
        "source_digest": plan.source_digest,
        "use_context": intent.use.SerializeToString(),
        "case_name": intent.use.case_name,
        "user_name": intent.user,
        "now": intent.commit_time,
        "ids": intent.ids,
        "numbers": intent.numbers,
        "digests": [item.digest for item in plan.items],
        "data_digests": [item.data_hash for item in plan.items],
        "property_infos": [item.property_info for item in plan.items],
    }


def _unfinished(sealing: str) -> Unavailable:
    return reasons.sealing_unfinished(
        "this request is being signed, or was left open",
        retry_after=_TRY_AGAIN_SECONDS,
        sealing=f"sealings/{sealing}",
    )
