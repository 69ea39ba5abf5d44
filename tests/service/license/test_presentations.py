"""Presentations: made by the holder, redeemed by the verifier, here and over regions."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from libs.errors import TongbanError
from tests.service.license.conftest import (
    FIRM,
    ITEM,
    OTHER_DEPARTMENT,
    PERSON,
    STAFF,
    STRANGER,
    License,
    context,
    request_id,
)
from tests.service.license.presenting import (
    CONSENT,
    MANDATE,
    OUR_CASE,
    THEIR_CASE,
    agent,
    create,
    redeem,
    redeem_from,
    refused,
)
from tests.support import sql
from tests.support.fakes_license import ABROAD, DEPARTMENT
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import presentation_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


async def test_a_holder_lists_what_was_presented_without_the_codes(licensing: License) -> None:
    made = await licensing.issued()
    shown = [(await create(licensing, agent(licensing), made.name, item_code=each)).presentation for each in ("a", "b")]

    async def listed(token: str, **asked: object) -> list[str]:
        request, answer = pb.ListPresentationsRequest(**asked), pb.ListPresentationsResponse  # type: ignore[arg-type]
        found = await licensing.call(licensing.presentations.ListPresentations, request, answer, token)
        return [each.name for each in found.presentations]

    assert await listed(agent(licensing)) == [shown[1].name, shown[0].name]
    assert await listed(agent(licensing), filter=f"item_code = a AND licenses.license:{made.name}") == [shown[0].name]
    assert await listed(agent(licensing), filter="state = PRESENTATION_STATE_EXPIRED") == []
    assert await listed(licensing.person(STRANGER)) == []
    assert (await refused(listed(licensing.person(STRANGER), holder=FIRM)))[0] == "NOT_OWNER"
    assert (await refused(listed(licensing.staff(), holder=FIRM)))[0] == "ACTOR_NOT_ALLOWED"


async def test_a_repeat_brings_the_same_code_and_no_code_lies_in_clear(licensing: License) -> None:
    made = await licensing.issued()
    same = request_id()
    first = await create(licensing, agent(licensing), made.name, request_id=same)
    again = await create(licensing, agent(licensing), made.name, request_id=same)
    assert first == again
    assert first.code.startswith("341500-")
    query = "SELECT (SELECT string_agg(p::text, '') FROM presentations p) || string_agg(encode(response, 'escape'), '') FROM idempotency"
    async with licensing.service.process.database.read() as connection:
        text = str(await sql.scalar(connection, sa.text(query)))
    assert first.code not in text
    assert first.code.encode().hex() not in text


async def test_only_the_holder_or_who_may_act_presents(licensing: License) -> None:
    made = await licensing.issued()
    stranger = licensing.person(STRANGER)
    assert (await refused(create(licensing, stranger, made.name)))[0] == "RESOURCE_NOT_FOUND"
    assert (await refused(create(licensing, stranger, made.name, holder=FIRM)))[0] == "CONSENT_MISSING"
    assert (await refused(create(licensing, licensing.staff(), made.name)))[0] == "FIELD_INVALID"
    assert (await create(licensing, licensing.staff(), made.name, holder=FIRM, consent=CONSENT)).code
    assert (await create(licensing, agent(licensing, mandate=MANDATE), made.name)).code
    (asked,) = licensing.known.mandates_asked
    assert (asked.person, asked.principal, asked.mandate, list(asked.item_codes)) == (PERSON, FIRM, MANDATE, ["item-1"])
    await licensing.revoke(made.name)
    assert (await refused(create(licensing, agent(licensing), made.name)))[0] == "LICENSE_NOT_IN_FORCE"


async def test_the_named_verifier_redeems_and_reads_within_its_case(licensing: License) -> None:
    made = await licensing.issued()
    presented = await create(
        licensing,
        agent(licensing),
        made.name,
        verifier=f"//341500/{OTHER_DEPARTMENT}",
        single_use=True,
        use_context=context("贷款"),
    )
    verifier = licensing.staff(OTHER_DEPARTMENT)
    assert await refused(redeem(licensing, licensing.staff(DEPARTMENT), code=presented.code)) == (
        "PRESENTATION_BOUND_ELSEWHERE",
        "verifier",
    )
    name = presented.presentation.name
    assert await refused(redeem(licensing, verifier, name=name)) == ("PRESENTATION_BOUND_ELSEWHERE", "code")
    same = request_id()
    found = await redeem(licensing, verifier, code=presented.code, request_id=same)
    first = licensing.told[-1]
    assert found.licenses[0].license.face_fields == made.face_fields
    assert found.presentation.use_context.case == OUR_CASE
    assert found.presentation.state == pb.PRESENTATION_STATE_REDEEMED
    again = await redeem(licensing, verifier, code=presented.code, request_id=same)
    assert again.presentation == found.presentation
    assert licensing.told[-1].record != first.record
    assert (await refused(redeem(licensing, verifier, code=presented.code)))[0] == "PRESENTATION_USED"
    unknown = "341500-" + "A" * 26
    assert (await refused(redeem(licensing, verifier, code=unknown)))[0] == "PRESENTATION_CODE_INVALID"

    async def get(case: str, token: str) -> resources.License:
        request = licenses.GetLicenseRequest(name=made.name, use_context=context(case=case, presentation=name))
        return await licensing.call(licensing.licenses.GetLicense, request, resources.License, token)

    async def several(case: str, token: str) -> licenses.BatchGetLicensesResponse:
        why = context(case=case, presentation=name)
        request = licenses.BatchGetLicensesRequest(names=[made.name], use_context=why)
        method, answer = licensing.licenses.BatchGetLicenses, licenses.BatchGetLicensesResponse
        return await licensing.call(method, request, answer, token)

    async def looked_up(case: str, token: str) -> resources.License:
        why = context(case=case, presentation=name)
        request = licenses.LookupByIdentifierRequest(identifier=made.identifier, use_context=why)
        return await licensing.call(licensing.licenses.LookupByIdentifier, request, resources.License, token)

    async def downloaded(case: str, token: str) -> licenses.DownloadLicenseResponse:
        why = context(case=case, presentation=name)
        request = licenses.DownloadLicenseRequest(name=made.name, use_context=why, format=resources.FILE_FORMAT_OFD)
        return await licensing.call(
            licensing.licenses.DownloadLicense, request, licenses.DownloadLicenseResponse, token
        )

    assert (await get(OUR_CASE, verifier)).name == made.name
    other_case = "cases/00000000-0000-7000-8000-0000000000c6"
    readings: tuple[Any, ...] = (get, several, looked_up, downloaded)
    for reading in readings:
        assert await refused(reading(other_case, verifier)) == ("PRESENTATION_BOUND_ELSEWHERE", "case")
    licensing.clock.advance(timedelta(minutes=11))
    for reading in readings:
        assert (await refused(reading(OUR_CASE, verifier)))[0] == "PRESENTATION_EXPIRED"
    # A repeat is a read like any other: what allowed it is over.
    late = redeem(licensing, verifier, code=presented.code, request_id=same)
    assert (await refused(late))[0] == "PRESENTATION_EXPIRED"


async def test_a_presentation_for_an_item_on_the_list_brings_the_original(licensing: License) -> None:
    made = await licensing.issued()
    here = {"verifier": f"//341500/{OTHER_DEPARTMENT}", "use_context": context(case=OUR_CASE)}
    verifier = licensing.staff(OTHER_DEPARTMENT)

    async def original(item: str) -> licenses.DownloadLicenseResponse:
        presented = await create(licensing, agent(licensing), made.name, item_code=item, **here)
        await redeem(licensing, verifier, name=presented.presentation.name)
        request = licenses.DownloadLicenseRequest(
            name=made.name,
            use_context=context(case=OUR_CASE, presentation=presented.presentation.name),
            format=resources.FILE_FORMAT_OFD,
            original=True,
        )
        method, answer = licensing.licenses.DownloadLicense, licenses.DownloadLicenseResponse
        return await licensing.call(method, request, answer, verifier)

    assert not (await original("item-original")).annotated
    assert (await refused(original("item-1")))[0] == "ORIGINAL_NOT_ALLOWED"


async def test_one_code_for_one_time_is_redeemed_once_by_many_at_once(licensing: License) -> None:
    made = await licensing.issued()
    presented = await create(
        licensing, agent(licensing), made.name, verifier="//341500", single_use=True, use_context=context("贷款")
    )
    tries = [redeem(licensing, licensing.staff(OTHER_DEPARTMENT), code=presented.code) for _ in range(6)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, pb.RedeemPresentationResponse) for answer in answers) == 1


async def test_another_region_redeems_by_name_for_its_case(licensing: License) -> None:
    made = await licensing.issued()
    presented = await create(licensing, agent(licensing), made.name)
    name = presented.presentation.name
    wrong = redeem_from(licensing, licensing.region("110000"), name=name)
    assert (await refused(wrong))[0] == "REGION_NOT_TRUSTED"
    elsewhere = redeem_from(licensing, licensing.region(), name=name, use_context=context(case="cases/1"))
    assert await refused(elsewhere) == ("PRESENTATION_BOUND_ELSEWHERE", "case")
    # The asking region writes its own case without its region in front.
    own_case = THEIR_CASE.removeprefix(f"//{ABROAD}/")
    found = await redeem_from(licensing, licensing.region(), name=name, use_context=context(case=own_case))
    assert [each.license.name for each in found.licenses] == [f"//341500/{made.name}"]
    assert found.presentation.name == f"//341500/{name}"
    request = licenses.GetLicenseRequest(name=made.name, use_context=context(case=THEIR_CASE, presentation=name))
    method, answer = licensing.licenses.GetLicense, resources.License
    read = await licensing.call(method, request, answer, licensing.region())
    assert (read.name, read.face_fields) == (f"//341500/{made.name}", made.face_fields)
    request.use_context.ClearField("basis")
    assert (await refused(licensing.call(method, request, answer, licensing.region())))[1] == "region"
    person = licensing.person(f"//{ABROAD}/{STRANGER}", region=ABROAD)
    theirs = licenses.GetLicenseRequest(name=made.name, use_context=context(case=THEIR_CASE, presentation=name))
    asked = licensing.call(licensing.licenses.GetLicense, theirs, resources.License, person)
    assert await refused(asked) == ("RESOURCE_NOT_FOUND", "")


async def test_the_receiving_region_reads_and_downloads_under_its_case(licensing: License) -> None:
    made = await licensing.issued(case=OUR_CASE, receiving_region=ABROAD)
    request = licenses.DownloadLicenseRequest(
        name=made.name,
        format=resources.FILE_FORMAT_OFD,
        use_context=context("窗口转交", case=f"//341500/{OUR_CASE}"),
    )
    method, answer = licensing.licenses.DownloadLicense, licenses.DownloadLicenseResponse
    copy = await licensing.call(method, request, answer, licensing.region())
    assert copy.annotated
    assert licensing.told[-1].log == "//341500/license"
    request.original = True
    assert (await refused(licensing.call(method, request, answer, licensing.region())))[0] == "ORIGINAL_NOT_ALLOWED"
    request.original, request.use_context.case = False, THEIR_CASE
    assert (await refused(licensing.call(method, request, answer, licensing.region())))[1] == "case"


async def test_what_lies_in_another_region_is_asked_for_there(licensing: License) -> None:
    clerk = licensing.staff(OTHER_DEPARTMENT)
    await licensing.works_on(OUR_CASE, OTHER_DEPARTMENT)
    transaction = "00000000-0000-7000-8000-0000000000f7"
    name = f"//{ABROAD}/presentations/00000000-0000-7000-8000-0000000000e7"
    asked = context(case=OUR_CASE, service_item=ITEM, transaction_id=transaction)
    found = await redeem(licensing, clerk, name=name, use_context=asked)
    assert found.presentation.name == name
    await redeem(licensing, clerk, code=f"{ABROAD}-{'A' * 26}", use_context=asked)
    assert (licensing.told[-1].log, licensing.told[-1].transaction_id) == (f"//{ABROAD}/license", transaction)
    license_name = f"//{ABROAD}/licenses/00000000-0000-7000-8000-0000000000e8"
    shown = context(case=OUR_CASE, service_item=ITEM, transaction_id=transaction, presentation=name)
    request = licenses.GetLicenseRequest(name=license_name, use_context=shown)
    got = await licensing.call(licensing.licenses.GetLicense, request, resources.License, clerk)
    assert got.name == license_name
    download = licenses.DownloadLicenseRequest(name=license_name, use_context=asked, format=resources.FILE_FORMAT_OFD)
    method = licensing.licenses.DownloadLicense
    # The other region takes our word that the case is the reader's.
    stranger = licensing.staff(DEPARTMENT)
    assert await refused(licensing.call(method, download, licenses.DownloadLicenseResponse, stranger)) == (
        "LICENSE_USE_NOT_ALLOWED",
        "case",
    )
    assert await refused(redeem(licensing, stranger, name=name, use_context=asked)) == (
        "PRESENTATION_BOUND_ELSEWHERE",
        "case",
    )
    copy = await licensing.call(method, download, licenses.DownloadLicenseResponse, clerk)
    assert copy.content == b"copy"
    for sent in licensing.known.asked:
        # The context travels whole, and no name of it can be taken for one of theirs.
        assert (sent.use_context.case, sent.use_context.service_item) == (f"//341500/{OUR_CASE}", f"//341500/{ITEM}")
        assert (sent.use_context.purpose_code, sent.use_context.purpose) == (asked.purpose_code, asked.purpose)
        assert sent.use_context.department == OTHER_DEPARTMENT
        assert sent.use_context.transaction_id == transaction
    query = sa.text("SELECT count(*) FROM audit_records WHERE transaction_id = :id")
    async with licensing.service.process.database.read() as connection:
        assert await sql.scalar(connection, query, {"id": transaction}) == 4
    own = licenses.GetLicenseRequest(name=license_name, use_context=context())
    await licensing.call(licensing.licenses.GetLicense, own, resources.License, licensing.person())
    assert licensing.known.tokens_used[-1] == "Bearer access:assertion:person"
    third = licenses.GetLicenseRequest(name=license_name, use_context=context(presentation="//110000/" + name[9:]))
    assert (await refused(licensing.call(licensing.licenses.GetLicense, third, resources.License, clerk)))[
        0
    ] == "FIELD_INVALID"


async def test_a_licence_of_a_case_abroad_is_fetched_by_the_window_that_sent_it(licensing: License) -> None:
    name = f"//{ABROAD}/licenses/00000000-0000-7000-8000-0000000000e8"
    get = licenses.GetLicenseRequest(name=name, use_context=context(case=THEIR_CASE))
    get_it, answer = licensing.licenses.GetLicense, resources.License
    window, other = licensing.staff(OTHER_DEPARTMENT), licensing.staff(DEPARTMENT)
    assert (await refused(licensing.call(get_it, get, answer, window)))[1] == "case"
    await licensing.sent_abroad(THEIR_CASE, OTHER_DEPARTMENT, applicant=f"//341500/{FIRM}", agent=f"//341500/{PERSON}")
    assert (await licensing.call(get_it, get, answer, window)).name == name
    assert (await refused(licensing.call(get_it, get, answer, other)))[1] == "case"
    for subject, wanted in ((PERSON, ""), (STRANGER, "case")):
        at_window = licensing.token(subject, "STAFF", dept=OTHER_DEPARTMENT, act={"sub": STAFF})
        if wanted:
            assert (await refused(licensing.call(get_it, get, answer, at_window)))[1] == wanted
        else:
            await licensing.call(get_it, get, answer, at_window)


async def test_a_presentation_for_a_whole_region_is_redeemed_by_name_by_who_works_on_its_case(
    licensing: License,
) -> None:
    made = await licensing.issued()
    presented = await create(
        licensing, agent(licensing), made.name, verifier="//341500", use_context=context(case=OUR_CASE)
    )
    name = presented.presentation.name
    await licensing.works_on(OUR_CASE, OTHER_DEPARTMENT)
    assert await refused(redeem(licensing, licensing.staff(DEPARTMENT), name=name)) == (
        "PRESENTATION_BOUND_ELSEWHERE",
        "case",
    )
    found = await redeem(licensing, licensing.staff(OTHER_DEPARTMENT), name=name)
    assert [each.license.name for each in found.licenses] == [made.name]


async def test_a_strangers_licence_is_to_a_person_as_one_that_never_was(licensing: License) -> None:
    """Whoever guesses names learns by presenting no more than by reading; an official is told whose it is not."""
    theirs = await licensing.issued()
    never = "licenses/00000000-0000-7000-8000-00000000dead"
    for name in (theirs.name, never):
        with pytest.raises(TongbanError) as caught:
            await create(licensing, licensing.person(STRANGER), name)
        assert (caught.value.reason, caught.value.metadata) == ("RESOURCE_NOT_FOUND", {"resource": name})


async def test_nothing_is_asked_of_a_region_that_nobody_trusts(licensing: License) -> None:
    there, clerk = "//999999", licensing.staff()
    why = context(case=OUR_CASE, presentation=f"{there}/presentations/00000000-0000-7000-8000-0000000000e9")
    name = f"{there}/licenses/00000000-0000-7000-8000-0000000000e8"
    get = licenses.GetLicenseRequest(name=name, use_context=why)
    download = licenses.DownloadLicenseRequest(name=name, use_context=why, format=resources.FILE_FORMAT_OFD)
    await licensing.works_on(OUR_CASE, DEPARTMENT)
    got = licensing.call(licensing.licenses.GetLicense, get, resources.License, clerk)
    assert (await refused(got))[0] == "REGION_NOT_TRUSTED"
    file = licensing.call(licensing.licenses.DownloadLicense, download, licenses.DownloadLicenseResponse, clerk)
    assert (await refused(file))[0] == "REGION_NOT_TRUSTED"
