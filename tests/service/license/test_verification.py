"""Public verification: what was brought, what is told, and the other region's word on its own licences."""

import io
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest

from libs.errors import InvalidArgument, PermissionDenied
from libs.rpc import status
from tests.service.license.conftest import FIRM_CODE, License, context, firm_holder, person_holder
from tests.support.fakes_license import ABROAD, DEPARTMENT_NAME
from tests.support.patience import PATIENCE
from tests.support.values import messages
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import verification_service_pb2 as api
from tongban.seal.v1 import validation_service_pb2 as validation


async def file_of(licensing: License, name: str, **fields: object) -> pb.DownloadLicenseResponse:
    request = pb.DownloadLicenseRequest(
        name=name,
        use_context=context("贷款"),
        **{"format": resources.FILE_FORMAT_OFD, **fields},  # type: ignore[arg-type]
    )
    method, answer = licensing.licenses.DownloadLicense, pb.DownloadLicenseResponse
    return await licensing.call(method, request, answer, licensing.staff())


async def test_a_stack_is_answered_in_order_each_by_itself(licensing: License) -> None:
    """One that is refused, at home or abroad, ends nothing; what another region was asked has its receipt."""
    made = await licensing.issued(holders=[firm_holder()])
    licensing.known.revoked_abroad = True
    questions = [
        api.VerifyLicenseRequest(identifier=made.identifier),
        api.VerifyLicenseRequest(qr_content="nonsense"),
        api.VerifyLicenseRequest(identifier=made.identifier, region=ABROAD),
        api.VerifyLicenseRequest(digest=made.ofd.digest),
    ]
    asked = [api.VerifyLicensesRequest(question=each) for each in questions]
    metadata = (("authorization", f"Bearer {licensing.staff()}"), ("accept-language", "en"))
    call = licensing.verification.VerifyLicenses(iter(asked), metadata=metadata, timeout=PATIENCE)
    found = [each async for each in call]
    assert [each.WhichOneof("result") for each in found] == ["answer", "error", "answer", "answer"]
    alone = await licensing.verify(identifier=made.identifier)
    alone.verify_time.CopyFrom(found[0].answer.verify_time)
    assert found[0].answer == alone
    refusal = status.from_status(found[1].error)
    assert refusal.reason == "QR_CONTENT_INVALID"
    assert b"QR" in found[1].error.details[-1].value
    assert found[2].answer.standing == api.STANDING_REVOKED
    assert [each.HasField("receipt") for each in found] == [False, False, True, False]
    assert found[2].receipt.log == "//341500/license"


async def test_a_good_licence_tells_what_anyone_may_know(licensing: License) -> None:
    made = await licensing.issued(holders=[firm_holder(), person_holder()])
    for subject in ({"identifier": made.identifier}, {"qr_content": made.qr_content}, {"digest": made.ofd.digest}):
        answer = await licensing.verify(**subject)
        assert answer.standing == api.STANDING_VALID
        assert (answer.identifier, answer.issuer_display_name) == (made.identifier, DEPARTMENT_NAME)
        assert list(answer.organization_names) == ["测试虚构便利店有限公司"]
        assert answer.region == "341500"
        assert answer.validity == made.validity
        assert "测试乙" not in str(answer)
        assert not answer.HasField("state_time")


@pytest.mark.parametrize(
    ("kept", "asked", "matched"),
    [
        ("阿卜杜拉·买买提", "阿卜杜拉•买买提", True),
        ("阿卜杜拉・买买提", "阿卜杜拉.买买提", True),
        ("Jose\u0301", "José", True),
        ("示例（六安）商行", "示例 (六安) 商行", True),
        ("阿卜杜拉·买买提", "阿卜杜拉买买提", False),
        ("张三", "張三", False),
    ],
)
async def test_a_holders_name_is_compared_however_it_is_written(
    licensing: License, kept: str, asked: str, matched: bool
) -> None:
    holder = person_holder()
    holder.display_name = kept
    made = await licensing.issued(holders=[holder])
    assert made.holders[0].display_name == kept
    answer = await licensing.verify(identifier=made.identifier, holder_name=asked)
    assert [each.matched for each in answer.comparisons] == [matched]


async def test_a_decomposed_name_is_drawn_with_composed_letters(licensing: License) -> None:
    holder = person_holder()
    holder.display_name = "Jose\u0301"
    made = await licensing.issued(holders=[holder], face_fields=messages(FDDBR="Jose\u0301"))
    content = await licensing.service.process.documents.get(made.ofd.digest)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        page = "".join(package.read(name).decode() for name in package.namelist() if name.endswith("Content.xml"))
    assert "José" in page
    assert "\u0301" not in page


async def test_persons_and_numbers_are_only_compared(licensing: License) -> None:
    made = await licensing.issued(holders=[person_holder()])
    number = made.holders[0].document.number
    answer = await licensing.verify(
        identifier=made.identifier, number=made.number, holder_name="测试丙", holder_document_number=number.lower()
    )
    told = {api.ComparedField.Name(each.field): each.matched for each in answer.comparisons}
    assert told == {
        "COMPARED_FIELD_NUMBER": True,
        "COMPARED_FIELD_HOLDER_NAME": False,
        "COMPARED_FIELD_HOLDER_DOCUMENT": True,
    }
    assert answer.organization_names == []


async def test_what_was_never_issued_is_unknown_and_what_was_changed_is_altered(licensing: License) -> None:
    made = await licensing.issued()
    assert (await licensing.verify(digest="sm3:" + "0" * 64)).standing == api.STANDING_UNKNOWN
    assert (await licensing.verify(content=b"%PDF-1.7 something")).standing == api.STANDING_UNKNOWN
    assert (await licensing.verify(content=b"PK\x03\x04 no package")).standing == api.STANDING_UNKNOWN
    other_check = made.qr_content[:-1] + ("0" if made.qr_content[-1] != "0" else "1")
    altered = await licensing.verify(qr_content=other_check)
    assert (altered.standing, altered.identifier) == (api.STANDING_ALTERED, "")
    with pytest.raises(InvalidArgument, match="QR_CONTENT_INVALID"):
        await licensing.verify(qr_content="https://example.org/verify?r=341500")
    with pytest.raises(InvalidArgument, match="FIELD_INVALID"):
        await licensing.verify(identifier=made.identifier[:-1] + ("0" if made.identifier[-1] != "0" else "1"))


async def test_a_pdf_is_known_by_all_its_bytes_or_not_at_all(licensing: License) -> None:
    """No PDF is read: an update behind its end, a shadow in front of it, or a second one make it a file nobody knows."""
    made = await licensing.issued()
    twin = (await file_of(licensing, made.name, original=True, format=resources.FILE_FORMAT_PDF)).content
    copy = (await file_of(licensing, made.name, format=resources.FILE_FORMAT_PDF)).content
    update = b"4 0 obj <</Type/Page>> endobj\nxref\n0 0\ntrailer <</Prev 9/Root 1 0 R>>\nstartxref\n9\n%%EOF\n"
    for genuine in (twin, copy):
        assert (await licensing.verify(content=genuine)).standing == api.STANDING_VALID
        for changed in (genuine + update, genuine + b"\n", b"\n" + genuine, genuine[:-1], genuine * 2):
            answer = await licensing.verify(content=changed)
            assert (answer.standing, answer.identifier) == (api.STANDING_UNKNOWN, "")


async def test_files_are_known_by_their_bytes_and_their_seal(licensing: License) -> None:
    made = await licensing.issued()
    original = (await file_of(licensing, made.name, original=True)).content
    answer = await licensing.verify(content=original)
    assert (answer.standing, answer.seal_outcome) == (api.STANDING_VALID, api.SEAL_OUTCOME_VALID)
    resealed = BytesIO(original)
    with zipfile.ZipFile(resealed, "a") as package:
        package.writestr("Doc_0/extra.xml", "<a/>")
    # Sealed once more by somebody else: the bytes differ, the issuer's seal holds.
    assert (await licensing.verify(content=resealed.getvalue())).standing == api.STANDING_VALID
    licensing.known.conclusion = validation.CONCLUSION_TOTAL_FAILED
    broken = await licensing.verify(content=resealed.getvalue())
    assert (broken.standing, broken.seal_outcome) == (api.STANDING_ALTERED, api.SEAL_OUTCOME_INVALID)
    licensing.known.conclusion = validation.CONCLUSION_INDETERMINATE
    assert (await licensing.verify(content=resealed.getvalue())).standing == api.STANDING_ALTERED
    known = await licensing.verify(content=original)
    assert (known.standing, known.seal_outcome) == (api.STANDING_VALID, api.SEAL_OUTCOME_NOT_CHECKED)


async def test_an_annotated_copy_is_good_until_its_day(licensing: License) -> None:
    made = await licensing.issued()
    copy = await file_of(licensing, made.name)
    answer = await licensing.verify(content=copy.content)
    assert (answer.standing, answer.annotated) == (api.STANDING_VALID, True)
    assert answer.copy_expire_time == copy.copy_expire_time
    licensing.clock.advance(timedelta(days=31))
    assert (await licensing.verify(digest=copy.document.digest)).standing == api.STANDING_COPY_EXPIRED
    await licensing.revoke(made.name)
    revoked = await licensing.verify(digest=copy.document.digest)
    assert revoked.standing == api.STANDING_REVOKED
    assert revoked.HasField("state_time")


async def test_validity_counts_in_chinas_days(licensing: License) -> None:
    def day(number: int) -> common_pb2.Date:
        return common_pb2.Date(year=2024, month=5, day=number)

    made = await licensing.issued(validity=resources.Validity(start_date=day(7), end_date=day(8)))
    assert (await licensing.verify(identifier=made.identifier)).standing == api.STANDING_NOT_YET_VALID
    licensing.clock.advance(timedelta(hours=14))  # midnight in China
    assert (await licensing.verify(identifier=made.identifier)).standing == api.STANDING_VALID
    licensing.clock.advance(timedelta(hours=48))
    assert (await licensing.verify(identifier=made.identifier)).standing == api.STANDING_EXPIRED


async def test_another_regions_licence_is_asked_for_there_each_time_anew(licensing: License) -> None:
    made = await licensing.issued()
    theirs = made.qr_content.replace("r=341500", f"r={ABROAD}")
    assert (await licensing.verify(qr_content=theirs)).standing == api.STANDING_VALID
    licensing.known.revoked_abroad = True
    answer = await licensing.verify(identifier=made.identifier, region=ABROAD)
    assert (answer.standing, answer.region) == (api.STANDING_REVOKED, ABROAD)
    first, second = licensing.known.asked
    assert (first.qr_content, second.identifier, second.region) == (theirs, made.identifier, ABROAD)
    assert licensing.known.tokens_used == ["Bearer access:assertion:service"] * 2
    licensing.known.trusted.clear()
    with pytest.raises(PermissionDenied, match="REGION_NOT_TRUSTED"):
        await licensing.verify(identifier=made.identifier, region="320500")


async def test_other_regions_ask_here_and_not_about_third_ones(licensing: License) -> None:
    made = await licensing.issued()

    async def ask(question: api.VerifyLicenseRequest) -> api.VerifyLicenseResponse:
        method, answer = licensing.verification.VerifyLicense, api.VerifyLicenseResponse
        return await licensing.call(method, question, answer, licensing.region())

    found = await ask(api.VerifyLicenseRequest(qr_content=made.qr_content))
    assert found.standing == api.STANDING_VALID
    third = api.VerifyLicenseRequest(qr_content=made.qr_content.replace("r=341500", "r=110000"))
    with pytest.raises(InvalidArgument, match="REGION_MISMATCH"):
        await ask(third)
    licensing.known.trusted.clear()
    licensing.clock.advance(timedelta(minutes=1))
    method, answer = licensing.verification.VerifyLicense, api.VerifyLicenseResponse
    with pytest.raises(PermissionDenied, match="REGION_NOT_TRUSTED"):
        await licensing.call(method, third, answer, licensing.region("110000"))
    assert FIRM_CODE not in str(found)


async def test_a_file_that_is_too_much_to_read_is_refused_and_says_nothing_of_a_licence(licensing: License) -> None:
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", b"<a/>" + b" " * (16 << 20))
    with pytest.raises(InvalidArgument) as caught:
        await licensing.verify(content=bomb.getvalue())
    (violation,) = caught.value.violations
    assert (caught.value.reason, violation.field, violation.rule) == ("FIELD_INVALID", "content", "ofd.limits")
