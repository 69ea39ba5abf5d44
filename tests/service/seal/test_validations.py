"""ValidationService on the real stack: the status of our seals, the CRL, and what a stranger brings."""

from datetime import date, timedelta
from typing import Any

import pytest

from libs.clock import FakeClock, SystemClock
from libs.documents.ofd import open_ofd, pack
from libs.errors import InvalidArgument, NotFound
from services.license.rendering import LicensePage, render_ofd, seal_box
from services.seal.core.ses import parse_signature
from tests.support.patience import invoke
from tests.support.refusing import refused
from tests.support.seal_office import SealOffice, at, digest_request, document_request, seal_office
from tests.support.seals import make_kit, ofd_document
from tests.support.service import Ground
from tests.support.uploading import Uploading
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import validation_service_pb2 as pb

STRANGER = "persons/00000000-0000-7000-8000-0000000000a2"
PAGE = LicensePage(
    title="食品经营许可证",
    issuing_authority="测试区行政审批局",
    number="JY13415000000017",
    identifier="1.2.156.3005.2.11100000000013338W011.11110000000021135M.TEST0000000000000001.001.5",
    holder="虚构便利店有限公司",
    fields=(("法定代表人", "张某某"), ("住所", "虚构路1号")),
    issue_date=date(2026, 5, 6),
    qr_text="https://region.example/v/TEST",
)


def unsound(report: pb.ValidationReport) -> dict[str, str]:
    """The steps that don't hold, and why."""
    fine = (pb.STEP_OUTCOME_PASSED, pb.STEP_OUTCOME_NOT_APPLICABLE)
    return {
        step.name: pb.SubIndication.Name(step.sub_indication).removeprefix("SUB_INDICATION_")
        for step in report.steps
        if step.outcome not in fine
    }


async def test_what_rendering_writes_is_sealed_and_valid(office: SealOffice) -> None:
    seal, document, box = await office.make(), render_ofd(PAGE), seal_box(PAGE)
    place = at(1, box.x + box.width / 2, box.y + box.height / 2)
    sealed = (await office.seal_document(document_request(seal, document, placements=[place]))).document
    report = await office.validate(sealed)
    assert unsound(report) == {}
    assert report.conclusion == pb.CONCLUSION_TOTAL_PASSED
    before, after = open_ofd(document), open_ofd(sealed)
    assert after.custom_data() == before.custom_data()
    assert {name for name in before.entries if before.entries[name] != after.entries[name]} == {"OFD.xml"}
    twice = (await office.seal_document(document_request(seal, sealed, placements=[place]))).document
    again = await office.validate(twice)
    assert (unsound(again), len(again.seals)) == ({}, 2)


async def test_what_was_sealed_before_the_end_stays_valid_and_what_comes_after_does_not(ground: Ground) -> None:
    clock = FakeClock(SystemClock().now())
    async with seal_office(ground, clock=clock) as office:
        seal = await office.make()
        clock.advance(timedelta(minutes=1))
        sealed = (await office.seal_document(document_request(seal, ofd_document()))).document
        clock.advance(timedelta(minutes=1))
        await office.revoke(seal)
        clock.advance(timedelta(minutes=1))
        assert unsound(await office.validate(sealed)) == {}
        lone = await office.ask(
            office.validations.ValidateSeal,
            pb.ValidateSealRequest(content=seal.structure),
            pb.ValidationReport,
            token="",
        )
        assert (lone.conclusion, unsound(lone)) == (pb.CONCLUSION_TOTAL_FAILED, {"seal.status": "REVOKED"})


async def test_a_signature_made_with_a_stolen_key_after_the_end_is_caught(ground: Ground) -> None:
    clock = FakeClock(SystemClock().now())
    async with seal_office(ground, clock=clock) as office:
        seal = await office.make()
        sealed = (await office.seal_document(document_request(seal, ofd_document()))).document
        await office.revoke(seal)
        keys = office.service.process.keys
        signer = keys.signer(f"seal-{seal.name.removeprefix('seals/')}")
        clock.advance(timedelta(minutes=5))
        forged = _resealed(sealed, seal, signer.sign, clock)
        assert unsound(await office.validate(forged)) == {
            "seal.status": "REVOKED",
            "signature.certificate_chain": "REVOKED",
        }


def _resealed(sealed: bytes, seal: resources.Seal, sign: object, clock: FakeClock) -> bytes:
    from services.seal.sealing.ofd import Placement, finish, prepare  # noqa: PLC0415 - what a thief would use

    value = parse_signature(open_ofd(sealed).entries["Doc_0/Signs/Sign_1/SignedValue.dat"])
    made = prepare(ofd_document(), seal.structure, value.certificate, [Placement(1, 150, 240)], clock.now())
    return finish(made, sign(made.tbs))  # type: ignore[operator]


async def test_a_changed_document_is_caught(office: SealOffice) -> None:
    seal = await office.make()
    sealed = (await office.seal_document(document_request(seal, ofd_document()))).document
    entries = dict(open_ofd(sealed).entries)
    entries["Doc_0/Pages/Page_0/Content.xml"] += b"\n"
    report = await office.validate(pack(entries))
    assert (report.conclusion, report.sub_indication) == (
        pb.CONCLUSION_TOTAL_FAILED,
        pb.SUB_INDICATION_HASH_FAILURE,
    )
    assert unsound(report) == {"signature.references": "HASH_FAILURE"}


async def test_a_seal_of_another_authority_is_not_known_rather_than_bad(office: SealOffice) -> None:
    kit = make_kit()
    report = await office.validate(kit.sealed(ofd_document(), SystemClock().now() - timedelta(hours=1)))
    told = unsound(report)
    assert {name: told[name] for name in ("seal.maker_certificate_chain", "signature.certificate_chain")} == {
        "seal.maker_certificate_chain": "NO_CERTIFICATE_CHAIN_FOUND",
        "signature.certificate_chain": "NO_CERTIFICATE_CHAIN_FOUND",
    }
    assert told["seal.status"] == "TRY_LATER"


async def test_what_is_no_package_is_an_answer_and_nothing_at_all_an_error(office: SealOffice) -> None:
    report = await office.validate(b"no package")
    assert unsound(report) == {"document.package": "FORMAT_FAILURE"}
    with pytest.raises(InvalidArgument):
        await office.validate(b"")


async def test_a_sealed_digest_is_a_signature_over_our_seal(office: SealOffice) -> None:
    seal = await office.make()
    sealed = await office.seal_digests(digest_request(seal, [bytes(32)]))
    assert parse_signature(sealed.signatures[0].signed_value).seal.raw == seal.structure


async def test_what_was_brought_in_pieces_is_validated_for_who_brought_it(office: SealOffice) -> None:
    seal = await office.make()
    sealed = (await office.seal_document(document_request(seal, ofd_document()))).document
    mine, other = Uploading(office.service, at="seal"), Uploading(office.service, STRANGER, at="seal")
    document, alone = await mine.whole(sealed), await mine.whole(seal.structure)
    report = await _validated(
        office.validations.ValidateDocument, pb.ValidateDocumentRequest(upload=document.name), mine
    )
    assert (report.conclusion, len(report.seals)) == ((await office.validate(sealed)).conclusion, 1)
    report = await _validated(office.validations.ValidateSeal, pb.ValidateSealRequest(upload=alone.name), mine)
    assert unsound(report) == {}
    with pytest.raises(NotFound):
        await _validated(office.validations.ValidateSeal, pb.ValidateSealRequest(upload=alone.name), other)
    with pytest.raises(NotFound):
        await office.ask(
            office.validations.ValidateSeal, pb.ValidateSealRequest(upload=alone.name), pb.ValidationReport, token=""
        )
    with pytest.raises(InvalidArgument) as refused:
        await _validated(office.validations.ValidateSeal, pb.ValidateSealRequest(), mine)
    assert refused.value.reason == "FIELD_INVALID"


@pytest.mark.parametrize("kind", ["ValidateDocument", "ValidateSeal"])
async def test_an_upload_that_is_anothers_or_not_whole_is_not_validated(office: SealOffice, kind: str) -> None:
    mine, other = Uploading(office.service, at="seal"), Uploading(office.service, STRANGER, at="seal")
    begun, whole = await mine.create(100), await other.whole(b"no package")
    method, request = getattr(office.validations, kind), getattr(pb, f"{kind}Request")
    assert await refused(_validated(method, request(upload=begun.name), mine)) == "STATE_CONFLICT"
    assert await refused(_validated(method, request(upload=whole.name), mine)) == "RESOURCE_NOT_FOUND"
    assert await refused(_validated(method, request(upload=whole.name), other)) == ""


async def _validated(method: Any, request: Any, who: Uploading) -> pb.ValidationReport:
    token = dict(who.metadata)["authorization"].removeprefix("Bearer ")
    return await invoke(method, request, pb.ValidationReport, to="seal", token=token)
