"""What a use is for, and what allows it: codes and names that somebody can be asked about, kept so that they can be counted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from libs.errors import InvalidArgument
from tests.service.license.conftest import (
    CASE,
    FIRM,
    ITEM,
    OTHER_DEPARTMENT,
    PERSON,
    License,
    context,
)
from tests.service.license.presenting import agent, create
from tests.service.license.test_use import ITEM_CASE, get, refused, type_code_of, uses
from tests.support.fakes_license import DEPARTMENT
from tongban.common.v1 import common_pb2
from tongban.errors.v1.error_reason_pb2 import ERROR_REASON_CONSENT_NOT_ACTIVE, ERROR_REASON_UNSPECIFIED
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import use_service_pb2 as pb

CONSENT = "consents/00000000-0000-7000-8000-0000000000d7"
ABROAD = "320402"
ITEMS = [f"serviceItems/00000000-0000-7000-8000-{number:012x}" for number in range(1, 4)]
AUDITOR = {"scope": "audit.* license.licenseUses.count", "dept": OTHER_DEPARTMENT}


def auditor(licensing: License) -> str:
    return licensing.token("staff/00000000-0000-7000-8000-0000000000ad", "STAFF", **AUDITOR)


async def count(licensing: License, token: str, **wanted: Any) -> pb.CountLicenseUsesResponse:
    request = pb.CountLicenseUsesRequest(**wanted)
    return await licensing.call(licensing.uses.CountLicenseUses, request, pb.CountLicenseUsesResponse, token)


async def newest(licensing: License, name: str, **filters: Any) -> resources.LicenseUse:
    return (await uses(licensing, licensing.staff(), license=name, **filters)).license_uses[0]


async def test_a_consent_opens_what_identity_says_that_it_covers(licensing: License) -> None:
    made, other = await licensing.issued(), licensing.staff(OTHER_DEPARTMENT)
    asked = context(consent=CONSENT, case=CASE)
    await get(licensing, made.name, other, use_context=asked)
    (question,) = licensing.known.consents_asked
    assert (question.name, question.subject) == (CONSENT, FIRM)
    assert question.recipient == f"//341500/{OTHER_DEPARTMENT}"
    assert (list(question.resources), question.case) == ([made.name], CASE)
    assert question.purpose_code == "LICENSE_CHECK"
    use = await newest(licensing, made.name)
    assert (use.basis, use.use_context.consent) == (resources.USE_BASIS_CONSENT, CONSENT)


async def test_a_consent_of_another_or_one_taken_back_opens_nothing(licensing: License) -> None:
    made = await licensing.issued()
    licensing.known.consent_refusal = ERROR_REASON_CONSENT_NOT_ACTIVE
    asked = context(consent=CONSENT)
    for token in (licensing.staff(OTHER_DEPARTMENT), licensing.staff()):
        # To the issuer neither: it was named so that the use counts under it.
        assert await refused(get(licensing, made.name, token, use_context=asked)) == (
            "LICENSE_USE_NOT_ALLOWED",
            "consent",
        )
    licensing.known.consent_refusal = ERROR_REASON_UNSPECIFIED
    there = context(consent=f"//{ABROAD}/{CONSENT}")
    other = licensing.staff(OTHER_DEPARTMENT)
    assert await refused(get(licensing, made.name, other, use_context=there)) == ("LICENSE_USE_NOT_ALLOWED", "consent")
    assert (await uses(licensing, licensing.staff(), license=made.name)).license_uses == []


async def test_an_item_opens_what_its_case_asks_for(licensing: License) -> None:
    made, other = await licensing.issued(), licensing.staff(OTHER_DEPARTMENT)
    asked = context(case=ITEM_CASE, item=ITEM)
    assert await refused(get(licensing, made.name, other, use_context=asked)) == ("LICENSE_USE_NOT_ALLOWED", "case")
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made))
    await get(licensing, made.name, other, use_context=asked)
    use = await newest(licensing, made.name)
    assert (use.basis, use.use_context.item, use.use_context.service_item) == (resources.USE_BASIS_ITEM, ITEM, ITEM)
    for wrong in (ITEMS[0], f"//{ABROAD}/{ITEM}"):
        refusal = refused(get(licensing, made.name, other, use_context=context(case=ITEM_CASE, item=wrong)))
        assert await refusal == ("LICENSE_USE_NOT_ALLOWED", "service_item")


async def test_another_persons_case_opens_nothing(licensing: License) -> None:
    made, other = await licensing.issued(), licensing.staff(OTHER_DEPARTMENT)
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made), applicant=PERSON)
    for basis in ({"item": ITEM}, {"law": "《行政许可法》"}):
        asked = context(case=ITEM_CASE, **basis)
        assert await refused(get(licensing, made.name, other, use_context=asked)) == ("LICENSE_USE_NOT_ALLOWED", "case")


async def test_a_basis_that_license_cant_have_checked_is_refused(licensing: License) -> None:
    made = await licensing.issued()
    asked = context(purpose_code="CASE_HANDLING", case=ITEM_CASE, grant=f"dataGrants/{ITEM[13:]}")
    with pytest.raises(InvalidArgument) as error:
        await get(licensing, made.name, licensing.staff(), use_context=asked)
    assert [(each.field, each.rule) for each in error.value.violations] == [("use_context.grant", "basis.kind")]


async def test_a_case_brings_its_item_along_and_no_other_is_taken_for_it(licensing: License) -> None:
    made = await licensing.issued()
    await licensing.works_on(ITEM_CASE, OTHER_DEPARTMENT, type_code_of(made))
    await get(licensing, made.name, licensing.staff(), use_context=context(case=ITEM_CASE))
    assert (await newest(licensing, made.name)).use_context.service_item == ITEM
    with pytest.raises(InvalidArgument) as error:
        await get(licensing, made.name, licensing.staff(), use_context=context(case=ITEM_CASE, service_item=ITEMS[0]))
    assert [(each.field, each.rule) for each in error.value.violations] == [
        ("use_context.service_item", "context.case")
    ]


async def test_a_purpose_of_ones_own_is_refused_and_another_regions_is_kept(licensing: License) -> None:
    made = await licensing.issued(case=CASE, receiving_region=ABROAD)
    with pytest.raises(InvalidArgument) as error:
        await get(licensing, made.name, licensing.staff(), use_context=context(purpose_code="CURIOSITY"))
    assert error.value.reason == "PURPOSE_UNKNOWN"
    assert error.value.metadata == {"field": "use_context.purpose_code", "table": "docs/purposes.md"}
    assert (await uses(licensing, licensing.staff(), license=made.name)).license_uses == []
    theirs = context(purpose_code="OF_A_LATER_TABLE", case=f"//341500/{CASE}", service_item=ITEMS[1], law="《某法》")
    request = licenses.GetLicenseRequest(name=made.name, use_context=theirs)
    method = licensing.licenses.GetLicense
    await licensing.call(method, request, resources.License, licensing.region())
    kept = (await newest(licensing, made.name)).use_context
    assert (kept.purpose_code, kept.service_item) == ("OF_A_LATER_TABLE", f"//{ABROAD}/{ITEMS[1]}")
    assert (kept.law, kept.case) == ("《某法》", CASE)


async def test_what_another_region_says_of_law_and_item_opens_nothing_and_it_is_told_so(licensing: License) -> None:
    made = await licensing.issued()
    for basis in ({"law": "《行政许可法》"}, {"item": ITEM}):
        asked = context(case="cases/1", **basis)
        request = licenses.GetLicenseRequest(name=made.name, use_context=asked)
        method = licensing.licenses.GetLicense
        call = licensing.call(method, request, resources.License, licensing.region())
        assert await refused(call) == ("LICENSE_USE_NOT_ALLOWED", next(iter(basis)))


async def test_uses_are_counted_by_item(licensing: License) -> None:
    """L4: 73 items, 43543 uses: how many items used a licence, however often each did."""
    made, another = await licensing.issued(), await licensing.issued(case="")
    reads = [(made, ITEMS[0]), (made, ITEMS[0]), (made, ITEMS[1]), (made, ""), (another, ITEMS[2])]
    for licence, item in reads:
        await get(licensing, licence.name, licensing.staff(), use_context=context(service_item=item))
    of_one = await count(licensing, licensing.staff(), license=made.name)
    assert (of_one.uses, of_one.licenses, of_one.service_items, of_one.departments) == (4, 1, 2, 1)
    assert [(each.service_item, each.uses) for each in of_one.item_uses] == [(ITEMS[0], 2), (ITEMS[1], 1)]
    of_type = await count(licensing, licensing.staff(), license_type=another.license_type)
    assert (of_type.uses, of_type.service_items) == (1, 1)
    period = _period(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC))
    everything = await count(licensing, auditor(licensing), **period)
    assert (everything.uses, everything.licenses, everything.service_items) == (5, 2, 3)
    before = _period(datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC))
    assert (await count(licensing, auditor(licensing), **before)).uses == 0
    listed = await uses(
        licensing, licensing.staff(), license=made.name, filter=f'use_context.service_item = "{ITEMS[0]}"'
    )
    assert len(listed.license_uses) == 2


def _period(start: datetime, end: datetime) -> dict[str, Any]:
    message = pb.CountLicenseUsesRequest()
    message.start_time.FromDatetime(start)
    message.end_time.FromDatetime(end)
    return {"start_time": message.start_time, "end_time": message.end_time}


async def test_a_department_counts_the_uses_of_what_it_issued(licensing: License) -> None:
    made = await licensing.issued()
    await get(licensing, made.name, licensing.staff(), use_context=context(service_item=ITEMS[0]))
    assert (await count(licensing, licensing.staff(OTHER_DEPARTMENT), license=made.name)).uses == 0
    assert (await count(licensing, licensing.staff(DEPARTMENT), license=made.name)).uses == 1
    machine = licensing.token("clients/other", "CLIENT")
    assert (await refused(count(licensing, machine, license=made.name)))[0] == "NOT_OWNER"


@pytest.mark.parametrize(
    ("start", "end", "rule"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 3, tzinfo=UTC), "period.required"),
        (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC), "period.order"),
        (None, datetime(2024, 1, 2, tzinfo=UTC), "period.required"),
    ],
)
async def test_nobody_counts_everything_there_ever_was(
    licensing: License, start: datetime | None, end: datetime, rule: str
) -> None:
    wanted = _period(start or end, end)
    if start is None:
        del wanted["start_time"]
    with pytest.raises(InvalidArgument) as error:
        await count(licensing, auditor(licensing), **wanted)
    assert [each.rule for each in error.value.violations] == [rule]


async def test_a_presentation_says_what_for_and_rests_on_nothing(licensing: License) -> None:
    made = await licensing.issued()
    asked = common_pb2.UseContext(purpose_code="CASE_HANDLING", service_item=ITEM, purpose="办理")
    shown = await create(licensing, agent(licensing), made.name, use_context=asked)
    told = shown.presentation.use_context
    assert (told.purpose_code, told.service_item, told.purpose) == ("CASE_HANDLING", ITEM, "办理")
    asked.law = "《行政许可法》"
    with pytest.raises(InvalidArgument) as error:
        await create(licensing, agent(licensing), made.name, use_context=asked)
    assert [each.rule for each in error.value.violations] == ["basis.kind"]


async def test_a_list_rests_on_no_basis_and_records_none_that_its_caller_invented(licensing: License) -> None:
    made = await licensing.issued()
    for basis in ({"consent": CONSENT}, {"item": ITEM}, {"presentation": f"presentations/{CONSENT[9:]}"}):
        request = licenses.ListLicensesRequest(holder=FIRM, use_context=context(**basis))
        listing = licensing.call(
            licensing.licenses.ListLicenses, request, licenses.ListLicensesResponse, licensing.staff()
        )
        assert (await refused(listing))[0] == "FIELD_INVALID"
    request = licenses.ListLicensesRequest(holder=FIRM, use_context=context(law="《行政许可法》"))
    method, answer = licensing.licenses.ListLicenses, licenses.ListLicensesResponse
    assert [each.name for each in (await licensing.call(method, request, answer, licensing.staff())).licenses] == [
        made.name
    ]
