"""The life of a case, from draft to delivery, with its clock."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.rpc.messages import working_days
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DECIDER,
    LICENSE_TYPE,
    MONDAY,
    PERSON,
    TASK_CODE,
    Town,
    agent,
    day,
    firm,
    request_id,
)
from tests.support.values import messages, text_type
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2, party_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.license.v1 import events_pb2 as license_events

FORM = [
    item_service_pb2.FormField(
        key="address", display_name="地址", required=True, license_field="KZ_JYCS", type=text_type()
    )
]
PLAN = item_service_pb2.MaterialRule(code="M1", display_name="平面图", required=True, tolerable=True)
LEASE = item_service_pb2.MaterialRule(code="M2", display_name="租赁合同", required=True)


def paper(code: str) -> pb.MaterialReference:
    return pb.MaterialReference(code=code, paper=pb.PaperMaterial(originals=1))


async def test_a_case_lives_from_draft_to_delivery(town: Town) -> None:
    item = await town.item(form_fields=FORM)
    draft = await town.create(item, form_values=messages(address="示例路1号"))
    assert (draft.state, draft.number, draft.title) == (pb.CASE_STATE_DRAFT, "", "测试事项")
    submitted = await town.step("Submit", draft)
    assert submitted.number == f"{TASK_CODE}20240304000001"
    assert submitted.public_status == pb.PUBLIC_STATUS_PENDING
    accepted = await town.step("Accept", draft)
    assert (accepted.accepted_by, day(accepted.promised_date)) == (CLERK, date(2024, 3, 11))
    await town.step("StartReview", draft)
    decided = await town.step("Decide", draft, outcome=pb.OUTCOME_APPROVED)
    assert (decided.decision.decided_by, decided.light) == (DECIDER, pb.LIGHT_GREEN)
    closed = await town.step("Close", draft)
    assert closed.state == pb.CASE_STATE_CLOSED and closed.public_status == pb.PUBLIC_STATUS_FINISHED
    assert await town.history(draft) == ["CREATE", "SUBMIT", "ACCEPT", "START_REVIEW", "DECIDE", "CLOSE"]
    assert [kind.split(".")[4] for kind, _ in await town.events() if "case." in kind] == [
        "created",
        "submitted",
        "accepted",
        "review_started",
        "decided",
        "closed",
    ]
    found = await town.call(
        town.cases.LookupCaseByNumber, rpc.LookupCaseByNumberRequest(number=submitted.number), pb.Case, town.clerk
    )
    assert found == closed


async def test_a_repeat_gets_the_first_answer_and_changes_nothing(town: Town) -> None:
    item = await town.item()
    request = town.draft(item)
    first = await town.call(town.cases.CreateCase, request, pb.Case, town.person)
    assert await town.call(town.cases.CreateCase, request, pb.Case, town.person) == first
    key = request_id()
    submitted = await town.step("Submit", first, request_id=key)
    assert await town.step("Submit", first, request_id=key) == submitted
    with pytest.raises(FailedPrecondition) as error:
        await town.step("Submit", first)
    assert error.value.metadata["state"] == "SUBMITTED"
    assert await town.history(first) == ["CREATE", "SUBMIT"]


async def test_numbers_count_per_item_and_day_without_gaps(town: Town) -> None:
    item = await town.item()
    drafts = [await town.create(item) for _ in range(12)]
    numbers = await asyncio.gather(*(town.step("Submit", draft) for draft in drafts))
    assert sorted(case.number[-6:] for case in numbers) == [f"{n:06d}" for n in range(1, 13)]
    town.at(MONDAY + timedelta(days=1))
    assert (await town.step("Submit", await town.create(item))).number.endswith("20240305000001")


async def test_a_chosen_id_is_taken_once(town: Town) -> None:
    item = await town.item()
    chosen = "0190a5b0-0000-7000-8000-000000000001"
    assert (await town.create(item, case_id=chosen)).name == f"cases/{chosen}"
    with pytest.raises(AlreadyExists):
        await town.create(item, case_id=chosen)


async def test_what_the_item_does_not_offer_is_refused(town: Town) -> None:
    item = await town.item(min_assurance=4)
    with pytest.raises(FailedPrecondition) as channel:
        await town.create(item, channel=pb.CHANNEL_KIOSK)
    assert channel.value.reason == "CASE_CHANNEL_NOT_OFFERED"
    social = firm()
    social.kind = party_pb2.PARTY_KIND_GOVERNMENT_BODY
    with pytest.raises(FailedPrecondition) as served:
        await town.create(item, town.representative, applicant=social)
    assert served.value.reason == "CASE_APPLICANT_NOT_SERVED"
    with pytest.raises(InvalidArgument):
        await town.create(item, channel=pb.CHANNEL_OTHER_REGION)
    with pytest.raises(InvalidArgument) as material:
        await town.create(item, materials=[paper("M9")])
    assert material.value.reason == "CASE_MATERIAL_UNKNOWN"
    low = town.service.issuer.token(PERSON, "PERSON", acr="3")
    with pytest.raises(PermissionDenied) as assurance:
        await town.step("Submit", await town.create(item, low), low)
    assert assurance.value.metadata == {"required": "4", "actual": "3"}
    draft = await town.item(publish=False, task_code=TASK_CODE[:-1] + "9")
    with pytest.raises(FailedPrecondition) as published:
        await town.create(draft)
    assert published.value.reason == "ITEM_NOT_PUBLISHED"


async def test_a_mandate_is_asked_for_where_one_is_used(town: Town) -> None:
    item = await town.item()
    case = await town.create(item, town.agent, applicant=firm(), agent=agent())
    await town.step("Submit", case, town.agent)
    asked = town.known.mandates_asked
    assert [(each.person, each.mandate, each.item_codes[0]) for each in asked] == [
        (AGENT, agent().mandate, TASK_CODE)
    ] * 2
    town.known.mandate_reason = error_reason_pb2.ERROR_REASON_MANDATE_OUT_OF_SCOPE
    with pytest.raises(PermissionDenied) as error:
        await town.create(item, town.agent, applicant=firm(), agent=agent())
    assert error.value.reason == "CASE_MANDATE_NOT_COVERING"
    with pytest.raises(PermissionDenied) as unnamed:
        await town.create(item, town.agent, applicant=firm())
    assert unnamed.value.reason == "CASE_MANDATE_NOT_COVERING"
    await town.create(item, town.representative, applicant=firm())
    assert len(asked) == 3


async def test_nobody_applies_in_anothers_name(town: Town) -> None:
    item = await town.item()
    with pytest.raises(PermissionDenied) as error:
        await town.create(item, town.stranger)
    assert error.value.reason == "NOT_OWNER"
    case = await town.create(item)
    for verb, more in (("Submit", {}), ("Withdraw", {"reason": "不办了"})):
        with pytest.raises(NotFound, match="RESOURCE_NOT_FOUND"):
            await town.step(verb, case, town.stranger, **more)
    with pytest.raises(InvalidArgument):
        await town.create(await town.item(materials=[LEASE]), materials=[paper("M2")])


async def test_missing_materials_and_form_fields_hold_the_submission(town: Town) -> None:
    item = await town.item(form_fields=FORM, materials=[PLAN, LEASE])
    case = await town.create(item)
    with pytest.raises(FailedPrecondition) as error:
        await town.step("Submit", case)
    assert error.value.metadata == {"materials": "M2,address"}
    await town.step("Submit", case, town.clerk, materials=[paper("M2")], form_values=messages(address="x"))
    with pytest.raises(FailedPrecondition) as accept:
        await town.step("Accept", case)
    assert accept.value.metadata == {"materials": "M1"}


async def test_correction_is_asked_once_and_the_days_of_acceptance_begin_anew_with_the_answer(town: Town) -> None:
    item = await town.item(materials=[LEASE])
    case = await town.create(item)
    await town.step("Submit", case, town.clerk, materials=[paper("M2")])
    before = await town.clock_of(case)
    assert (before.phase, day(before.promised_date)) == (pb.CLOCK_PHASE_ACCEPTANCE, date(2024, 3, 11))
    points = [pb.CorrectionPoint(material_code="M2", explanation="缺少签章")]
    town.at(date(2024, 3, 5))
    asked = await town.step("RequestCorrection", case, points=points)
    assert day(asked.corrections[0].due_date) == date(2024, 3, 26)
    town.at(date(2024, 3, 8))
    assert (await town.clock_of(case)).running is False
    with pytest.raises(FailedPrecondition) as missing:
        await town.step("SubmitCorrection", case)
    assert missing.value.reason == "CASE_MATERIAL_MISSING"
    corrected = await town.step("SubmitCorrection", case, town.clerk, materials=[paper("M2")])
    assert corrected.state == pb.CASE_STATE_SUBMITTED and corrected.corrections[0].HasField("answer_time")
    after = await town.clock_of(case)
    assert (day(after.start_date), after.suspended_days) == (date(2024, 3, 8), 0)
    assert day(after.promised_date) == date(2024, 3, 15)  # 11 to 15 March
    assert after.suspensions[0].procedure == pb.SPECIAL_PROCEDURE_CORRECTION
    with pytest.raises(FailedPrecondition) as again:
        await town.step("RequestCorrection", case, points=points)
    assert again.value.reason == "CASE_CORRECTION_ALREADY_ASKED"


async def test_suspension_and_extension_move_both_deadlines(town: Town) -> None:
    case = await town.review(await town.create(await town.item()))
    assert day((await town.clock_of(case)).promised_date) == date(2024, 3, 11)
    suspended = await town.step("Suspend", case, procedure=pb.SPECIAL_PROCEDURE_HEARING, reason="听证")
    assert suspended.state == pb.CASE_STATE_SUSPENDED
    town.at(date(2024, 3, 7))
    assert (await town.get(case.name)).light == pb.LIGHT_GREEN
    resumed = await town.step("Resume", case)
    assert day(resumed.promised_date) == date(2024, 3, 14)
    extended = await town.step("Extend", case, extension=working_days(10), reason="情况复杂")
    assert day(extended.promised_date) == date(2024, 3, 28)
    with pytest.raises(FailedPrecondition) as error:
        await town.step("Extend", case, extension=working_days(1), reason="再延")
    assert error.value.metadata == {"rule": "once"}
    town.at(date(2024, 3, 29))
    clock = await town.clock_of(case)
    assert (clock.light, clock.remaining_days, clock.extension) == (pb.LIGHT_RED, -1, working_days(10))
    await town.step("Decide", case, outcome=pb.OUTCOME_REJECTED, reason="不符合条件")
    town.at(date(2024, 5, 6))
    ended = await town.clock_of(case)
    assert (ended.phase, ended.remaining_days, day(ended.as_of_date)) == (pb.CLOCK_PHASE_ENDED, -1, date(2024, 3, 29))


async def test_acceptance_with_tolerance_holds_the_decision_until_the_material_comes(town: Town) -> None:
    item = await town.item(materials=[PLAN, LEASE])
    case = await town.create(item)
    await town.step("Submit", case, town.clerk, materials=[paper("M2")])
    commitment = "materials/00000000-0000-7000-8000-000000000001"
    due = common_pb2.Date(year=2024, month=3, day=20)

    async def tolerate(code: str) -> pb.Case:
        obligations = [pb.ToleranceObligation(material_code=code, due_date=due)]
        return await town.step("AcceptCaseWithTolerance", case, obligations=obligations, commitment=commitment)

    with pytest.raises(FailedPrecondition) as refused:
        await tolerate("M2")
    assert refused.value.reason == "CASE_TOLERANCE_NOT_ALLOWED"
    accepted = await tolerate("M1")
    assert accepted.commitment == commitment and not accepted.obligations[0].HasField("fulfill_time")
    await town.step("StartReview", case)
    with pytest.raises(FailedPrecondition) as held:
        await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    assert held.value.reason == "CASE_OBLIGATION_OPEN"
    digest = town.known.add_file("materials/00000000-0000-7000-8000-000000000001", b"plan", PERSON)
    material = pb.MaterialReference(code="M1", material="materials/00000000-0000-7000-8000-000000000001", digest=digest)
    fulfilled = await town.step("SubmitCorrection", case, materials=[material])
    (corrected,) = [data for kind, data in await town.events() if kind.endswith("case.corrected.v1")]
    assert list(events.CaseCorrected.FromString(corrected).materials) == [material.material]
    assert fulfilled.obligations[0].HasField("fulfill_time") and fulfilled.state == pb.CASE_STATE_UNDER_REVIEW
    decided = await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    checks = {each.reference.code: each.check for each in decided.materials}
    assert checks == {"M1": pb.MATERIAL_CHECK_VERIFIED, "M2": pb.MATERIAL_CHECK_SEEN}


async def test_receiving_and_deciding_are_apart(town: Town) -> None:
    case = await town.create(await town.item())
    await town.step("Submit", case, town.clerk)
    await town.step("Accept", case)
    with pytest.raises(PermissionDenied) as review:
        await town.step("StartReview", case, town.clerk)
    assert review.value.reason == "CASE_DUTIES_NOT_SEPARATED"
    await town.step("StartReview", case)
    with pytest.raises(PermissionDenied) as decide:
        await town.step("Decide", case, town.clerk, outcome=pb.OUTCOME_APPROVED)
    assert decide.value.metadata == {"action": "DECIDE"}
    with pytest.raises(PermissionDenied) as other:
        await town.step("Decide", case, town.stranger_clerk, outcome=pb.OUTCOME_APPROVED)
    assert other.value.reason == "NOT_OWNER"
    with pytest.raises(PermissionDenied) as window:
        await town.step("Decide", case, town.window, outcome=pb.OUTCOME_APPROVED)
    assert window.value.reason == "ACTOR_NOT_ALLOWED"


async def test_only_one_of_two_decisions_counts(town: Town) -> None:
    case = await town.review(await town.create(await town.item()))
    answers = await asyncio.gather(
        town.step("Decide", case, etag=case.etag, outcome=pb.OUTCOME_APPROVED),
        town.step("Decide", case, etag=case.etag, outcome=pb.OUTCOME_REJECTED, reason="不符合"),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Aborted", "Case"]
    with pytest.raises(Aborted) as error:
        await town.step("Close", case, etag='"1"')
    assert error.value.reason == "ETAG_MISMATCH"


async def test_nobody_decides_on_what_was_changed_since_they_read_it(town: Town) -> None:
    """An officer reads the case, the applicant hands in another form, the officer decides on what they have not seen."""
    item = await town.item(form_fields=[item_service_pb2.FormField(key="area", display_name="面积", type=text_type())])
    case = await town.create(item, form_values=messages(area="80"))
    read = await town.step("Submit", case)
    await town.step("RequestCorrection", case, points=[pb.CorrectionPoint(explanation="核对面积")])
    await town.step("SubmitCorrection", case, form_values=messages(area="800"))
    with pytest.raises(Aborted) as unseen:
        await town.step("Accept", case, etag=read.etag)
    assert unseen.value.reason == "ETAG_MISMATCH"
    with pytest.raises(InvalidArgument) as blind:
        await town.step("Accept", case, etag="")
    assert [each.field for each in blind.value.violations] == ["etag"]
    assert (await town.step("Accept", case)).state == pb.CASE_STATE_ACCEPTED


async def test_a_refusal_needs_a_reason(town: Town) -> None:
    case = await town.review(await town.create(await town.item()))
    with pytest.raises(InvalidArgument) as error:
        await town.step("Decide", case, outcome=pb.OUTCOME_REJECTED)
    assert error.value.violations[0].field == "reason"


async def test_a_case_ends_early_by_decline_withdrawal_and_termination(town: Town) -> None:
    item = await town.item()
    for verb, state in (
        ("Decline", pb.CASE_STATE_NOT_ACCEPTED),
        ("Withdraw", pb.CASE_STATE_WITHDRAWN),
        ("Terminate", pb.CASE_STATE_TERMINATED),
    ):
        case = await town.create(item)
        await town.step("Submit", case)
        ended = await town.step(verb, case, reason="示例原因")
        assert (ended.state, ended.end_reason) == (state, "示例原因")
        with pytest.raises(FailedPrecondition):
            await town.step("Accept", case)


async def test_a_licence_closes_its_case_once(town: Town) -> None:
    item = await town.item(license_type=LICENSE_TYPE, form_fields=FORM)
    case = await town.create(item, form_values=messages(address="示例路1号"))
    await town.review(case)
    await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    told = [events.CaseLicenseOrdered.FromString(data) for kind, data in await town.events() if "ordered" in kind]
    assert (told[0].license_type, told[0].holders[0].subject) == (LICENSE_TYPE, PERSON)
    assert dict(told[0].license_fields) == messages(KZ_JYCS="示例路1号")
    assert told[0].case.receiving_region == "341500"
    with pytest.raises(FailedPrecondition) as pending:
        await town.step("Close", case)
    assert pending.value.reason == "CASE_LICENSE_PENDING"
    voided = license_events.LicenseVoided(license="licenses/0", case=case.name, error_reason="KEY_UNAVAILABLE")
    await town.told("cn.tongban.license.license.voided.v1", voided)
    assert (await town.get(case.name)).state == pb.CASE_STATE_DECIDED
    issued = license_events.LicenseIssued(license="licenses/1", identifier="1.2.156", case=case.name)
    issued.issue_time.FromDatetime(datetime(2024, 3, 4, 2, tzinfo=UTC))
    for _ in range(2):
        await town.told("cn.tongban.license.license.issued.v1", issued, "event-1")
    closed = await town.get(case.name)
    assert closed.state == pb.CASE_STATE_CLOSED
    assert list(closed.results) == [pb.CaseResult(license="licenses/1", license_identifier="1.2.156")]
    assert await town.history(case) == [
        "CREATE",
        "SUBMIT",
        "ACCEPT",
        "START_REVIEW",
        "DECIDE",
        "LICENSE_FAILED",
        "CLOSE",
    ]
    for _ in range(2):  # told again, under other ids: nothing changes
        await town.told("cn.tongban.license.license.issued.v1", issued)
        await town.told("cn.tongban.license.license.voided.v1", voided)
    assert await town.get(case.name) == closed
    assert (await town.history(case)).count("LICENSE_FAILED") == 1
    issued.case = "cases/00000000-0000-7000-8000-00000000dead"
    await town.told("cn.tongban.license.license.issued.v1", issued)


async def test_silence_accepts_from_the_day_of_receipt(town: Town) -> None:
    case = await town.create(await town.item())
    await town.step("Submit", case)
    sweeper = town.part("Sweep")
    town.at(date(2024, 3, 11))
    assert await sweeper.sweep() == 0
    town.at(date(2024, 3, 12))
    assert await sweeper.sweep() == 1
    found = await town.get(case.name)
    assert (found.state, found.accepted_by) == (pb.CASE_STATE_ACCEPTED, "services/cases")
    assert day(found.promised_date) == date(2024, 3, 11)
