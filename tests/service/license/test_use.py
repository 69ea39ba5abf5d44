"""Reading, listing, downloading and revoking: who may, on which basis, and what stays behind."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from libs.db.engine import read_dsn
from libs.db.schema import outbox
from libs.documents.ofd import open_ofd
from libs.documents.store import digest_of
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, TongbanError, Unavailable
from libs.ids import license_identifier
from libs.ids.uuid7 import uuid7
from tests.service.license.conftest import (
    CASE,
    FIRM,
    OTHER_DEPARTMENT,
    PERSON,
    STAFF,
    STRANGER,
    License,
    context,
    person_holder,
    request_id,
)
from tests.support import sql
from tests.support.fakes_license import DEPARTMENT
from tests.support.outbox import emitted
from tongban.audit.v1 import audit_service_pb2 as audit
from tongban.audit.v1 import audit_service_pb2_grpc
from tongban.cases.v1.resources_pb2 import CASE_STATE_DECIDED
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import use_service_pb2 as uses_pb
from tongban.license.v1.verification_service_pb2 import STANDING_REVOKED

ITEM_CASE = "cases/00000000-0000-7000-8000-0000000000c9"


async def get(licensing: License, name: str, token: str, **fields: object) -> resources.License:
    fields.setdefault("use_context", context())
    request = pb.GetLicenseRequest(name=name, **fields)  # type: ignore[arg-type]
    return await licensing.call(licensing.licenses.GetLicense, request, resources.License, token)


async def download(licensing: License, name: str, token: str, **fields: object) -> pb.DownloadLicenseResponse:
    fields.setdefault("use_context", context())
    fields.setdefault("format", resources.FILE_FORMAT_OFD)
    request = pb.DownloadLicenseRequest(name=name, **fields)  # type: ignore[arg-type]
    return await licensing.call(licensing.licenses.DownloadLicense, request, pb.DownloadLicenseResponse, token)


async def uses(licensing: License, token: str, **filters: object) -> uses_pb.ListLicenseUsesResponse:
    request = uses_pb.ListLicenseUsesRequest(**filters)  # type: ignore[arg-type]
    return await licensing.call(licensing.uses.ListLicenseUses, request, uses_pb.ListLicenseUsesResponse, token)


def type_code_of(made: resources.License) -> str:
    return str(license_identifier.parse(made.identifier, "identifier").type_code)


async def refused(call: object) -> tuple[str, str]:
    with pytest.raises(TongbanError) as caught:
        await call  # type: ignore[misc]
    return caught.value.reason, caught.value.metadata.get("rule", "")


async def test_every_read_has_its_basis_and_leaves_a_use_a_record_and_an_event(licensing: License) -> None:
    made = await licensing.issued()
    await get(licensing, made.name, licensing.staff())
    await get(licensing, made.name, licensing.person(PERSON, org=FIRM))
    by_law = context(case=ITEM_CASE, law="《行政许可法》")
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made))
    found = await get(licensing, made.name, licensing.staff(OTHER_DEPARTMENT), use_context=by_law)
    receipt = licensing.told[-1]
    assert found.face_fields == made.face_fields
    assert found.holders[0].document.number == made.holders[0].document.number
    listed = (await uses(licensing, licensing.staff(), license=made.name)).license_uses
    assert [resources.UseBasis.Name(each.basis) for each in listed] == [
        "USE_BASIS_LAW",
        "USE_BASIS_HOLDER",
        "USE_BASIS_ISSUER",
    ]
    newest = listed[0]
    assert (newest.use_context.department, newest.use_context.case) == (OTHER_DEPARTMENT, ITEM_CASE)
    assert newest.record == receipt.record
    log = audit_service_pb2_grpc.AuditServiceStub(licensing.service.channel)
    auditor = licensing.token("staff/00000000-0000-7000-8000-0000000000ad", "STAFF", scope="audit.*")
    record = await licensing.call(
        log.GetAuditRecord, audit.GetAuditRecordRequest(name=newest.record), audit.AuditRecord, auditor
    )
    assert (record.object, record.case) == (made.name, ITEM_CASE)
    assert list(record.fields) == ["number", "holders", "face_fields"]
    async with licensing.service.process.database.read() as connection:
        newest_first = outbox.select().order_by(outbox.c.seq.desc())
        row = (
            await sql.execute(connection, newest_first.where(outbox.c.type == "cn.tongban.license.license.used.v1"))
        ).first()
    assert row is not None
    told = events.LicenseUsed.FromString(emitted(licensing.service.process.wire, row))
    assert (told.license, told.license_use, list(told.holders)) == (made.name, newest.name, [FIRM])


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        (None, "case"),
        ({"department": DEPARTMENT}, "case"),
        ({"applicant": STRANGER}, "case"),
        ({"license_type_codes": ["000000000000000000999"]}, "item"),
        ({"legal_basis": "《另一法》"}, "law"),
    ],
    ids=str,
)
async def test_a_legal_basis_names_what_exists_and_covers_the_use(
    licensing: License, told: dict[str, Any] | None, rule: str
) -> None:
    made = await licensing.issued()
    if told is not None:
        changes = {"license_type_codes": [type_code_of(made)], **told}
        await licensing.works_on(ITEM_CASE, changes.pop("department", OTHER_DEPARTMENT), **changes)
    asked = context(case=ITEM_CASE, law="《行政许可法》")
    other = licensing.staff(OTHER_DEPARTMENT)
    for read in (get, download):
        assert await refused(read(licensing, made.name, other, use_context=asked)) == ("LICENSE_USE_NOT_ALLOWED", rule)


async def test_what_a_case_allows_ends_with_its_decision(licensing: License) -> None:
    made = await licensing.issued()
    asked, other = context(case=ITEM_CASE, law="《行政许可法》"), licensing.staff(OTHER_DEPARTMENT)
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made))
    await get(licensing, made.name, other, use_context=asked)
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, state=CASE_STATE_DECIDED, sequence=5)
    assert await refused(get(licensing, made.name, other, use_context=asked)) == ("LICENSE_USE_NOT_ALLOWED", "case")
    # The event of the submission comes again, from a stream that was restored.
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made))
    assert await refused(get(licensing, made.name, other, use_context=asked)) == ("LICENSE_USE_NOT_ALLOWED", "case")


async def test_nobody_reads_without_a_basis(licensing: License) -> None:
    made = await licensing.issued()
    other = licensing.staff(OTHER_DEPARTMENT)
    assert await refused(get(licensing, made.name, licensing.person(STRANGER))) == ("RESOURCE_NOT_FOUND", "")
    assert await refused(get(licensing, made.name, other)) == ("LICENSE_USE_NOT_ALLOWED", "case")
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made))
    case_only = context(case=ITEM_CASE)
    assert await refused(get(licensing, made.name, other, use_context=case_only)) == (
        "LICENSE_USE_NOT_ALLOWED",
        "basis",
    )
    lie = context(case=ITEM_CASE, law="《某法》", department=DEPARTMENT)
    assert (await refused(get(licensing, made.name, other, use_context=lie)))[0] == "FIELD_INVALID"
    assert (await refused(get(licensing, made.name, other, use_context=context(operator="staff/x"))))[
        0
    ] == "FIELD_INVALID"
    client = licensing.token("clients/partner", "CLIENT")
    claimed = context(case=CASE, law="《某法》", department=DEPARTMENT)
    assert await refused(get(licensing, made.name, client, use_context=claimed)) == (
        "LICENSE_USE_NOT_ALLOWED",
        "department",
    )
    unknown = f"licenses/{uuid7()}"
    assert (await refused(get(licensing, unknown, licensing.staff())))[0] == "RESOURCE_NOT_FOUND"
    low = licensing.person(PERSON, org=FIRM, acr="1")
    assert (await refused(get(licensing, made.name, low)))[0] == "ASSURANCE_TOO_LOW"
    assert (await uses(licensing, licensing.staff(), license=made.name)).license_uses == []


async def test_another_regions_person_with_the_receiving_regions_case_reads_nothing(licensing: License) -> None:
    made = await licensing.issued(receiving_region="320402")
    guest = licensing.person(f"//320402/{STRANGER}", region="320402")
    asked = context(case=CASE)
    assert await refused(get(licensing, made.name, guest, use_context=asked)) == ("RESOURCE_NOT_FOUND", "")


async def test_a_service_reads_for_the_department_that_it_names(licensing: License) -> None:
    made = await licensing.issued()
    channel = licensing.service.channel_as("cases")
    asked = context(case=ITEM_CASE, law="《行政许可法》", department=OTHER_DEPARTMENT)
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made))
    method = channel.unary_unary(
        "/tongban.license.v1.LicenseService/GetLicense",
        request_serializer=pb.GetLicenseRequest.SerializeToString,
        response_deserializer=resources.License.FromString,
    )
    found = await licensing.call(method, pb.GetLicenseRequest(name=made.name, use_context=asked), resources.License, "")
    assert found.name == made.name
    await channel.close()


async def test_lookup_by_identifier(licensing: License) -> None:
    made = await licensing.issued()
    request = pb.LookupByIdentifierRequest(identifier=made.identifier, use_context=context())
    answer = resources.License
    found = await licensing.call(licensing.licenses.LookupByIdentifier, request, answer, licensing.staff())
    assert found == made
    request.identifier = made.identifier[:-1] + ("0" if made.identifier[-1] != "0" else "1")
    with pytest.raises(InvalidArgument):
        await licensing.call(licensing.licenses.LookupByIdentifier, request, answer, licensing.staff())


async def test_lists_hold_no_face_and_masked_numbers_and_only_ones_own(licensing: License) -> None:
    kind = await licensing.license_type()
    made = [await licensing.issue(licensing.order(kind.name, case="", holders=[person_holder()])) for _ in range(3)]
    await licensing.issue(licensing.order(kind.name, case="", holders=[person_holder(STRANGER)]))

    async def page(token: str, **filters: object) -> pb.ListLicensesResponse:
        request = pb.ListLicensesRequest(use_context=context(), **filters)  # type: ignore[arg-type]
        return await licensing.call(licensing.licenses.ListLicenses, request, pb.ListLicensesResponse, token)

    first = await page(licensing.person(), page_size=2)
    assert [each.name for each in first.licenses] == [each.name for each in made[:0:-1]]
    assert not first.licenses[0].face_fields
    assert "*" in first.licenses[0].holders[0].document.number
    rest = await page(licensing.person(), page_size=2, page_token=first.next_page_token)
    assert [each.name for each in rest.licenses] == [made[0].name]
    assert rest.next_page_token == ""
    assert licensing.told[-1].record
    everybody = await page(licensing.staff(), issuer_department=DEPARTMENT)
    assert len(everybody.licenses) == 4
    assert (await refused(page(licensing.person(), holder=STRANGER)))[0] == "NOT_OWNER"
    assert (await refused(page(licensing.staff())))[0] == "FIELD_INVALID"
    assert (await refused(page(licensing.person(), page_token="x")))[0] == "PAGE_TOKEN_INVALID"


async def test_drafts_are_seen_by_their_issuer_only(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    assert (await refused(licensing.issue(licensing.order(kind.name))))[0] == "KEY_UNAVAILABLE"
    request = pb.ListLicensesRequest(use_context=context(), issuer_department=DEPARTMENT)
    answer = pb.ListLicensesResponse
    (draft,) = (await licensing.call(licensing.licenses.ListLicenses, request, answer, licensing.staff())).licenses
    assert draft.state == resources.LICENSE_STATE_DRAFT
    other = await licensing.call(licensing.licenses.ListLicenses, request, answer, licensing.staff(OTHER_DEPARTMENT))
    assert other.licenses == []
    holder = licensing.person(PERSON, org=FIRM)
    assert (await refused(get(licensing, draft.name, holder)))[0] == "RESOURCE_NOT_FOUND"


async def test_the_holder_gets_an_annotated_copy_that_says_what_for(licensing: License) -> None:
    made = await licensing.issued()
    copy = await download(
        licensing, made.name, licensing.person(PERSON, org=FIRM), use_context=context("贷款", case=CASE)
    )
    assert copy.annotated
    assert copy.file_name.endswith("-copy.ofd")
    assert copy.document.digest == digest_of(copy.content) != made.ofd.digest
    metadata = open_ofd(copy.content).custom_data()
    assert (metadata["ZZBS"], metadata["JZJZZSY"], metadata["JZJZZZ"]) == (made.identifier, "贷款", "持证主体")
    assert copy.copy_expire_time.ToDatetime() - licensing.clock.now().replace(tzinfo=None) == timedelta(days=30)
    (use,) = (await uses(licensing, licensing.staff(), license=made.name)).license_uses
    assert (use.name, use.copy.digest) == (copy.license_use, copy.document.digest)
    by_staff = await download(licensing, made.name, licensing.staff(), format=resources.FILE_FORMAT_PDF)
    assert by_staff.content.startswith(b"%PDF-")
    assert by_staff.annotated


async def test_originals_go_to_the_issuer_and_the_pdf_is_made_once(licensing: License) -> None:
    made = await licensing.issued()
    original = await download(licensing, made.name, licensing.staff(), original=True)
    assert digest_of(original.content) == made.ofd.digest
    assert not original.annotated
    asked = {"original": True, "format": resources.FILE_FORMAT_PDF}
    first = await download(licensing, made.name, licensing.staff(), **asked)
    again = await download(licensing, made.name, licensing.staff(), **asked)
    assert first.content == again.content
    kept = await get(licensing, made.name, licensing.staff())
    assert kept.pdf.digest == digest_of(first.content)
    assert kept.etag == made.etag
    holder = licensing.person(PERSON, org=FIRM)
    assert (await refused(download(licensing, made.name, holder, original=True)))[0] == "ORIGINAL_NOT_ALLOWED"


async def test_a_copys_life_is_limited(licensing: License) -> None:
    made = await licensing.issued()
    for days in (-1, 181):
        request = pb.DownloadLicenseRequest(name=made.name, format=resources.FILE_FORMAT_OFD, use_context=context())
        request.copy_expire_time.FromDatetime(licensing.clock.now() + timedelta(days=days))
        with pytest.raises(InvalidArgument):
            await licensing.call(
                licensing.licenses.DownloadLicense, request, pb.DownloadLicenseResponse, licensing.staff()
            )


async def test_revoking_is_the_issuers_and_shows_at_once(licensing: License) -> None:
    made = await licensing.issued()
    request = pb.RevokeLicenseRequest(
        name=made.name, reason="提交虚假材料", legal_basis="罚〔2024〕1号", request_id=request_id(), etag='"9"'
    )

    async def revoke(token: str) -> resources.License:
        return await licensing.call(licensing.licenses.RevokeLicense, request, resources.License, token)

    with pytest.raises(PermissionDenied, match="NOT_OWNER"):
        await revoke(licensing.staff(OTHER_DEPARTMENT))
    assert (await refused(revoke(licensing.staff())))[0] == "ETAG_MISMATCH"
    request.etag = made.etag
    ended = await revoke(licensing.staff())
    assert (ended.state, ended.state_reason) == (resources.LICENSE_STATE_REVOKED, "提交虚假材料")
    assert await revoke(licensing.staff()) == ended
    request.request_id, request.etag = request_id(), ""
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        await revoke(licensing.staff())
    assert (await licensing.verify(identifier=made.identifier)).standing == STANDING_REVOKED
    holder = licensing.person(PERSON, org=FIRM)
    assert (await refused(download(licensing, made.name, holder)))[0] == "LICENSE_NOT_IN_FORCE"
    assert (await download(licensing, made.name, licensing.staff())).annotated
    request.name = f"licenses/{uuid7()}"
    with pytest.raises(NotFound):
        await revoke(licensing.staff())


async def test_uses_are_told_to_holders_issuers_and_auditors_only(licensing: License) -> None:
    made = await licensing.issued()
    holder = licensing.person(PERSON, org=FIRM)
    await get(licensing, made.name, holder, use_context=context("自查", case=ITEM_CASE))
    await download(licensing, made.name, holder)
    assert len((await uses(licensing, holder, holder=FIRM)).license_uses) == 2
    one = await uses(licensing, holder, license=made.name, filter="action = USE_ACTION_READ")
    assert [each.use_context.purpose for each in one.license_uses] == ["自查"]
    first = await uses(licensing, holder, holder=FIRM, page_size=1)
    second = await uses(licensing, holder, holder=FIRM, page_size=1, page_token=first.next_page_token)
    assert first.license_uses[0].name > second.license_uses[0].name
    assert (await uses(licensing, licensing.person(STRANGER), license=made.name)).license_uses == []
    assert (await refused(uses(licensing, licensing.person(STRANGER), holder=FIRM)))[0] == "NOT_OWNER"
    assert (await refused(uses(licensing, holder, case=ITEM_CASE)))[0] == "FIELD_INVALID"
    assert (await uses(licensing, licensing.staff(OTHER_DEPARTMENT), case=ITEM_CASE)).license_uses == []
    auditor = licensing.token(
        "staff/00000000-0000-7000-8000-0000000000ad",
        "STAFF",
        scope="audit.* license.licenseUses.list",
        dept=OTHER_DEPARTMENT,
    )
    assert len((await uses(licensing, auditor, case=ITEM_CASE)).license_uses) == 1
    assert (await refused(uses(licensing, licensing.token("clients/other", "CLIENT"), license=made.name)))[
        0
    ] == "NOT_OWNER"
    assert (await refused(uses(licensing, licensing.staff())))[0] == "FIELD_INVALID"


async def test_a_window_token_opens_what_is_of_the_one_who_stands_there(licensing: License) -> None:
    """The clerk's department issued the licence, and yet at the window of another its uses and its face stay shut."""
    made = await licensing.issued()
    await get(licensing, made.name, licensing.staff())
    at_window = {"act": {"sub": STAFF, "actor_kind": "STAFF"}, "dept": DEPARTMENT}
    stranger = licensing.token(STRANGER, "STAFF", **at_window)
    assert (await uses(licensing, stranger, license=made.name)).license_uses == []
    assert (await refused(uses(licensing, stranger, holder=FIRM)))[0] == "NOT_OWNER"
    assert (await refused(uses(licensing, stranger, case=ITEM_CASE)))[0] == "FIELD_INVALID"
    assert (await refused(get(licensing, made.name, stranger)))[0] == "RESOURCE_NOT_FOUND"
    page = pb.ListLicensesRequest(use_context=context(), holder=FIRM)
    listed = licensing.call(licensing.licenses.ListLicenses, page, pb.ListLicensesResponse, stranger)
    assert (await refused(listed))[0] == "NOT_OWNER"
    holder = licensing.token(PERSON, "STAFF", org=FIRM, **at_window)
    assert len((await uses(licensing, holder, license=made.name)).license_uses) == 1
    assert (await get(licensing, made.name, holder)).name == made.name


async def test_no_record_no_service(licensing: License) -> None:
    made = await licensing.issued()
    owner = await asyncpg.connect(read_dsn(licensing.service.process.config.database.owner_dsn_file))
    granted = await owner.fetchval("SELECT has_table_privilege('license', 'license_uses', 'UPDATE, DELETE')")
    assert not granted
    await owner.execute("REVOKE INSERT ON license_uses FROM license")
    await owner.close()
    assert await refused(get(licensing, made.name, licensing.staff())) == ("AUDIT_UNAVAILABLE", "")
    assert await refused(download(licensing, made.name, licensing.staff())) == ("AUDIT_UNAVAILABLE", "")
