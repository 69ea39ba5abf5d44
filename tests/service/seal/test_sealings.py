"""SealingService on the real stack: three steps, each use recorded, no number signed twice."""

import asyncio
import hashlib
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from libs.crypto.x509 import Certificate
from libs.documents.ofd import open_ofd
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, TongbanError, Unavailable
from services.seal import tables
from services.seal.ses import build_tbs, parse_signature
from services.seal.store.sealings import SealingStore
from services.seal.usecases.sweeper import Sweeper
from tests.support.seal_office import LICENSE, USE, SealOffice, digest_request, document_request, fresh, order
from tests.support.seals import ofd_document
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


async def rows(office: SealOffice, table: sa.Table) -> list[sa.Row[tuple[object, ...]]]:
    async with office.service.process.database.read() as connection:
        return list((await connection.execute(sa.select(table))).all())


async def sealing(office: SealOffice, name: str) -> resources_pb2.Sealing:
    answer: resources_pb2.Sealing = await office.ask(
        office.sealings.GetSealing, pb.GetSealingRequest(name=name), resources_pb2.Sealing
    )
    return answer


async def events(office: SealOffice) -> list[tuple[str, str, bytes]]:
    async with office.service.process.database.read() as connection:
        found = await connection.execute(sa.text("SELECT type, subject, data FROM outbox ORDER BY seq"))
        return [(row.type, row.subject, row.data) for row in found]


async def test_a_document_is_sealed_recorded_and_valid(office: SealOffice) -> None:
    seal = await office.make()
    sealed = await office.seal_document(document_request(seal, ofd_document()))
    report = await office.validate(sealed.document)
    assert report.conclusion == validations.CONCLUSION_VALID, report
    assert [found.seal_id for found in report.seals] == [seal.seal_id]
    use = sealed.sealing
    assert (use.seal, use.user, use.state) == (seal.name, "services/license", resources_pb2.SEALING_STATE_SIGNED)
    assert (use.number[:6], len(use.number)) == ("341500", 22)
    assert use.result_digest == f"sm3:{hashlib.new('sm3', sealed.document).hexdigest()}"
    assert use.source_digest == f"sm3:{hashlib.new('sm3', ofd_document()).hexdigest()}"
    signature = parse_signature(open_ofd(sealed.document).entries[VALUE])
    assert use.digest == f"sm3:{hashlib.new('sm3', signature.tbs_raw).hexdigest()}"
    assert use.data_digest == f"sm3:{signature.data_hash.hex()}"
    assert await sealing(office, use.name) == use
    assert use.use.transaction_id == sealed.receipt.transaction_id
    kind, subject, data = (await events(office))[-1]
    assert (kind, subject) == ("cn.tongban.seal.used.v1", seal.name)
    told = events_pb2.SealUsed.FromString(data)
    assert (list(told.sealings), told.case_name, told.user) == ([use.name], USE.case_name, "services/license")


async def test_the_receipt_names_the_record_that_stood_before_the_key_was_used(office: SealOffice) -> None:
    seal = await office.make()
    sealed = await office.seal_digests(digest_request(seal, HASHES))
    log = audit_service_pb2_grpc.AuditServiceStub(office.service.channel)
    record = await office.ask(log.GetRecord, audit.GetRecordRequest(name=sealed.receipt.record), audit.Record)
    assert (record.object, record.record_count, record.actor) == (seal.name, 5, "services/license")
    assert (record.purpose, record.case_name, record.result) == (USE.purpose, USE.case_name, "OK")
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


async def leave_open(office: SealOffice, request: pb.SealDigestsRequest) -> None:
    """Commits an intent whose call then dies with its key in hand."""

    def die(name: str, version: int) -> None:
        raise KeyboardInterrupt  # what no handler may turn into a result, as after kill -9

    raise NotImplementedError(request, die)


async def _abandon(office: SealOffice, request_id: str) -> None:
    """Makes a finished batch look as a crash before its result would have left it."""
    async with office.service.process.database.transaction() as connection:
        batch = (await connection.execute(
            sa.select(tables.sealing_batches.c.id).where(tables.sealing_batches.c.request_id == request_id)
        )).scalar_one()  # fmt: skip
        await connection.execute(sa.insert(tables.sealing_open).values(batch=batch))
    server = office.service.ground.backends.postgres_dsn
    assert server
