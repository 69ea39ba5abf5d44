"""A use of a seal that does not come to its end: no number is signed twice, and none is left open."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from libs.crypto.provider import Signer
from libs.db.schema import retries
from libs.errors import (
    FailedPrecondition,
    Internal,
    Unavailable,
)
from libs.sweeps.sweep import Sweep
from services.seal.config import Sealing as SealingConfig
from services.seal.core import keys
from services.seal.core import sealings as tables
from services.seal.core.keys import key_unavailable, sign
from services.seal.sealing.steps import SealingSteps
from services.seal.sealing.store import SealingStore
from services.seal.sealing.worker import abandoned, left_behind
from tests.support import sql
from tests.support.patience import PATIENCE
from tests.support.refusing import refused
from tests.support.seal_office import (
    HASHES,
    SealOffice,
    digest_request,
    document_request,
    seal_office,
)
from tests.support.seals import ofd_document
from tests.support.service import Ground
from tongban.seal.v1 import resources_pb2
from tongban.seal.v1 import sealing_service_pb2 as pb
from tongban.seal.v1 import validation_service_pb2 as validations


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the next use of a key end as a crash would: no result, no word. The call returned undoes it."""

    def crash(signer: Signer, message: bytes) -> bytes:
        raise RuntimeError("the machine is gone")

    monkeypatch.setattr(keys, "sign", crash)
    return monkeypatch.undo


async def sweep(office: SealOffice, patience: timedelta = timedelta(0)) -> int:
    process = office.service.process
    backlog = abandoned(process.uow, patience)
    return await Sweep(process.database, "test", [backlog], 1.0).sweep()


async def test_what_a_crash_left_is_voided_and_the_repeat_gets_new_numbers(
    office: SealOffice, crashing: Callable[[], None]
) -> None:
    seal = await office.make()
    request = digest_request(seal, HASHES[:2])
    with pytest.raises(Internal):
        await office.seal_digests(request)
    crashing()
    with pytest.raises(Unavailable) as early:
        await office.seal_digests(request)
    assert early.value.reason == "SEALING_UNFINISHED"
    open_one = await office.sealing(early.value.metadata["sealing"])
    assert open_one.state == resources_pb2.SEALING_STATE_COMMITTED
    assert await sweep(office, timedelta(minutes=1)) == 0
    assert await sweep(office) == 1
    assert await sweep(office) == 0
    voided = await office.sealing(open_one.name)
    assert (voided.state, voided.void_reason) == (resources_pb2.SEALING_STATE_VOIDED, "ABANDONED")
    assert [kind for kind, _, _ in await office.events()][-2:] == ["cn.tongban.seal.sealing.voided.v1"] * 2
    again = await office.seal_digests(request)
    assert open_one.number not in {signed.number for signed in again.signatures}
    assert await office.seal_digests(request) == again
    assert await office.rows(tables.sealing_open) == []


async def test_a_document_whose_sealing_is_open_is_not_sealed_beside_it(
    office: SealOffice, crashing: Callable[[], None]
) -> None:
    request = document_request(await office.make(), ofd_document())
    assert await refused(office.seal_document(request)) == "INTERNAL"
    crashing()
    assert await refused(office.seal_document(request)) == "SEALING_UNFINISHED"
    assert len(await office.rows(tables.sealing_batches)) == 1
    assert await sweep(office) == 1
    assert await refused(office.seal_document(request)) == ""


async def test_what_was_left_while_the_clock_was_ahead_waits_for_no_later_day(
    office: SealOffice, crashing: Callable[[], None]
) -> None:
    with pytest.raises(Internal):
        await office.seal_digests(digest_request(await office.make(), HASHES[:1]))
    crashing()
    async with office.service.process.database.transaction() as connection:
        await sql.execute(connection, "UPDATE sealing_open SET commit_time = now() + interval '400 days'")
    assert await sweep(office, timedelta(minutes=1)) == 1


async def test_a_repeat_voids_what_was_abandoned_and_another_body_is_refused_still(
    ground: Ground, crashing: Callable[[], None]
) -> None:
    async with seal_office(ground, sealing=SealingConfig(patience_seconds=0, workers=1)) as office:
        seal = await office.make()
        request = document_request(seal, ofd_document())
        with pytest.raises(Internal):
            await office.seal_document(request)
        crashing()
        other = document_request(seal, ofd_document(3), request_id=request.request_id)
        assert await refused(office.seal_document(other)) == "REQUEST_ID_REUSED"
        sealed = await office.seal_document(request)
        assert [row.state for row in await office.rows(tables.sealing_outcomes)] == ["VOIDED", "SIGNED"]
        assert (await office.validate(sealed.document)).conclusion == validations.CONCLUSION_TOTAL_PASSED


async def test_a_key_that_does_not_answer_voids_its_numbers_at_once(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = await office.make()

    def refuse(signer: Signer, message: bytes) -> bytes:
        raise key_unavailable()

    monkeypatch.setattr(keys, "sign", refuse)
    request = digest_request(seal, HASHES[:1])
    with pytest.raises(Unavailable) as caught:
        await office.seal_digests(request)
    assert caught.value.reason == "KEY_UNAVAILABLE"
    (voided,) = (
        await office.ask(
            office.sealings.ListSealings,
            pb.ListSealingsRequest(filter=f"seal = {seal.name} AND state = SEALING_STATE_VOIDED"),
            pb.ListSealingsResponse,
        )
    ).sealings
    assert voided.void_reason == "KEY_UNAVAILABLE"
    monkeypatch.undo()
    assert (await office.seal_digests(request)).signatures[0].number != voided.number


class Gate:
    """Holds the key until the test opens it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self._sign = sign
        monkeypatch.setattr(keys, "sign", self)

    def __call__(self, signer: Signer, message: bytes) -> bytes:
        self.reached.set()
        assert self.opened.wait(PATIENCE)
        return self._sign(signer, message)


async def test_a_result_that_comes_after_the_sweeper_is_not_handed_out(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = await office.make()
    gate = Gate(monkeypatch)
    request = digest_request(seal, HASHES[:1])
    call = asyncio.create_task(office.seal_digests(request))
    await asyncio.to_thread(gate.reached.wait, PATIENCE)
    assert await sweep(office) == 1
    gate.opened.set()
    with pytest.raises(Unavailable) as caught:
        await call
    assert caught.value.reason == "SEALING_UNFINISHED"
    late = await office.sealing(caught.value.metadata["sealing"])
    assert late.state == resources_pb2.SEALING_STATE_VOIDED
    assert (await office.seal_digests(request)).signatures[0].number != late.number


@pytest.mark.parametrize("ending", ["revoked", "certificate", "frozen", "expired"])
async def test_a_seal_that_ends_between_intent_and_result_hands_out_nothing(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """What was committed before the end and signed after it is voided: a seal that has ended seals nothing."""
    seal = await office.make()
    gate = Gate(monkeypatch)
    request = digest_request(seal, HASHES[:2])
    call = asyncio.create_task(office.seal_digests(request))
    await asyncio.to_thread(gate.reached.wait, PATIENCE)
    if ending == "revoked":
        await office.revoke(seal)
    elif ending == "certificate":
        await office.revoke_certificate(seal.certificate)
    else:
        change = "state = 'FROZEN'" if ending == "frozen" else "valid_until_time = now() - interval '1 second'"
        async with office.service.process.database.transaction() as connection:
            await sql.execute(connection, f"UPDATE seals SET {change}")
    gate.opened.set()
    with pytest.raises(FailedPrecondition) as caught:
        await call
    state = "REVOKED" if ending in ("revoked", "certificate") else ending.upper()
    assert (caught.value.reason, caught.value.metadata["state"]) == ("SEAL_NOT_USABLE", state)
    made = (
        await office.ask(
            office.sealings.ListSealings, pb.ListSealingsRequest(filter=f"seal = {seal.name}"), pb.ListSealingsResponse
        )
    ).sealings
    assert [(each.state, each.void_reason) for each in made] == [
        (resources_pb2.SEALING_STATE_VOIDED, "SEAL_NOT_USABLE")
    ] * 2
    assert all(not row.signatures for row in await office.rows(tables.sealing_outcomes))
    with pytest.raises(FailedPrecondition, match="SEAL_NOT_USABLE"):
        await office.seal_digests(request)


async def test_a_caller_who_hangs_up_gets_the_answer_by_asking_again(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = await office.make()
    gate = Gate(monkeypatch)
    request = digest_request(seal, HASHES[:1])
    call = asyncio.create_task(office.seal_digests(request))
    await asyncio.to_thread(gate.reached.wait, PATIENCE)
    call.cancel()
    gate.opened.set()
    async with asyncio.timeout(PATIENCE):
        while not await office.rows(tables.sealing_outcomes):
            pass
    answer = await office.seal_digests(request)
    assert len(answer.signatures) == len(await office.rows(tables.sealings)) == 1


async def test_a_caller_who_hangs_up_while_the_intent_is_committed_leaves_no_open_batch(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has committed, its answer is on the way, and the caller goes."""
    seal, committed, gone, answered = await office.make(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    commit, take = SealingStore.commit, SealingSteps.take

    async def slow(self: SealingStore, *args: Any) -> Any:
        done = await commit(self, *args)
        committed.set()
        await answered.wait()
        return done

    async def left(self: SealingSteps, *args: Any) -> Any:
        try:
            return await take(self, *args)
        except asyncio.CancelledError:
            gone.set()
            raise

    monkeypatch.setattr(SealingStore, "commit", slow)
    monkeypatch.setattr(SealingSteps, "take", left)
    request = digest_request(seal, HASHES[:1])
    call = asyncio.create_task(office.seal_digests(request))
    await committed.wait()
    call.cancel()
    await gone.wait()
    answered.set()
    async with asyncio.timeout(PATIENCE):
        while not await office.rows(tables.sealing_outcomes):
            pass
    assert len((await office.seal_digests(request)).signatures) == len(await office.rows(tables.sealings)) == 1


async def test_a_process_that_is_older_than_the_patience_leaves_open_batches_to_the_sweep(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both note what they find under one name: one that looks for what is older would take the sweep's notes away."""
    process, seconds, patience = office.service.process, 1000.0, timedelta(seconds=60)
    monkeypatch.setattr("services.seal.sealing.worker.time.monotonic", lambda: seconds)
    end = left_behind(process.database, process.uow, patience)
    async with process.database.transaction() as connection:
        await sql.execute(
            connection,
            "INSERT INTO retries (task, key, party, next_attempt) VALUES ('seal_intent_outcome', 'x', '', now())",
        )
    seconds += 60.0
    assert await end() == 0
    assert [row.key for row in await office.rows(retries)] == ["x"]
    seconds -= 0.1
    await end()
    assert await office.rows(retries) == []
