"""The three steps of every use of a seal: commit the intent, use the key outside of any transaction, commit the result.

The result is committed only while the seal is in force, as the intent was: a seal that ends between the two hands nothing
out. A crash between the steps leaves an open batch, which the sweeper voids. A repeated call finds its batch and gets the
stored answer, or is told to come back, or begins anew under new numbers once the old ones are voided.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from libs.access.actor import Actor
from libs.access.context import stated
from libs.access.purposes import item_of
from libs.civil.calendar import local_day
from libs.db.command import Command
from libs.db.evidence import Evidence
from libs.db.uow import Transaction
from libs.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    PermissionDenied,
    TongbanError,
    Unavailable,
    reasons,
    state_conflict,
)
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import timestamp
from services.seal.core.parts import Parts
from services.seal.core.seal_rules import User, ensure_in_force, ensure_may_use
from services.seal.sealing.plans import Answer, SealingIntent, SealingPlan, SealingProduct, SealingWork
from services.seal.sealing.rules import ABANDONED, SealingState, sealing_number
from services.seal.sealing.store import BatchOutcome, SealingAttempt, SealingStore, UsableSeal, close, of_batch
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import events_pb2 as events

_TRY_AGAIN_SECONDS = 0.5
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


class SealingSteps:
    """Takes the three steps."""

    def __init__(self, parts: Parts, store: SealingStore, patience: timedelta) -> None:
        """Takes, besides its parts, how long a batch may be open before it counts as abandoned."""
        self._parts = parts
        self._store = store
        self._patience = patience
        self._running: set[asyncio.Task[Any]] = set()

    async def take(self, actor: Actor, command: Command, work: SealingWork[Answer]) -> Answer:
        """Uses the seal once for each item of the plan and returns the stored answer, or that of the first attempt.

        All steps are taken to their end, even where the caller hangs up: one that goes while the intent is being committed
        would leave a batch open that nobody is at.

        Raises:
            TongbanError: SEAL_NOT_USABLE, SEAL_USE_NOT_ALLOWED, SEAL_DUTIES_NOT_SEPARATED, SEAL_APPROVAL_NEEDED,
                CERTIFICATE_NOT_VALID, SEALING_UNFINISHED, REQUEST_ID_REUSED, or what the work raises; the batch is voided
                then.
        """
        command = replace(command, use=stated(actor, command.use, self._parts.home, "law").context)
        return await self._to_the_end(self._take(actor, command, work))

    async def _take(self, actor: Actor, command: Command, work: SealingWork[Answer]) -> Answer:
        try:
            intent = await self._commit(actor, command, work.plan, attempt=1)
        except (_AttemptTaken, PermissionDenied, FailedPrecondition) as error:
            # A repeat gets the first answer, even where the seal has ended since.
            known = await self._parts.uow.stored(command)
            if known is not None:
                return cast("Answer", known)
            if isinstance(error, TongbanError):
                await self._parts.audit.write(command, work.plan.seal.name, result=error.reason)
                raise
            intent = await self._commit_again(actor, command, work.plan)
        return await self._complete(command, work, intent)

    async def _to_the_end(self, steps: Coroutine[Any, Any, Answer]) -> Answer:
        task = asyncio.ensure_future(steps)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    async def _commit(self, actor: Actor, command: Command, plan: SealingPlan, attempt: int) -> SealingIntent:
        """Step 1: numbers, digests of the exact bytes and the audit record, in one statement."""
        for _ in range(2):
            intent = await self._commit_as_read(actor, command, plan, attempt)
            if intent is not None:
                return intent
        raise reasons.concurrent_change("the seal keeps being changed; try again", retry_after=0.1)

    async def _commit_as_read(
        self, actor: Actor, command: Command, plan: SealingPlan, attempt: int
    ) -> SealingIntent | None:
        """Returns None, and leaves nothing behind, where the seal was changed since it was read."""
        parts, count = self._parts, len(plan.items)
        seal = await self._store.usable(plan.seal.name, count)
        _check_usable(seal, plan, actor)
        evidence = Evidence(parts.log, parts.wire, command, parts.clock.now())
        action = f"{command.method}.intent"
        receipt = evidence.record(plan.seal.name, record_count=count, action=action, subjects=[seal.owner])
        intent = self._intent(actor, evidence, receipt, seal, attempt)
        try:
            return intent if await self._store.commit(evidence, plan, intent) else None
        except AlreadyExists:
            raise _AttemptTaken from None

    def _intent(
        self, actor: Actor, evidence: Evidence, receipt: common_pb2.Receipt, seal: UsableSeal, attempt: int
    ) -> SealingIntent:
        use = common_pb2.UseContext()
        use.CopyFrom(evidence.command.use)
        use.transaction_id = receipt.transaction_id
        day, drawn = local_day(evidence.now), seal.numbers or ()
        return SealingIntent(
            batch=uuid7(),
            attempt=attempt,
            seal_version=seal.version,
            ids=[uuid7() for _ in drawn],
            numbers=[sealing_number(self._parts.home, day, number) for number in drawn],
            use=use,
            user=actor.subject,
            receipt=receipt,
            commit_time=evidence.now,
            request_digest=self._parts.uow.kept_body(evidence.command),
        )

    async def _commit_again(self, actor: Actor, command: Command, plan: SealingPlan) -> SealingIntent:
        """Commits a further attempt once the one before is voided; voids it where it was abandoned."""
        last = await self._store.last_attempt(command, self._patience)
        assert last is not None, "the attempt that was taken has a row"
        await self._check_ended(command, last)
        try:
            return await self._commit(actor, command, plan, last.attempt + 1)
        except _AttemptTaken:
            raise _unfinished(last.sealing) from None

    async def _check_ended(self, command: Command, last: SealingAttempt) -> None:
        if not self._parts.uow.is_same_body(command, last.request_digest):
            raise reasons.request_id_reused(
                "the request_id was used before with another body", request_id=command.request_id
            )
        if last.state is SealingState.SIGNED:
            # Signed in this moment: the next call gets the answer. Signed long ago: its answer is no longer kept.
            if await self._parts.uow.stored(command) is None:
                raise state_conflict(f"sealings/{last.sealing}", last.state, SealingState.COMMITTED)
            raise _unfinished(last.sealing)
        if last.state is None:
            if not last.is_abandoned:
                raise _unfinished(last.sealing)
            await self._void(command, last.id, ABANDONED)

    async def _complete(self, command: Command, work: SealingWork[Answer], intent: SealingIntent) -> Answer:
        """Steps 2 and 3."""
        try:
            product = await work.product(intent)
        except TongbanError as error:
            await self._void(command, intent.batch, error.reason)
            raise
        try:
            return await self._sign_off(command, work.plan, intent, product)
        except Unavailable as error:
            if error.reason == "SEALING_UNFINISHED":
                await self._ensure_still_in_force(command, work.plan, intent)
            raise

    async def _ensure_still_in_force(self, command: Command, plan: SealingPlan, intent: SealingIntent) -> None:
        """Voids a batch whose seal ended after the intent, and raises SEAL_NOT_USABLE: nothing leaves under that seal."""
        seal = await self._store.usable(plan.seal.name, 0)
        try:
            ensure_in_force(seal.facts(plan.seal.name), self._parts.clock.now())
        except FailedPrecondition as error:
            await self._void(command, intent.batch, error.reason)
            raise

    async def _sign_off(
        self, command: Command, plan: SealingPlan, intent: SealingIntent, product: SealingProduct[Answer]
    ) -> Answer:
        outcome = BatchOutcome(intent.batch, SealingState.SIGNED, product.signatures, product.result_digest)

        async def work(tx: Transaction) -> Answer:
            if not await close(tx.connection, outcome, tx.now):
                raise _unfinished(intent.ids[0])
            tx.about = plan.seal.name
            _tell_used(tx, plan.seal.name, intent)
            return product.answer(tx.now)

        return await _persistently(lambda: self._parts.uow.run(replace(command, use=intent.use), work))

    async def _void(self, command: Command, batch: str, reason: str) -> None:
        async def work(tx: Transaction) -> None:
            await void(tx, batch, reason)

        await self._parts.uow.step(command, work)


async def void(tx: Transaction, batch: str, reason: str) -> bool:
    """Voids an open batch: no signature under its numbers was handed out, and none ever will be.

    Tells False where the batch has an outcome already.
    """
    if not await close(tx.connection, BatchOutcome(batch, SealingState.VOIDED, void_reason=reason), tx.now):
        return False
    voided = await of_batch(tx.connection, batch)
    for each in voided:
        name = f"sealings/{each.id}"
        told = events.SealingVoided(sealing=name, seal=f"seals/{each.seal}", reason=reason, void_time=timestamp(tx.now))
        tx.emit(name, told)
    tx.record(f"seals/{voided[0].seal}", result=reason, record_count=len(voided))
    return True


def _tell_used(tx: Transaction, seal: str, intent: SealingIntent) -> None:
    tx.emit(
        seal,
        events.SealUsed(
            seal=seal,
            sealings=intent.names,
            case=intent.use.case,
            purpose_code=intent.use.purpose_code,
            service_item=item_of(intent.use),
            user=intent.user,
            use_time=timestamp(tx.now),
        ),
    )


def _check_usable(seal: UsableSeal, plan: SealingPlan, actor: Actor) -> None:
    facts = seal.facts(plan.seal.name)
    also = frozenset(filter(None, (actor.delegate, actor.department)))
    ensure_may_use(facts, User(actor.subject, actor.human, also))
    ensure_in_force(facts, plan.at)
    if not seal.is_certified(plan.at):
        raise reasons.certificate_not_valid(
            "the signer's certificate is revoked or outside its period",
            certificate=f"certificates/{plan.seal.certificate_id}",
        )


def _unfinished(sealing: str) -> Unavailable:
    return reasons.sealing_unfinished(
        "this request is being signed, or was left open",
        retry_after=_TRY_AGAIN_SECONDS,
        sealing=f"sealings/{sealing}",
    )
