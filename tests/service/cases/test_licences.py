"""A licence that can't be printed is refused before the decision; one that fails after it is decided anew."""

from datetime import date
from typing import Any

import pytest

from libs.errors import (
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    TongbanError,
    Unavailable,
    Violation,
    invalid_field,
)
from libs.ids import citizen_id
from services.cases.decisions.asking import LicenseRequests
from tests.service.cases.conftest import LICENSE_TYPE, PERSON_DOCUMENT, Town, applicant, request_id
from tests.support.values import messages, text_type
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import item_service_pb2, task_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import value_pb2
from tongban.license.v1 import events_pb2 as license_events
from tongban.license.v1 import resources_pb2 as licenses

VOIDED, ISSUED = "cn.tongban.license.license.voided.v1", "cn.tongban.license.license.issued.v1"
FORM = [
    item_service_pb2.FormField(
        key="address", display_name="地址", required=True, license_field="KZ_JYCS", type=text_type()
    ),
    item_service_pb2.FormField(key="scope", display_name="范围", license_field="KZ_JYFW", type=text_type()),
    item_service_pb2.FormField(key="remark", display_name="备注", type=text_type()),
]
TOO_LONG = invalid_field('face_fields["KZ_JYCS"]', "value.max_length", "at most 100 characters")
AWAY = Unavailable("DEPENDENCY_UNAVAILABLE", "away", retry_after=2.0, dependency="database")


def values(**given: str) -> dict[str, value_pb2.Value]:
    return messages(**given)


def broken(error: TongbanError) -> list[tuple[str, str]]:
    return [(each.field, each.rule) for each in error.violations]


async def licensed(town: Town) -> item_service_pb2.ServiceItem:
    return await town.item(license_type=LICENSE_TYPE, form_fields=FORM)


async def draft(town: Town, **more: Any) -> pb.Case:
    return await town.create(await licensed(town), form_values=values(address="示例路1号", remark="无"), **more)


async def decided(town: Town) -> pb.Case:
    case = await town.review(await draft(town))
    return await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)


async def void(town: Town, case: pb.Case, *rules: str, event_id: str = "") -> None:
    told = license_events.LicenseVoided(
        case=case.name, license_type=LICENSE_TYPE, error_reason="FIELD_INVALID", broken_rules=rules
    )
    await town.told(VOIDED, told, event_id)


async def decisions(town: Town) -> list[events.CaseLicenseOrdered]:
    return [
        events.CaseLicenseOrdered.FromString(data)
        for kind, data in await town.events()
        if kind.endswith("case.license_ordered.v1")
    ]


async def tasks(town: Town, case: pb.Case) -> list[str]:
    request = task_service_pb2.ListCaseTasksRequest(filter=f"case = {case.name}")
    found = await town.call(town.tasks.ListCaseTasks, request, task_service_pb2.ListCaseTasksResponse, town.clerk)
    return [task_service_pb2.TaskKind.Name(task.kind).removeprefix("TASK_KIND_") for task in found.case_tasks]


# ---- who applies ----


@pytest.mark.parametrize(("name", "rule"), [("\u3164", "name.blank"), ("测\u200b试", "name.invisible")])
async def test_a_party_has_a_name_that_can_be_seen(town: Town, name: str, rule: str) -> None:
    item = await town.item()
    named = applicant()
    named.display_name = name
    with pytest.raises(InvalidArgument) as refused:
        await town.create(item, applicant=named)
    assert broken(refused.value) == [("case.applicant.display_name", rule)]


async def test_a_party_was_born_before_today_by_the_business_clock(town: Town) -> None:
    item = await town.item()
    body = "11010520240305002"  # the day after the clock's
    born = applicant()
    born.document.number = body + citizen_id.check_char(body)
    with pytest.raises(InvalidArgument) as refused:
        await town.create(item, applicant=born)
    assert broken(refused.value) == [("case.applicant.document.number", "citizen_id.birth_date")]
    town.at(date(2024, 3, 5))
    town.known.accounts[born.subject] = (born.display_name, born.document.number)
    await town.create(item, applicant=born)


async def test_a_required_field_that_nobody_can_read_is_missing(town: Town) -> None:
    case = await town.create(await town.item(form_fields=FORM), form_values=values(address="\u3164　"))
    with pytest.raises(FailedPrecondition, match="CASE_MATERIAL_MISSING"):
        await town.step("Submit", case)


# ---- before the decision ----


async def test_a_form_value_that_can_not_be_printed_is_refused_at_submission_by_its_own_name(town: Town) -> None:
    case = await draft(town)
    town.known.check_error = InvalidArgument(
        "FIELD_INVALID",
        "no",
        violations=(
            *TOO_LONG.violations,
            Violation("holders[0].display_name", "font.coverage", "no glyph for U+30000"),
            Violation("holders[0].document.number", "citizen_id.check", "does not match"),
        ),
    )
    with pytest.raises(InvalidArgument) as refused:
        await town.step("Submit", case)
    assert broken(refused.value) == [
        ('form_values["address"]', "value.max_length"),
        ("applicant.display_name", "font.coverage"),
        ("applicant.document.number", "citizen_id.check"),
    ]
    assert (await town.get(case.name)).state == pb.CASE_STATE_DRAFT
    town.known.check_error = None
    submitted = await town.step("Submit", case)
    assert submitted.state == pb.CASE_STATE_SUBMITTED
    asked = town.known.licenses_checked[-1]
    assert (asked.license_type, dict(asked.face_fields)) == (LICENSE_TYPE, messages(KZ_JYCS="示例路1号"))
    assert (asked.holders[0].display_name, asked.holders[0].document) == ("测试甲", PERSON_DOCUMENT)


@pytest.mark.parametrize("verb", ["Submit", "Accept", "Decide"])
async def test_while_nobody_can_tell_nothing_is_taken_up_or_decided(town: Town, verb: str) -> None:
    case, steps = await draft(town), ("Submit", "Accept", "StartReview", "Decide")
    for step in steps[: steps.index(verb)]:
        case = await town.step(step, case)
    more: dict[str, Any] = {"outcome": pb.OUTCOME_APPROVED} if verb == "Decide" else {}
    once = request_id()
    town.known.check_error = AWAY
    with pytest.raises(Unavailable) as away:
        await town.step(verb, case, request_id=once, **more)
    assert (away.value.reason, away.value.metadata) == ("DEPENDENCY_UNAVAILABLE", {"dependency": "license"})
    assert away.value.retry_after
    assert (await town.get(case.name)).state == case.state
    town.known.check_error = None
    assert (await town.step(verb, case, request_id=once, **more)).state != case.state


@pytest.mark.parametrize("verb", ["Accept", "Decide"])
async def test_what_passed_at_submission_is_asked_again_before_it_counts(town: Town, verb: str) -> None:
    """The type may be out of the catalogue by then."""
    case = await town.step("Submit", await draft(town))
    if verb == "Decide":
        case = await town.step("StartReview", await town.step("Accept", case))
    more: dict[str, Any] = {"outcome": pb.OUTCOME_APPROVED} if verb == "Decide" else {}
    town.known.check_error = FailedPrecondition(
        "LICENSE_TYPE_NOT_PUBLISHED", "gone", license_type=LICENSE_TYPE, state="DEPRECATED"
    )
    with pytest.raises(FailedPrecondition, match="LICENSE_TYPE_NOT_PUBLISHED"):
        await town.step(verb, case, **more)
    if verb == "Decide":
        refused = await town.step("Decide", case, outcome=pb.OUTCOME_REJECTED, reason="不符合条件")
        assert refused.state == pb.CASE_STATE_DECIDED


async def test_an_answer_to_a_correction_is_checked(town: Town) -> None:
    case = await town.step("Submit", await draft(town))
    await town.step("RequestCorrection", case, points=[pb.CorrectionPoint(explanation="地址不清")])
    town.known.check_error = TOO_LONG
    with pytest.raises(InvalidArgument) as refused:
        await town.step("SubmitCorrection", case, form_values=values(address="示例路2号"))
    assert broken(refused.value) == [('form_values["address"]', "value.max_length")]
    town.known.check_error = None
    await town.step("SubmitCorrection", case, form_values=values(address="示例路2号"))
    assert dict(town.known.licenses_checked[-1].face_fields) == messages(KZ_JYCS="示例路2号")


async def test_items_without_a_licence_ask_nobody(town: Town) -> None:
    town.known.check_error = AWAY
    case = await town.review(await town.create(await town.item(form_fields=FORM), form_values=values(address="1")))
    await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    assert town.known.licenses_checked == []


# ---- publishing ----


_TYPE = {
    "state": licenses.LICENSE_TYPE_STATE_PUBLISHED,
    "holder_category": licenses.HOLDER_CATEGORY_ANY,
}
_FIELDS = [
    licenses.FaceField(key="KZ_JYCS", required=True, type=text_type()),
    licenses.FaceField(key="KZ_JYFW", type=text_type()),
]
_MISFITS: list[tuple[dict[str, Any], list[item_service_pb2.FormField], list[tuple[str, str]]]] = [
    (
        {},
        [FORM[0], item_service_pb2.FormField(key="x", display_name="x", license_field="NOPE", type=text_type())],
        [("content.form_fields[1].license_field", "license_field.known")],
    ),
    (
        {},
        [
            FORM[0],
            item_service_pb2.FormField(
                key="x", display_name="x", license_field="KZ_JYCS", required=True, type=text_type()
            ),
        ],
        [("content.form_fields[1].license_field", "license_field.once")],
    ),
    ({}, [FORM[1]], [("content.form_fields", "license_field.required")]),
    (
        {},
        [item_service_pb2.FormField(key="address", display_name="地址", license_field="KZ_JYCS", type=text_type())],
        [("content.form_fields", "license_field.required")],
    ),
    (
        {"holder_category": licenses.HOLDER_CATEGORY_PERSON},
        FORM[:1],
        [("content.applicant_kinds[1]", "applicant_kinds.holder")],
    ),
    (
        {"holder_category": licenses.HOLDER_CATEGORY_ORGANIZATION},
        FORM[:1],
        [("content.applicant_kinds[0]", "applicant_kinds.holder")],
    ),
]


@pytest.mark.parametrize(("kind", "form", "rules"), _MISFITS)
async def test_an_item_that_its_licence_type_does_not_fit_is_not_published(
    town: Town, kind: dict[str, Any], form: list[item_service_pb2.FormField], rules: list[tuple[str, str]]
) -> None:
    town.known.license_type = licenses.LicenseType(face_fields=_FIELDS, **{**_TYPE, **kind})
    with pytest.raises(InvalidArgument) as refused:
        await town.item(license_type=LICENSE_TYPE, form_fields=form)
    assert broken(refused.value) == rules


async def test_an_item_of_an_unknown_or_unpublished_type_is_not_published(town: Town) -> None:
    town.known.license_type = None
    with pytest.raises(FailedPrecondition, match="LICENSE_TYPE_NOT_PUBLISHED"):
        await licensed(town)
    item = await town.item(publish=False, task_code="11341500MB1234567X4123456789013", license_type=LICENSE_TYPE)
    town.known.license_type = licenses.LicenseType(state=licenses.LICENSE_TYPE_STATE_DRAFT)
    publish = item_service_pb2.PublishServiceItemRequest(name=item.name, etag=item.etag, request_id=request_id())
    with pytest.raises(FailedPrecondition, match="LICENSE_TYPE_NOT_PUBLISHED"):
        await town.call(town.items.PublishServiceItem, publish, item_service_pb2.ServiceItem, town.system)
    town.known.check_error = AWAY
    with pytest.raises(Unavailable):
        await town.call(town.items.PublishServiceItem, publish, item_service_pb2.ServiceItem, town.system)


# ---- after the decision ----


async def test_a_licence_that_fails_is_a_task_and_a_notice_and_the_case_says_why(town: Town) -> None:
    case = await decided(town)
    assert await tasks(town, case) == []
    for _ in range(2):
        await void(town, case, 'face_fields["KZ_JYCS"]: page.overflow', event_id="event-1")
    found = await town.get(case.name)
    failure = found.license_failures[0]
    assert (found.state, failure.error_reason) == (pb.CASE_STATE_DECIDED, "FIELD_INVALID")
    assert list(failure.broken_rules) == ['form_values["address"]: page.overflow']
    assert await tasks(town, case) == ["REDECIDE"]
    told = [
        events.CaseLicenseFailed.FromString(data)
        for kind, data in await town.events()
        if kind.endswith("license_failed.v1")
    ]
    assert [(each.case.name, each.error_reason) for each in told] == [(case.name, "FIELD_INVALID")]
    assert (await town.history(case))[-1] == "LICENSE_FAILED"


async def test_an_officer_puts_the_data_right_and_the_licence_is_issued(town: Town) -> None:
    case = await decided(town)
    await void(town, case, 'face_fields["KZ_JYCS"]: page.overflow')
    town.known.check_error = TOO_LONG
    with pytest.raises(InvalidArgument):
        await town.step(
            "Redecide",
            case,
            town.decider,
            outcome=pb.OUTCOME_APPROVED,
            reason="更正",
            form_values=values(address="示例路1号之一"),
        )
    town.known.check_error = None
    once = request_id()
    for _ in range(2):
        again = await town.step(
            "Redecide",
            case,
            town.decider,
            outcome=pb.OUTCOME_APPROVED,
            reason="缩短地址",
            form_values=values(address="示例路1"),
            request_id=once,
        )
    assert (again.state, bool(again.license_failures)) == (pb.CASE_STATE_DECIDED, False)
    first, second = await decisions(town)
    assert dict(second.license_fields) == messages(KZ_JYCS="示例路1")
    assert (first.license_type, second.license_type) == (LICENSE_TYPE, LICENSE_TYPE)
    assert await tasks(town, case) == []
    issued = license_events.LicenseIssued(license="licenses/1", identifier="1.2.156", case=case.name)
    await town.told(ISSUED, issued)
    closed = await town.get(case.name)
    assert (closed.state, closed.results[0].license) == (pb.CASE_STATE_CLOSED, "licenses/1")


async def test_an_anew_decided_licence_may_fail_again_and_names_what_it_replaces(town: Town) -> None:
    case = await decided(town)
    told = license_events.LicenseVoided(
        case=case.name, license="licenses/0", license_type=LICENSE_TYPE, error_reason="CERTIFICATE_NOT_VALID"
    )
    for rules, reason in (((), "x"), (('face_fields["KZ_JYCS"]: page.overflow',), "y"), ((), "z")):
        if rules:
            await void(town, case, *rules)
        elif reason == "x":
            await town.told(VOIDED, told)
        else:
            await void(town, case)
        assert await tasks(town, case) == ["REDECIDE"]
        await town.step("Redecide", case, town.decider, outcome=pb.OUTCOME_APPROVED, reason=reason)
        assert await tasks(town, case) == []
    assert [each.voided_license for each in await decisions(town)] == ["", *["licenses/0"] * 3]


async def test_while_an_officer_is_asked_the_licence_service_is_not(town: Town) -> None:
    case = await decided(town)
    asking = LicenseRequests(town.part("MessageDeliverer")._parts)
    await void(town, case)
    await asking.ask(case.name.removeprefix("cases/"))
    assert len(await decisions(town)) == 1
    await town.step("Redecide", case, town.decider, outcome=pb.OUTCOME_APPROVED, reason="再办")
    await asking.ask(case.name.removeprefix("cases/"))
    assert len(await decisions(town)) == 3


async def test_an_officer_decides_otherwise_and_closes_the_case(town: Town) -> None:
    case = await decided(town)
    await void(town, case)
    again = await town.step("Redecide", case, town.decider, outcome=pb.OUTCOME_REJECTED, reason="无法颁发")
    assert (again.decision.outcome, again.decide_time) == (pb.OUTCOME_REJECTED, case.decide_time)
    assert await tasks(town, case) == ["CLOSE"]
    assert len(await decisions(town)) == 1, "nothing more is ordered"
    told = [
        events.CaseDecided.FromString(data) for kind, data in await town.events() if kind.endswith("case.decided.v1")
    ]
    assert [list(each.license_types) for each in told] == [[LICENSE_TYPE], []]
    await void(town, case)  # comes late, and nothing waits for the licence any more
    assert (await town.step("Close", case)).state == pb.CASE_STATE_CLOSED


async def test_a_licence_issued_by_hand_ends_the_failure(town: Town) -> None:
    case = await decided(town)
    await void(town, case)
    await town.told(ISSUED, license_events.LicenseIssued(license="licenses/1", identifier="1", case=case.name))
    closed = await town.get(case.name)
    assert (closed.state, bool(closed.license_failures)) == (pb.CASE_STATE_CLOSED, False)
    assert await tasks(town, case) == ["DELIVER"]
    await void(town, case)
    assert (await town.get(case.name)).state == pb.CASE_STATE_CLOSED


async def test_only_a_failed_licence_is_decided_anew_and_not_by_who_accepted_it(town: Town) -> None:
    case = await decided(town)
    again = {"outcome": pb.OUTCOME_REJECTED, "reason": "x"}
    with pytest.raises(FailedPrecondition, match="CASE_LICENSE_NOT_FAILED"):
        await town.step("Redecide", case, town.decider, **again)
    await void(town, case)
    with pytest.raises(PermissionDenied, match="CASE_DUTIES_NOT_SEPARATED"):
        await town.step("Redecide", case, town.clerk, **again)
    with pytest.raises(PermissionDenied, match="NOT_OWNER"):
        await town.step("Redecide", case, town.stranger_clerk, **again)
    with pytest.raises(InvalidArgument):
        await town.step("Redecide", case, town.decider, form_values=values(nonsense="1"), **again)


async def test_a_licence_of_nobodys_case_is_passed_over(town: Town) -> None:
    await town.told(VOIDED, license_events.LicenseVoided(case="cases/00000000-0000-7000-8000-00000000dead"))
