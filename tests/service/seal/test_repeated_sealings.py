"""A use of a seal that is asked for again: one request never signs twice."""

import asyncio

import pytest

from libs.errors import (
    FailedPrecondition,
    TongbanError,
)
from services.seal.core import sealings as tables
from services.seal.sealing import documents
from services.seal.sealing.ofd import finish
from tests.support.seal_office import (
    HASHES,
    SealOffice,
    digest_request,
    document_request,
)
from tests.support.seals import ofd_document
from tongban.seal.v1 import sealing_service_pb2 as pb


async def test_a_repeat_gets_the_first_answer_and_signs_nothing(office: SealOffice) -> None:
    seal = await office.make()
    digests, document = digest_request(seal, HASHES), document_request(seal, ofd_document())
    first, sealed = await office.seal_digests(digests), await office.seal_document(document)
    outcomes = len(await office.rows(tables.sealing_outcomes))
    assert await office.seal_digests(digests) == first
    assert await office.seal_document(document) == sealed
    assert len(await office.rows(tables.sealing_outcomes)) == outcomes == 2
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
    assert len(await office.rows(tables.sealing_outcomes)) == 1


async def test_the_same_request_many_times_at_once_signs_once(office: SealOffice) -> None:
    seal = await office.make()
    request = document_request(seal, ofd_document())
    answers = await asyncio.gather(*(office.seal_document(request) for _ in range(6)), return_exceptions=True)
    told = [error.reason for error in answers if isinstance(error, TongbanError)]
    documents = {answer.document for answer in answers if isinstance(answer, pb.SealDocumentResponse)}
    assert set(told) <= {"SEALING_UNFINISHED"}
    assert len(documents) == 1
    assert len(await office.rows(tables.sealing_batches)) == len(await office.rows(tables.sealing_outcomes)) == 1


async def test_the_same_request_id_with_another_body_is_refused(office: SealOffice) -> None:
    seal = await office.make()
    request = digest_request(seal, HASHES)
    await office.seal_digests(request)
    with pytest.raises(FailedPrecondition) as caught:
        await office.seal_digests(digest_request(seal, HASHES[:1], request_id=request.request_id))
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_a_use_whose_result_was_stored_before_the_end_is_answered_again_after_it(office: SealOffice) -> None:
    seal = await office.make()
    request = digest_request(seal, HASHES[:1])
    answer = await office.seal_digests(request)
    await office.revoke(seal)
    assert await office.seal_digests(request) == answer
