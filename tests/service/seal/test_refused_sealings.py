"""A use of a seal that may not be: nothing is signed, and who asked is told why."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from libs.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    TongbanError,
)
from services.seal.core import sealings as tables
from services.seal.sealing.store import SealingStore, UsableSeal
from tests.support import sql
from tests.support.refusing import refused
from tests.support.seal_office import (
    HASHES,
    LICENSE,
    SealOffice,
    at,
    digest_request,
    document_request,
    order,
)
from tests.support.seals import ofd_document, rewritten
from tests.support.uploading import Uploading
from tongban.audit.v1 import audit_service_pb2 as audit
from tongban.audit.v1 import audit_service_pb2_grpc
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import resources_pb2
from tongban.seal.v1 import seal_service_pb2 as seals
from tongban.seal.v1 import sealing_service_pb2 as pb

DEPARTMENT = "departments/01890000-0000-7000-8000-0000000000d1"
CLERK = "staff/01890000-0000-7000-8000-0000000000d2"
EARLIER = "Doc_0/Signs/Sign_1/Signature.xml"


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
    assert await office.rows(tables.sealings) == []


async def test_who_is_not_a_user_of_the_seal_is_refused_and_recorded(office: SealOffice) -> None:
    seal = await office.make(order(resources_pb2.SealUser(subject="clients/other")))
    with pytest.raises(PermissionDenied) as caught:
        await office.seal_digests(digest_request(seal, HASHES))
    assert (caught.value.reason, caught.value.metadata) == ("SEAL_USE_NOT_ALLOWED", {"seal": seal.name})
    assert await refused(office.seal_document(document_request(seal, ofd_document()))) == "SEAL_USE_NOT_ALLOWED"
    assert await office.rows(tables.sealings) == []
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
    use = (await office.sealing(sealed.signatures[0].sealing)).use_context
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
    early.seal.start_time.FromDatetime(office.service.process.clock.now() + timedelta(days=2))
    for seal, state in ((revoked, "REVOKED"), (await office.make(early), "NOT_YET_VALID")):
        with pytest.raises(FailedPrecondition) as caught:
            await office.seal_digests(digest_request(seal, HASHES))
        assert (caught.value.reason, caught.value.metadata["state"]) == ("SEAL_NOT_USABLE", state)


@pytest.mark.parametrize("kind", ["digests", "document"])
async def test_a_seal_that_keeps_being_changed_is_not_used_on_old_knowledge(
    office: SealOffice, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Each time that it is read, somebody else changes it before the intent is committed: by no RPC twice, by an operator may be."""
    seal, usable = await office.make(), SealingStore.usable

    async def overtaken(self: SealingStore, name: str, count: int) -> UsableSeal:
        read = await usable(self, name, count)
        async with office.service.process.database.transaction() as connection:
            await sql.execute(connection, "UPDATE seals SET version = version + 1")
        return read

    monkeypatch.setattr(SealingStore, "usable", overtaken)
    digests, document = digest_request(seal, HASHES[:2]), document_request(seal, ofd_document())
    use = office.seal_digests(digests) if kind == "digests" else office.seal_document(document)
    assert await refused(use) == "CONCURRENT_CHANGE"
    assert [await office.rows(table) for table in (tables.sealing_batches, tables.sealings)] == [[], []]
    monkeypatch.undo()
    assert await refused(office.seal_digests(digests)) == await refused(office.seal_document(document)) == ""


async def test_a_document_that_an_earlier_signature_locks_takes_no_further_seal(office: SealOffice) -> None:
    """A signature that protects the list of signatures would be broken by the next."""
    seal = await office.make()
    sealed = (await office.seal_document(document_request(seal, ofd_document()))).document

    def lock(files: dict[str, bytes]) -> None:
        files[EARLIER] = files[EARLIER].replace(b"/Doc_0/Document.xml", b"/Doc_0/Signs/Signatures.xml")

    with pytest.raises(FailedPrecondition) as caught:
        await office.seal_document(document_request(seal, rewritten(sealed, lock)))
    assert (caught.value.reason, caught.value.metadata) == ("SEAL_DOCUMENT_LOCKED", {"signature": EARLIER})
    assert len(await office.rows(tables.sealing_batches)) == 1


async def test_the_end_of_a_seal_and_its_uses_do_not_cross(office: SealOffice) -> None:
    seal = await office.make()
    uses = [asyncio.create_task(office.seal_digests(digest_request(seal, HASHES[:1]))) for _ in range(12)]
    ended = (await office.revoke(seal)).revoke_time.ToDatetime()
    answers = await asyncio.gather(*uses, return_exceptions=True)
    assert {error.reason for error in answers if isinstance(error, TongbanError)} <= {"SEAL_NOT_USABLE"}
    made = [answer for answer in answers if isinstance(answer, pb.SealDigestsResponse)]
    for answer in made:
        assert (await office.sealing(answer.signatures[0].sealing)).create_time.ToDatetime() <= ended + timedelta(
            milliseconds=50
        )
    assert len(await office.rows(tables.sealings)) == len(made)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": b"no package"}, "SEAL_DOCUMENT_INVALID"),
        ({"media_type": "application/pdf"}, "FIELD_INVALID"),
        ({"placements": [at(9, 99, 99)]}, "SEAL_PLACEMENT_INVALID"),
    ],
)
async def test_what_can_not_be_sealed_leaves_no_trace(office: SealOffice, change: dict[str, Any], reason: str) -> None:
    seal = await office.make()
    with pytest.raises(InvalidArgument) as caught:
        await office.seal_document(document_request(seal, **{"content": ofd_document(), **change}))
    assert caught.value.reason == reason
    assert await office.rows(tables.sealing_batches) == []


async def test_what_does_not_exist_is_not_found(office: SealOffice) -> None:
    nothing = resources_pb2.Seal(name="seals/01890000-0000-7000-8000-00000000000f")
    with pytest.raises(NotFound):
        await office.seal_digests(digest_request(nothing, HASHES))
    with pytest.raises(NotFound):
        await office.sealing("sealings/01890000-0000-7000-8000-00000000000f")
    with pytest.raises(NotFound):
        await office.ask(office.seals.GetSeal, seals.GetSealRequest(name=nothing.name), resources_pb2.Seal)
