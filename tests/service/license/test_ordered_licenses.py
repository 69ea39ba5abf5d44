"""Licences that decided cases order: once each, told to the case whatever comes of it."""

import asyncio
import uuid
from datetime import UTC, date, datetime

import pytest

from libs.errors import (
    FailedPrecondition,
    InvalidArgument,
    Unavailable,
)
from libs.events.cloud_event import Event
from libs.ids import license_identifier
from tests.service.license.conftest import CASE, FIRM, FIRM_CODE, License
from tests.service.license.test_issue import ISSUED, rows, told
from tests.support.fakes_license import DEPARTMENT, DEPARTMENT_CODE, SEAL_ID
from tests.support.values import messages
from tongban.cases.v1 import events_pb2 as cases
from tongban.cases.v1 import resources_pb2 as case_resources
from tongban.common.v1 import common_pb2, party_pb2
from tongban.license.v1 import events_pb2 as events


def decided(license_type: str, case: str = CASE, **changes: object) -> cases.CaseLicenseOrdered:
    data = cases.CaseLicenseOrdered(
        license_type=license_type,
        holders=[
            party_pb2.Party(
                subject=f"//341599/{FIRM}",
                display_name="测试虚构便利店有限公司",
                document=common_pb2.IdentityDocument(type_code="001", number=FIRM_CODE),
            )
        ],
        license_fields=messages(FDDBR="测试甲"),
        **changes,  # type: ignore[arg-type]
    )
    summary = data.case
    summary.name, summary.department, summary.task_code = case, DEPARTMENT, "item-1"
    return data


def event_of(data: cases.CaseLicenseOrdered) -> Event:
    return Event(
        str(uuid.uuid4()),
        "//341500/cases",
        "cn.tongban.cases.case.license_ordered.v1",
        data.case.name,
        datetime.now(UTC),
        data.SerializeToString(),
    )


async def test_a_decided_case_gets_its_licence_once(licensing: License) -> None:
    kind = await licensing.license_type()
    data = decided(kind.name)
    data.case.receiving_region = "341599"
    event = event_of(data)
    await asyncio.gather(licensing.handle(event), licensing.handle(event))
    await licensing.handle(event)
    (row,) = await rows(licensing)
    assert (row.state, row.case_name, row.receiving_region, row.item_code) == ("ISSUED", CASE, "341599", "item-1")
    assert len(await told(licensing, "cn.tongban.license.license.issued.v1")) == 1
    assert len(licensing.known.sealed) == 1


async def test_refused_cases_and_cases_without_licence_yield_nothing(licensing: License) -> None:
    """A decision alone orders nothing, whatever it was."""
    kind = await licensing.license_type()
    for outcome in (case_resources.OUTCOME_REJECTED, case_resources.OUTCOME_APPROVED):
        told = cases.CaseDecided(outcome=outcome, license_types=[kind.name])
        told.case.name, told.case.department = CASE, DEPARTMENT
        await licensing.hear("case.decided", CASE, told)
    assert await rows(licensing) == []


async def test_an_event_whose_draft_was_voided_is_over(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = FailedPrecondition("CERTIFICATE_NOT_VALID", "revoked", certificate="certificates/1")
    event = event_of(decided(kind.name))
    await licensing.handle(event)
    await licensing.handle(event)
    (row,) = await rows(licensing)
    assert row.state == "VOIDED"


async def test_an_event_for_a_case_that_has_its_licence_is_over(licensing: License) -> None:
    kind = await licensing.license_type()
    await licensing.issue(licensing.order(kind.name))
    await licensing.handle(event_of(decided(kind.name)))
    assert len(await rows(licensing)) == 1


async def test_a_case_that_asks_again_is_told_again_and_gets_no_second_licence(licensing: License) -> None:
    kind = await licensing.license_type()
    data = decided(kind.name)
    await licensing.handle(event_of(data))
    data.case.sequence += 1
    again = event_of(data)
    for _ in range(2):
        await licensing.handle(again)
    first, second = [events.LicenseIssued.FromString(each) for each in await told(licensing, ISSUED)]
    assert first == second
    await licensing.handle(event_of(data))
    assert len(await told(licensing, ISSUED)) == 3
    assert (len(await rows(licensing)), len(licensing.known.sealed)) == (1, 1)


async def test_a_licence_issued_by_hand_is_told_to_the_case_that_asks(licensing: License) -> None:
    kind = await licensing.license_type()
    made = await licensing.issue(licensing.order(kind.name))
    await licensing.handle(event_of(decided(kind.name)))
    told_twice = [events.LicenseIssued.FromString(each).license for each in await told(licensing, ISSUED)]
    assert told_twice == [made.name, made.name]


async def test_a_case_whose_draft_was_voided_hears_that_again(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = FailedPrecondition("CERTIFICATE_NOT_VALID", "revoked", certificate="certificates/1")
    data = decided(kind.name)
    await licensing.handle(event_of(data))
    licensing.known.seal_error = None
    await licensing.handle(event_of(data))
    first, second = [
        events.LicenseVoided.FromString(each) for each in await told(licensing, "cn.tongban.license.license.voided.v1")
    ]
    assert first == second
    assert [row.state for row in await rows(licensing)] == ["VOIDED"]


async def test_a_draft_at_work_is_left_to_who_works_on_it(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    event = event_of(decided(kind.name))
    with pytest.raises(Unavailable):
        await licensing.handle(event)
    await licensing.handle(event_of(decided(kind.name)))
    assert [row.state for row in await rows(licensing)] == ["DRAFT"]
    licensing.known.seal_error = None
    await licensing.handle(event)
    assert [row.state for row in await rows(licensing)] == ["ISSUED"]
    assert len(await told(licensing, ISSUED)) == 1


async def test_many_cases_side_by_side_get_different_numbers(licensing: License) -> None:
    kind = await licensing.license_type()
    names = [f"cases/{uuid.uuid4()}" for _ in range(24)]
    await asyncio.gather(*(licensing.handle(event_of(decided(kind.name, name))) for name in names))
    found = await rows(licensing)
    assert {row.state for row in found} == {"ISSUED"}
    assert len({row.identifier for row in found}) == len({row.number_index for row in found}) == len(names)
    assert {row.seal_id for row in found} == {SEAL_ID}


async def test_a_holder_who_is_called_otherwise_since_the_decision_is_told_to_the_case(licensing: License) -> None:
    kind = await licensing.license_type()
    event = event_of(decided(kind.name))
    licensing.known.identity_error = Unavailable(
        "DEPENDENCY_UNAVAILABLE", "away", retry_after=1.0, dependency="database"
    )
    with pytest.raises(Unavailable):  # the consumer tries again
        await licensing.handle(event)
    licensing.known.identity_error = None
    licensing.known.accounts[f"//341599/{FIRM}"] = "测试更名便利店有限公司"
    for _ in range(2):
        await licensing.handle(event)
    assert await rows(licensing) == []
    (told_of,) = [
        events.LicenseVoided.FromString(each) for each in await told(licensing, "cn.tongban.license.license.voided.v1")
    ]
    assert (told_of.error_reason, list(told_of.broken_rules)) == ("FIELD_INVALID", ["holders[0]: identity.account"])


async def test_a_licence_that_was_begun_is_finished_under_the_name_that_it_was_begun_with(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    event = event_of(decided(kind.name))
    with pytest.raises(Unavailable):
        await licensing.handle(event)
    licensing.known.seal_error = None
    licensing.known.accounts[f"//341599/{FIRM}"] = "测试更名便利店有限公司"
    await licensing.handle(event)
    assert [row.state for row in await rows(licensing)] == ["ISSUED"]
    assert await told(licensing, "cn.tongban.license.license.voided.v1") == []


def told_license(identifier: str) -> cases.ToldLicense:
    message = cases.ToldLicense(license="licenses/00000000-0000-7000-8000-00000000aaaa", identifier=identifier)
    message.issue_time.FromDatetime(datetime(2024, 4, 1, 2, tzinfo=UTC))
    return message


async def test_a_licence_that_was_told_of_is_made_again_as_it_was(licensing: License) -> None:
    kind = await licensing.license_type()
    lost = str(license_identifier.build(kind.code, DEPARTMENT_CODE, "ABCDEFGHIJ2345672345"))
    event = event_of(decided(kind.name, told_license=told_license(lost)))
    await licensing.handle(event)
    (row,) = await rows(licensing)
    assert (row.id, row.identifier) == ("00000000-0000-7000-8000-00000000aaaa", lost)
    assert (row.issue_date, row.valid_from) == (date(2024, 4, 1), date(2024, 4, 1))


async def test_one_of_another_issuer_is_not_made_and_an_operator_sees_why(licensing: License) -> None:
    """Its case is closed: nobody decides it anew, and nothing is told of it."""
    kind = await licensing.license_type()
    lost = str(license_identifier.build(kind.code, FIRM_CODE, "ABCDEFGHIJ2345672345"))
    event = event_of(decided(kind.name, told_license=told_license(lost)))
    with pytest.raises(InvalidArgument) as error:
        await licensing.handle(event)
    assert error.value.violations[0].field == "told_license.identifier"
    assert await rows(licensing) == []
    assert await told(licensing, "cn.tongban.license.license.voided.v1") == []
