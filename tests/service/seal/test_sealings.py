"""SealingService on the real stack: three steps, each use recorded, no number signed twice."""

import asyncio
import hashlib
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from libs.crypto.provider import Signer
from libs.crypto.x509 import Certificate
from libs.db.schema import outbox, retries
from libs.documents.ofd import open_ofd
from libs.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    TongbanError,
    Unavailable,
)
from libs.sweeps.sweep import Sweep
from services.seal.config import Sealing as SealingConfig
from services.seal.core import keys
from services.seal.core import sealings as tables
from services.seal.core.keys import key_unavailable, sign
from services.seal.core.ses import build_tbs, parse_signature
from services.seal.sealing import documents
from services.seal.sealing.ofd import finish
from services.seal.sealing.steps import SealingSteps
from services.seal.sealing.store import SealingStore
from services.seal.sealing.worker import abandoned, left_behind
from tests.support import sql
from tests.support.outbox import emitted
from tests.support.refusing import refused
from tests.support.seal_office import (
    LICENSE,
    USE,
    SealOffice,
    digest_request,
    document_request,
    fresh,
    order,
    seal_office,
)
from tests.support.seals import ofd_document
from tests.support.service import Ground
from tests.support.uploading import Uploading
from tongban.audit.v1 import audit_service_pb2 as audit
from tongban.audit.v1 import audit_service_pb2_grpc
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import events_pb2, resources_pb2
from tongban.seal.v1 import seal_service_pb2 as seals
from tongban.seal.v1 import sealing_service_pb2 as pb
from tongban.seal.v1 import validation_service_pb2 as validations

VALUE = "Doc_0/Signs/Sign_1/SignedValue.dat"
HASHES = [hashlib.new("sm3", bytes((number,))).digest() for number in range(5)]
DEPARTMENT = "departments/01890000-0000-7000-8000-0000000000d1"
CLERK = "staff/01890000-0000-7000-8000-0000000000d2"


async def rows(office: SealOffice, table: sa.Table) -> list[sql.Row]:
    async with office.service.process.database.read() as connection:
        return list((await sql.execute(connection, sa.select(table))).all())


async def sealing(office: SealOffice, name: str) -> resources_pb2.Sealing:
    answer: resources_pb2.Sealing = await office.ask(
        office.sealings.GetSealing, pb.GetSealingRequest(name=name), resources_pb2.Sealing
    )
    return answer


async def events(office: SealOffice) -> list[tuple[str, str, bytes]]:
    async with office.service.process.database.read() as connection:
        found = (await sql.execute(connection, outbox.select().order_by(outbox.c.seq))).all()
    return [(row.type, row.subject, emitted(office.service.process.wire, row)) for row in found]


async def test_a_document_is_sealed_recorded_and_valid(office: SealOffice) -> None:
    seal = await office.make()
    sealed = await office.seal_document(document_request(seal, ofd_document()))
    report = await office.validate(sealed.document)
    assert report.conclusion == validations.CONCLUSION_TOTAL_PASSED, report
    assert [found.seal_id for found in report.seals] == [seal.seal_id]
    use = sealed.sealing
    assert (use.seal, use.user, use.state) == (seal.name, "services/license", resources_pb2.SEALING_STATE_SIGNED)
    assert (use.number[:7], len(use.number)) == ("341500-", 23)
    assert use.result_digest == f"sm3:{hashlib.new('sm3', sealed.document).hexdigest()}"
    assert use.source_digest == f"sm3:{hashlib.new('sm3', ofd_document()).hexdigest()}"
    signature = parse_signature(open_ofd(sealed.document).entries[VALUE])
    assert use.digest == f"sm3:{hashlib.new('sm3', signature.tbs_raw).hexdigest()}"
    assert use.data_digest == f"sm3:{signature.data_hash.hex()}"
    assert await sealing(office, use.name) == use
    assert use.use_context.transaction_id == sealed.receipt.transaction_id
    kind, subject, data = (await events(office))[-1]
    assert (kind, subject) == ("cn.tongban.seal.seal.used.v1", seal.name)
    told = events_pb2.SealUsed.FromString(data)
    assert (list(told.sealings), told.case, told.user) == ([use.name], USE.case, "services/license")


async def test_the_receipt_names_the_record_that_stood_before_the_key_was_used(office: SealOffice) -> None:
    seal = await office.make()
    sealed = await office.seal_digests(digest_request(seal, HASHES))
    log = audit_service_pb2_grpc.AuditServiceStub(office.service.channel)
    record = await office.ask(
        log.GetAuditRecord, audit.GetAuditRecordRequest(name=sealed.receipt.record), audit.AuditRecord
    )
    assert (record.object, record.record_count, record.actor) == (seal.name, 5, "services/license")
    assert (record.purpose, record.case, record.result) == (USE.purpose, USE.case, "OK")
    assert record.action.endswith("SealDigests.intent")
    assert sealed.receipt.record_time.ToDatetime() == record.record_time.ToDatetime()


async def test_openssl_alone_verifies_a_sealed_digest(office: SealOffice, tmp_path: Path) -> None:
    seal = await office.make()
    sealed = await office.seal_digests(digest_request(seal, HASHES))
    signature = parse_signature(sealed.signatures[2].signed_value)
    assert signature.data_hash == HASHES[2]
    (tmp_path / "key.pem").write_bytes(Certificate.parse(signature.certificate).public_key.pem)
    (tmp_path / "tbs").write_bytes(signature.tbs_raw)
    (tmp_path / "sig").write_bytes(signature.signature)
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in tbs -sigfile sig -digest sm3"
    command += " -pkeyopt distid:1234567812345678"
    done = await asyncio.to_thread(
        subprocess.run, command.split(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Signature Verified Successfully" in done.stdout) == (0, True), done.stderr


async def test_every_digest_of_a_batch_has_its_own_number_and_exact_bytes(office: SealOffice) -> None:
    seal = await office.make()
    sealed = await office.seal_digests(digest_request(seal, HASHES))
    assert len({signed.number for signed in sealed.signatures}) == 5
    for signed, data_hash in zip(sealed.signatures, HASHES, strict=True):
        signature = parse_signature(signed.signed_value)
        assert signature.data_hash == data_hash
        assert signature.tbs_raw == build_tbs(seal.structure, signature.time, data_hash, signature.property_info)
        assert signature.time.timestamp() == sealed.sign_time.seconds
        use = await sealing(office, signed.sealing)
        assert use.digest == f"sm3:{hashlib.new('sm3', signature.tbs_raw).hexdigest()}"
        assert (use.number, use.kind) == (signed.number, resources_pb2.SEALING_KIND_DIGEST)


async def test_a_repeat_gets_the_first_answer_and_signs_nothing(office: SealOffice) -> None:
    seal = await office.make()
    digests, document = digest_request(seal, HASHES), document_request(seal, ofd_document())
    first, sealed = await office.seal_digests(digests), await office.seal_document(document)
    outcomes = len(await rows(office, tables.sealing_outcomes))
    assert await office.seal_digests(digests) == first
    assert await office.seal_document(document) == sealed
    assert len(await rows(office, tables.sealing_outcomes)) == outcomes == 2
    await office.revoke(seal)
    assert await office.seal_digests(digests) == first
    assert await office.seal_document(document) == sealed


async def test_a_document_that_a_later_release_packs_otherwise_is_not_given_in_the_first_one_s_place(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered is kept as its digest: other bytes are never said to be it, and the caller knows what to do."""
    seal = await office.make()
    document = document_request(seal, ofd_document())
    sealed = await office.seal_document(document)
    monkeypatch.setattr(documents, "finish", lambda *given: finish(*given) + b"\n")
    with pytest.raises(FailedPrecondition) as caught:
        await office.seal_document(document)
    assert (caught.value.reason, caught.value.metadata["resource"]) == ("STATE_CONFLICT", sealed.sealing.name)
    monkeypatch.undo()
    assert await office.seal_document(document) == sealed
    assert len(await rows(office, tables.sealing_outcomes)) == 1


async def test_the_same_request_many_times_at_once_signs_once(office: SealOffice) -> None:
    seal = await office.make()
    request = document_request(seal, ofd_document())
    answers = await asyncio.gather(*(office.seal_document(request) for _ in range(6)), return_exceptions=True)
    told = [error.reason for error in answers if isinstance(error, TongbanError)]
    documents = {answer.document for answer in answers if isinstance(answer, pb.SealDocumentResponse)}
    assert set(told) <= {"SEALING_UNFINISHED"}
    assert len(documents) == 1
    assert len(await rows(office, tables.sealing_batches)) == len(await rows(office, tables.sealing_outcomes)) == 1


async def test_the_same_request_id_with_another_body_is_refused(office: SealOffice) -> None:
    seal = await office.make()
    request = digest_request(seal, HASHES)
    await office.seal_digests(request)
    with pytest.raises(FailedPrecondition) as caught:
        await office.seal_digests(digest_request(seal, HASHES[:1], request_id=request.request_id))
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_numbers_are_never_given_twice(office: SealOffice) -> None:
    seal = await office.make()
    batches = await asyncio.gather(*(office.seal_digests(digest_request(seal, HASHES)) for _ in range(8)))
    numbers = [signed.number for batch in batches for signed in batch.signatures]
    assert len(set(numbers)) == 40


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
    open_one = await sealing(office, early.value.metadata["sealing"])
    assert open_one.state == resources_pb2.SEALING_STATE_COMMITTED
    assert await sweep(office, timedelta(minutes=1)) == 0
    assert await sweep(office) == 1
    assert await sweep(office) == 0
    voided = await sealing(office, open_one.name)
    assert (voided.state, voided.void_reason) == (resources_pb2.SEALING_STATE_VOIDED, "ABANDONED")
    assert [kind for kind, _, _ in await events(office)][-2:] == ["cn.tongban.seal.sealing.voided.v1"] * 2
    again = await office.seal_digests(request)
    assert open_one.number not in {signed.number for signed in again.signatures}
    assert await office.seal_digests(request) == again
    assert await rows(office, tables.sealing_open) == []


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
        with pytest.raises(FailedPrecondition) as caught:
            await office.seal_document(document_request(seal, ofd_document(3), request_id=request.request_id))
        assert caught.value.reason == "REQUEST_ID_REUSED"
        sealed = await office.seal_document(request)
        assert [row.state for row in await rows(office, tables.sealing_outcomes)] == ["VOIDED", "SIGNED"]
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
        assert self.opened.wait(10)
        return self._sign(signer, message)


async def test_a_result_that_comes_after_the_sweeper_is_not_handed_out(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = await office.make()
    gate = Gate(monkeypatch)
    request = digest_request(seal, HASHES[:1])
    call = asyncio.create_task(office.seal_digests(request))
    await asyncio.to_thread(gate.reached.wait, 10)
    assert await sweep(office) == 1
    gate.opened.set()
    with pytest.raises(Unavailable) as caught:
        await call
    assert caught.value.reason == "SEALING_UNFINISHED"
    late = await sealing(office, caught.value.metadata["sealing"])
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
    await asyncio.to_thread(gate.reached.wait, 10)
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
    assert all(not row.signatures for row in await rows(office, tables.sealing_outcomes))
    with pytest.raises(FailedPrecondition, match="SEAL_NOT_USABLE"):
        await office.seal_digests(request)


async def test_a_use_whose_result_was_stored_before_the_end_is_answered_again_after_it(office: SealOffice) -> None:
    seal = await office.make()
    request = digest_request(seal, HASHES[:1])
    answer = await office.seal_digests(request)
    await office.revoke(seal)
    assert await office.seal_digests(request) == answer


async def test_a_caller_who_hangs_up_gets_the_answer_by_asking_again(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = await office.make()
    gate = Gate(monkeypatch)
    request = digest_request(seal, HASHES[:1])
    call = asyncio.create_task(office.seal_digests(request))
    await asyncio.to_thread(gate.reached.wait, 10)
    call.cancel()
    gate.opened.set()
    async with asyncio.timeout(10):
        while not await rows(office, tables.sealing_outcomes):
            pass
    answer = await office.seal_digests(request)
    assert len(answer.signatures) == len(await rows(office, tables.sealings)) == 1


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
    async with asyncio.timeout(10):
        while not await rows(office, tables.sealing_outcomes):
            pass
    assert len((await office.seal_digests(request)).signatures) == len(await rows(office, tables.sealings)) == 1


async def test_a_document_that_was_brought_in_pieces_is_sealed_and_a_repeat_needs_it_again(office: SealOffice) -> None:
    seal = await office.make(order(resources_pb2.SealUser(subject="clients/other")))
    bringing = Uploading(office.service, "clients/other", at="seal", kind="CLIENT")
    brought, token = await bringing.whole(ofd_document()), office.token("clients/other", "CLIENT")
    request = document_request(seal, None, upload=brought.name)
    first = await office.ask(office.sealings.SealDocument, request, pb.SealDocumentResponse, token)
    assert first.WhichOneof("result") == "upload"
    told, sealed = await bringing.download(first.upload)
    assert (told.media_type, told.digest) == ("application/ofd", first.sealing.result_digest)
    assert (await office.validate(sealed)).seals[0].seal_id
    again = await office.ask(office.sealings.SealDocument, request, pb.SealDocumentResponse, token)
    assert (again.sealing, (await bringing.download(again.upload))[1]) == (first.sealing, sealed)
    assert len(await rows(office, tables.sealings)) == 1
    await bringing.delete(brought.name)
    with pytest.raises(NotFound):
        await office.ask(office.sealings.SealDocument, request, pb.SealDocumentResponse, token)


async def test_a_seal_is_not_used_where_there_is_no_room_for_what_it_makes(office: SealOffice) -> None:
    seal = await office.make(order(resources_pb2.SealUser(subject="clients/other")))
    bringing = Uploading(office.service, "clients/other", at="seal", kind="CLIENT")
    brought, token = await bringing.whole(ofd_document()), office.token("clients/other", "CLIENT")
    await bringing.fill(brought.size_bytes)
    with pytest.raises(ResourceExhausted) as caught:
        await office.ask(
            office.sealings.SealDocument,
            document_request(seal, None, upload=brought.name),
            pb.SealDocumentResponse,
            token,
        )
    assert caught.value.reason == "UPLOAD_QUOTA_EXCEEDED"
    assert await rows(office, tables.sealings) == []


async def test_who_is_not_a_user_of_the_seal_is_refused_and_recorded(office: SealOffice) -> None:
    seal = await office.make(order(resources_pb2.SealUser(subject="clients/other")))
    with pytest.raises(PermissionDenied) as caught:
        await office.seal_digests(digest_request(seal, HASHES))
    assert (caught.value.reason, caught.value.metadata) == ("SEAL_USE_NOT_ALLOWED", {"seal": seal.name})
    assert await refused(office.seal_document(document_request(seal, ofd_document()))) == "SEAL_USE_NOT_ALLOWED"
    assert await rows(office, tables.sealings) == []
    log = audit_service_pb2_grpc.AuditServiceStub(office.service.channel)
    records = await office.ask(
        log.ListAuditRecords,
        audit.ListAuditRecordsRequest(parent="seal", filter=f"object = {seal.name}"),
        audit.ListAuditRecordsResponse,
    )
    assert "SEAL_USE_NOT_ALLOWED" in [record.result for record in records.audit_records]


async def test_staff_seal_by_their_department_and_say_no_other(office: SealOffice) -> None:
    seal = await office.make(order(resources_pb2.SealUser(subject=DEPARTMENT)))
    token = office.token(CLERK, dept=DEPARTMENT)
    sealed = await office.ask(
        office.sealings.SealDigests, digest_request(seal, HASHES[:1]), pb.SealDigestsResponse, token=token
    )
    use = (await sealing(office, sealed.signatures[0].sealing)).use_context
    assert (use.department, use.operator) == (DEPARTMENT, CLERK)
    lie = common_pb2.UseContext(purpose_code="SEALING", purpose="x", department="departments/other")
    with pytest.raises(InvalidArgument) as caught:
        await office.ask(
            office.sealings.SealDigests,
            digest_request(seal, HASHES[:1], use_context=lie),
            pb.SealDigestsResponse,
            token=token,
        )
    told = caught.value.violations[0]
    assert (told.field, told.rule) == ("use_context.department", "context.token")
    with pytest.raises(PermissionDenied):
        await office.ask(
            office.sealings.SealDigests, digest_request(seal, HASHES[:1]), pb.SealDigestsResponse, office.token(CLERK)
        )


async def test_a_use_that_must_be_approved_is_refused_without(office: SealOffice) -> None:
    seal = await office.make(order(resources_pb2.SealUser(subject="services/license", approval_needed=True)))
    with pytest.raises(FailedPrecondition) as caught:
        await office.seal_digests(digest_request(seal, HASHES))
    assert caught.value.reason == "SEAL_APPROVAL_NEEDED"
    assert await refused(office.seal_document(document_request(seal, ofd_document()))) == "SEAL_APPROVAL_NEEDED"


async def test_a_seal_out_of_force_is_not_used(office: SealOffice) -> None:
    revoked = await office.revoke(await office.make())
    early = order(LICENSE)
    early.start_time.FromDatetime(office.service.process.clock.now() + timedelta(days=2))
    for seal, state in ((revoked, "REVOKED"), (await office.make(early), "NOT_YET_VALID")):
        with pytest.raises(FailedPrecondition) as caught:
            await office.seal_digests(digest_request(seal, HASHES))
        assert (caught.value.reason, caught.value.metadata["state"]) == ("SEAL_NOT_USABLE", state)


async def test_the_end_of_a_seal_and_its_uses_do_not_cross(office: SealOffice) -> None:
    seal = await office.make()
    uses = [asyncio.create_task(office.seal_digests(digest_request(seal, HASHES[:1]))) for _ in range(12)]
    ended = (await office.revoke(seal)).revoke_time.ToDatetime()
    answers = await asyncio.gather(*uses, return_exceptions=True)
    assert {error.reason for error in answers if isinstance(error, TongbanError)} <= {"SEAL_NOT_USABLE"}
    made = [answer for answer in answers if isinstance(answer, pb.SealDigestsResponse)]
    for answer in made:
        assert (await sealing(office, answer.signatures[0].sealing)).create_time.ToDatetime() <= ended + timedelta(
            milliseconds=50
        )
    assert len(await rows(office, tables.sealings)) == len(made)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": b"no package"}, "SEAL_DOCUMENT_INVALID"),
        ({"media_type": "application/pdf"}, "FIELD_INVALID"),
        ({"placements": [pb.StampPlacement(page=9, center_x_mm=99, center_y_mm=99)]}, "SEAL_PLACEMENT_INVALID"),
    ],
)
async def test_what_can_not_be_sealed_leaves_no_trace(office: SealOffice, change: dict[str, Any], reason: str) -> None:
    seal = await office.make()
    with pytest.raises(InvalidArgument) as caught:
        await office.seal_document(document_request(seal, **{"content": ofd_document(), **change}))
    assert caught.value.reason == reason
    assert await rows(office, tables.sealing_batches) == []


async def test_uses_are_listed_by_page_and_filter(office: SealOffice) -> None:
    one, two = await office.make(), await office.make()
    first = await office.seal_digests(digest_request(one, HASHES))
    item = "serviceItems/01890000-0000-7000-8000-0000000000bb"
    other = common_pb2.UseContext(purpose_code="ARCHIVING", purpose="归档", case="cases/other", service_item=item)
    second = await office.seal_digests(digest_request(two, HASHES[:2], use_context=other))

    async def page(**fields: object) -> pb.ListSealingsResponse:
        request = pb.ListSealingsRequest(**fields)  # type: ignore[arg-type]
        answer: pb.ListSealingsResponse = await office.ask(
            office.sealings.ListSealings, request, pb.ListSealingsResponse
        )
        return answer

    start = await page(page_size=3, filter=f"seal = {one.name}")
    rest = await page(page_size=3, filter=f"seal = {one.name}", page_token=start.next_page_token)
    names = [use.name for use in (*start.sealings, *rest.sealings)]
    assert names == [signed.sealing for signed in reversed(first.signatures)]
    assert rest.next_page_token == ""
    assert {use.name for use in (await page(filter="use_context.case = cases/other")).sealings} == {
        signed.sealing for signed in second.signatures
    }
    for chosen in ("use_context.purpose_code = ARCHIVING", f"use_context.service_item = {item}"):
        assert len((await page(filter=chosen)).sealings) == 2
    number = first.signatures[0].number
    assert [use.number for use in (await page(filter=f"number = {number}")).sealings] == [number]
    assert len((await page(filter="state = SEALING_STATE_SIGNED AND sign_time:*")).sealings) == 7
    assert not (await page(filter="state = SEALING_STATE_VOIDED OR void_time:*")).sealings


async def test_what_does_not_exist_is_not_found(office: SealOffice) -> None:
    nothing = resources_pb2.Seal(name="seals/01890000-0000-7000-8000-00000000000f")
    with pytest.raises(NotFound):
        await office.seal_digests(digest_request(nothing, HASHES))
    with pytest.raises(NotFound):
        await sealing(office, "sealings/01890000-0000-7000-8000-00000000000f")
    with pytest.raises(NotFound):
        await office.ask(office.seals.GetSeal, seals.GetSealRequest(name=nothing.name), resources_pb2.Seal)


async def test_the_evidence_can_not_be_changed_by_the_service_itself(office: SealOffice) -> None:
    seal = await office.make()
    await office.seal_digests(digest_request(seal, HASHES[:1], request_id=fresh()))
    columns = {"sealings": "number", "sealing_batches": "kind", "sealing_outcomes": "state", "crls": "number"}
    for table, column in columns.items():
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with office.service.process.database.transaction() as connection:
                    await sql.execute(connection, sa.text(statement))


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
    assert [row.key for row in await rows(office, retries)] == ["x"]
    seconds -= 0.1
    await end()
    assert await rows(office, retries) == []
