"""Every step that leads to a licence is refused while it could not be issued, or while nobody can tell; then it goes on."""

from typing import Any

import pytest

from libs.errors import FailedPrecondition, TongbanError
from tests.service.cases.conftest import LICENSE_TYPE, MANDATE, Town, agent, firm, request_id
from tests.service.cases.test_licences import AWAY, FORM, decided, values, void
from tests.service.cases.test_life import PLAN
from tests.support.refusing import refused
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.license.v1 import resources_pb2 as licenses

GONE = FailedPrecondition("LICENSE_TYPE_NOT_PUBLISHED", "gone", license_type=LICENSE_TYPE, state="DEPRECATED")
PROMISE = "materials/00000000-0000-7000-8000-000000000001"
SHOWN = "presentations/00000000-0000-7000-8000-000000000002"
DUE = common_pb2.Date(year=2024, month=3, day=20)
LATER = item_service_pb2.MaterialRule(code="M3", display_name="其他", required=True, tolerable=True)
LICENCE = item_service_pb2.MaterialRule(code="M2", display_name="营业执照", required=True)


async def _draft(town: Town) -> pb.Case:
    item = await town.item(license_type=LICENSE_TYPE, form_fields=FORM, materials=[PLAN])
    return await town.create(item, form_values=values(address="示例路1号"))


async def _submitted(town: Town) -> pb.Case:
    return await town.step("Submit", await _draft(town))


async def _asked_for_correction(town: Town) -> pb.Case:
    case = await _submitted(town)
    return await town.step("RequestCorrection", case, points=[pb.CorrectionPoint(explanation="地址不清")])


async def _failed(town: Town) -> pb.Case:
    case = await decided(town)
    await void(town, case)
    return case


def _owed(*codes: str) -> dict[str, Any]:
    return {
        "obligations": [pb.ToleranceObligation(material_code=code, due_date=DUE) for code in codes],
        "commitment": PROMISE,
    }


_BEFORE: dict[str, Any] = {
    "Submit": (_draft, {}),
    "SubmitCorrection": (_asked_for_correction, {"form_values": values(address="示例路2号")}),
    "AcceptCaseWithTolerance": (_submitted, _owed("M1")),
    "Redecide": (_failed, {"outcome": pb.OUTCOME_APPROVED, "reason": "再办"}),
}


@pytest.mark.parametrize("verb", _BEFORE)
@pytest.mark.parametrize(("error", "reason"), [(GONE, "LICENSE_TYPE_NOT_PUBLISHED"), (AWAY, "DEPENDENCY_UNAVAILABLE")])
async def test_no_step_is_taken_towards_a_licence_that_may_not_be_issued(
    town: Town, verb: str, error: TongbanError, reason: str
) -> None:
    begun, more = _BEFORE[verb]
    case, once = await begun(town), request_id()
    token = town.decider if verb == "Redecide" else ""
    state = (await town.get(case.name)).state
    town.known.check_error = error
    assert await refused(town.step(verb, case, token, request_id=once, **more)) == reason
    assert (await town.get(case.name)).state == state
    town.known.check_error = None
    assert await refused(town.step(verb, case, token, request_id=once, **more)) == ""


async def test_tolerance_is_for_what_is_promised_alone(town: Town) -> None:
    """What else is missing, is not what it says, or can't be looked at, holds the acceptance up as ever."""
    item = await town.item(materials=[PLAN, LICENCE, LATER])
    case = await town.create(item)
    digest = town.known.add_license(SHOWN, b"licence")
    shown = town.known.presented[SHOWN][0]
    await town.step("Submit", case, materials=[pb.MaterialReference(code="M2", presentation=SHOWN, digest=digest)])

    async def tolerated(*codes: str) -> str:
        return await refused(town.step("AcceptCaseWithTolerance", case, **_owed(*codes)))

    shown.state = licenses.LICENSE_STATE_REVOKED
    assert await tolerated("M1", "M3") == "CASE_MATERIAL_UNVERIFIED"
    assert await tolerated("M1") == "CASE_MATERIAL_MISSING"
    town.known.license_error = AWAY
    assert await tolerated("M1", "M3") == "DEPENDENCY_UNAVAILABLE"
    town.known.license_error = None
    shown.state = licenses.LICENSE_STATE_ISSUED
    assert await tolerated("M1", "M3") == ""


async def test_no_draft_is_submitted_under_a_mandate_that_has_ended(town: Town) -> None:
    case = await town.create(await town.item(), town.agent, applicant=firm(), agent=agent())
    town.known.mandate_reason = error_reason_pb2.ERROR_REASON_MANDATE_NOT_ACTIVE
    assert await refused(town.step("Submit", case, town.agent)) == "CASE_MANDATE_NOT_COVERING"
    assert town.known.mandates_asked[-1].mandate == MANDATE
    assert (await town.get(case.name)).state == pb.CASE_STATE_DRAFT
    town.known.mandate_reason = error_reason_pb2.ERROR_REASON_UNSPECIFIED
    assert (await town.step("Submit", case, town.agent)).state == pb.CASE_STATE_SUBMITTED
