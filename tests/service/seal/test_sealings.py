"""SealingService on the real stack: what is sealed, recorded, kept and listed."""

import asyncio
import hashlib
import subprocess
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa

from libs.crypto.x509 import Certificate
from libs.documents.ofd import open_ofd
from libs.errors import (
    NotFound,
)
from services.seal.core import sealings as tables
from services.seal.core.ses import build_tbs, parse_signature
from tests.support import sql
from tests.support.seal_office import (
    HASHES,
    USE,
    SealOffice,
    digest_request,
    document_request,
    fresh,
    order,
)
from tests.support.seals import ofd_document
from tests.support.uploading import Uploading
from tongban.audit.v1 import audit_service_pb2 as audit
from tongban.audit.v1 import audit_service_pb2_grpc
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import events_pb2, resources_pb2
from tongban.seal.v1 import sealing_service_pb2 as pb
from tongban.seal.v1 import validation_service_pb2 as validations

VALUE = "Doc_0/Signs/Sign_1/SignedValue.dat"


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
    assert await office.sealing(use.name) == use
    assert use.use_context.transaction_id == sealed.receipt.transaction_id
    kind, subject, data = (await office.events())[-1]
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
        use = await office.sealing(signed.sealing)
        assert use.digest == f"sm3:{hashlib.new('sm3', signature.tbs_raw).hexdigest()}"
        assert (use.number, use.kind) == (signed.number, resources_pb2.SEALING_KIND_DIGEST)


async def test_numbers_are_never_given_twice(office: SealOffice) -> None:
    seal = await office.make()
    batches = await asyncio.gather(*(office.seal_digests(digest_request(seal, HASHES)) for _ in range(8)))
    numbers = [signed.number for batch in batches for signed in batch.signatures]
    assert len(set(numbers)) == 40


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
    assert len(await office.rows(tables.sealings)) == 1
    await bringing.delete(brought.name)
    with pytest.raises(NotFound):
        await office.ask(office.sealings.SealDocument, request, pb.SealDocumentResponse, token)


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


async def test_the_evidence_can_not_be_changed_by_the_service_itself(office: SealOffice) -> None:
    seal = await office.make()
    await office.seal_digests(digest_request(seal, HASHES[:1], request_id=fresh()))
    columns = {"sealings": "number", "sealing_batches": "kind", "sealing_outcomes": "state", "crls": "number"}
    for table, column in columns.items():
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with office.service.process.database.transaction() as connection:
                    await sql.execute(connection, sa.text(statement))
