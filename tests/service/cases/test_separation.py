"""Nobody handles their own affair, and separated duties are told apart by human being, whatever record acts."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from libs.errors import PermissionDenied
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import working_days
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DECIDER,
    DEPARTMENT,
    FIRM,
    MANDATE,
    PERSON,
    REVIEWER,
    TASK_CODE,
    Town,
    agent,
    firm,
    request_id,
)
from tests.support.handling import undriven
from tests.support.values import messages
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import delivery_service_pb2, exchange_service_pb2, rating_service_pb2, task_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

Drive = Callable[[Town, str], Awaitable[Any]]
"""Takes a step in the affair of FIRM, for which AGENT acts, with a token."""
HUMAN = "persons/00000000-0000-7000-8000-0000000000b0"


async def _case(town: Town, *verbs: str) -> pb.Case:
    item = await town.item()
    case = await town.create(item, town.agent, applicant=firm(), agent=agent())
    for verb in verbs:
        more: dict[str, Any] = {"outcome": pb.OUTCOME_APPROVED} if verb == "Decide" else {}
        case = await town.step(verb, case, town.agent if verb == "Submit" else "", **more)
    return case


def _step(verb: str, **more: Any) -> Drive:
    async def drive(town: Town, token: str) -> None:
        await town.step(verb, await _case(town, "Submit"), token, **more)

    return drive


async def _create(town: Town, token: str) -> None:
    await town.create(await town.item(), token, applicant=firm(), agent=agent())


async def _update(town: Town, token: str) -> None:
    draft = await _case(town)
    request = rpc.UpdateCaseRequest(case=draft, etag=draft.etag, request_id=request_id())
    request.update_mask.paths.append("title")
    await town.call(town.cases.UpdateCase, request, pb.Case, token)


async def _delete(town: Town, token: str) -> None:
    draft = await _case(town)
    request = rpc.DeleteCaseRequest(name=draft.name, etag=draft.etag, request_id=request_id())
    await town.call(town.cases.DeleteCase, request, Empty, token)


async def _claim(town: Town, token: str) -> None:
    await _case(town, "Submit")
    listed = await town.call(
        town.tasks.ListCaseTasks,
        task_service_pb2.ListCaseTasksRequest(),
        task_service_pb2.ListCaseTasksResponse,
        town.clerk,
    )
    claim = task_service_pb2.ClaimCaseTaskRequest(name=listed.case_tasks[0].name, request_id=request_id())
    await town.call(town.tasks.ClaimCaseTask, claim, task_service_pb2.CaseTask, token)


async def _deliver(town: Town, case: pb.Case, token: str) -> delivery_service_pb2.CaseDelivery:
    request = delivery_service_pb2.CreateCaseDeliveryRequest(
        case_delivery=delivery_service_pb2.CaseDelivery(case=case.name, method=pb.DELIVERY_METHOD_WINDOW),
        request_id=request_id(),
    )
    return await town.call(town.deliveries.CreateCaseDelivery, request, delivery_service_pb2.CaseDelivery, token)


async def _delivery(town: Town, token: str) -> None:
    await _deliver(town, await _case(town, "Submit"), token)


async def _confirm(town: Town, token: str) -> None:
    case = await _case(town, "Submit", "Accept", "StartReview", "Decide", "Close")
    made = await _deliver(town, case, town.clerk)
    confirm = delivery_service_pb2.ConfirmCaseDeliveryRequest(name=made.name, request_id=request_id())
    await town.call(town.deliveries.ConfirmCaseDelivery, confirm, delivery_service_pb2.CaseDelivery, token)


async def _rate(town: Town, token: str) -> None:
    request = rating_service_pb2.CreateRatingRequest(
        rating=rating_service_pb2.Rating(
            case=(await _case(town, "Submit")).name,
            level=pb.SATISFACTION_LEVEL_SATISFIED,
            kind=rating_service_pb2.RATING_KIND_FIRST,
            channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET,
        ),
        request_id=request_id(),
    )
    await town.call(town.ratings.CreateRating, request, rating_service_pb2.Rating, token)


def _transfer() -> exchange_service_pb2.SendCaseTransferRequest:
    request = exchange_service_pb2.SendCaseTransferRequest(
        handling_region="320402",
        task_code=TASK_CODE,
        mode=pb.CROSS_REGION_MODE_COLLECTED,
        case_id=uuid7(),
        applicant=firm(),
        agent=agent(),
        request_id=request_id(),
        identity_check=exchange_service_pb2.IdentityCheck(assurance=4, method="核验身份证"),
    )
    request.identity_check.check_time.GetCurrentTime()
    return request


def _window(town: Town, **claims: Any) -> str:
    """AGENT at the clerk's window, acting for FIRM."""
    return town.service.issuer.token(
        AGENT, "STAFF", org=FIRM, mandate=MANDATE, act={"sub": CLERK}, dept=DEPARTMENT, **claims
    )


async def _send(town: Town, token: str) -> None:
    await town.call(town.exchange.SendCaseTransfer, _transfer(), exchange_service_pb2.CaseTransfer, token)


async def _send_correction(town: Town, token: str) -> None:
    town.known.trusted.add("320402")
    town.known.others["320402"] = town.known
    sent = await town.call(
        town.exchange.SendCaseTransfer, _transfer(), exchange_service_pb2.CaseTransfer, _window(town)
    )
    correction = exchange_service_pb2.TransferCorrection(form_values=messages(k="v"))
    request = exchange_service_pb2.SendCorrectionRequest(name=sent.name, correction=correction, request_id=request_id())
    await town.call(town.exchange.SendCorrection, request, exchange_service_pb2.CaseTransfer, token)


async def _withdraw_transfer(town: Town, token: str) -> None:
    town.known.trusted.add("320402")
    town.known.others["320402"] = town.known
    sent = await town.call(
        town.exchange.SendCaseTransfer, _transfer(), exchange_service_pb2.CaseTransfer, _window(town)
    )
    request = exchange_service_pb2.WithdrawCaseTransferRequest(name=sent.name, reason="撤回", request_id=request_id())
    await town.call(town.exchange.WithdrawCaseTransfer, request, exchange_service_pb2.CaseTransfer, token)


DRIVES: dict[str, Drive] = {
    "CreateCase": _create,
    "UpdateCase": _update,
    "DeleteCase": _delete,
    "SubmitCase": _step("Submit"),
    "WithdrawCase": _step("Withdraw", reason="撤回"),
    "SubmitCorrection": _step("SubmitCorrection", form_values=messages(k="v")),
    "RequestCorrection": _step("RequestCorrection", points=[pb.CorrectionPoint(explanation="补")]),
    "AcceptCase": _step("Accept"),
    "DeclineCase": _step("Decline", reason="不予受理"),
    "StartReview": _step("StartReview"),
    "ResumeCase": _step("Resume", result="完成"),
    "SuspendCase": _step("Suspend", procedure=pb.SPECIAL_PROCEDURE_HEARING, reason="听证"),
    "ExtendCase": _step("Extend", extension=working_days(5), reason="复杂"),
    "CloseCase": _step("Close"),
    "RedecideCase": _step("Redecide", outcome=pb.OUTCOME_REJECTED, reason="不能打印"),
    "DecideCase": _step("Decide", outcome=pb.OUTCOME_APPROVED),
    "TerminateCase": _step("Terminate", reason="终止"),
    "ClaimCaseTask": _claim,
    "CreateCaseDelivery": _delivery,
    "ConfirmCaseDelivery": _confirm,
    "CreateRating": _rate,
    "SendCaseTransfer": _send,
    "SendCorrection": _send_correction,
    "WithdrawCaseTransfer": _withdraw_transfer,
}


async def _tolerance(town: Town, token: str) -> None:
    case = await _case(town, "Submit")
    obligation = pb.ToleranceObligation(material_code="M1")
    obligation.due_date.year, obligation.due_date.month, obligation.due_date.day = 2024, 3, 20
    request = rpc.AcceptCaseWithToleranceRequest(
        name=case.name,
        etag=case.etag,
        obligations=[obligation],
        request_id=request_id(),
        commitment="materials/00000000-0000-7000-8000-000000000001",
    )
    await town.call(town.cases.AcceptCaseWithTolerance, request, pb.Case, token)


DRIVES["AcceptCaseWithTolerance"] = _tolerance
AT_WINDOW = {"SendCaseTransfer", "SendCorrection", "WithdrawCaseTransfer"}


def test_every_step_that_the_contract_says_is_driven() -> None:
    assert undriven("tongban.cases.v1", DRIVES) == set()


@pytest.mark.parametrize("involved", [{"human": AGENT}, {"near": [FIRM]}, {"near": [AGENT]}, {"near": ["*"]}], ids=str)
@pytest.mark.parametrize("verb", DRIVES)
async def test_nobody_handles_what_concerns_themselves(town: Town, verb: str, involved: dict[str, Any]) -> None:
    # Under a staff record of their own that tells nothing of who they are.
    token = town.service.issuer.token(CLERK, "STAFF", dept=DEPARTMENT, **{"human": HUMAN, **involved})
    if verb in AT_WINDOW:
        token = _window(town, **{"human": HUMAN, **involved})
    with pytest.raises(PermissionDenied) as refused:
        await DRIVES[verb](town, token)
    assert refused.value.reason == "ACTING_ON_SELF"


async def test_at_a_window_an_agent_can_not_apply_for_the_clerks_own_firm(town: Town) -> None:
    """The token speaks of the agent alone; the draft names the firm."""
    token = town.service.issuer.token(AGENT, "STAFF", act={"sub": CLERK}, dept=DEPARTMENT, human=HUMAN, near=[FIRM])
    with pytest.raises(PermissionDenied) as refused:
        await _create(town, token)
    assert refused.value.reason == "ACTING_ON_SELF"


@pytest.mark.parametrize("first", ["Submit", "Accept"])
async def test_one_human_being_under_two_records_does_not_receive_and_decide(town: Town, first: str) -> None:
    token = town.service.issuer.token
    hands = dict.fromkeys(("Submit", "Accept"), town.clerk)
    hands[first] = token(CLERK, "STAFF", dept=DEPARTMENT, human=HUMAN)
    case = await town.create(await town.item())
    for verb, hand in hands.items():
        await town.step(verb, case, hand)
    for verb, record in (("StartReview", REVIEWER), ("Decide", DECIDER)):
        more: dict[str, Any] = {"outcome": pb.OUTCOME_APPROVED} if verb == "Decide" else {}
        with pytest.raises(PermissionDenied) as refused:
            await town.step(verb, case, token(record, "STAFF", dept=DEPARTMENT, human=HUMAN), **more)
        assert refused.value.reason == "CASE_DUTIES_NOT_SEPARATED"
        await town.step(verb, case, **more)


async def test_staff_apply_like_everybody_else_in_their_own_affairs(town: Town) -> None:
    case = await town.create(await town.item())
    in_office = town.service.issuer.token(CLERK, "STAFF", dept=DEPARTMENT, human=PERSON)
    for verb in ("Submit", "Accept"):
        with pytest.raises(PermissionDenied) as refused:
            await town.step(verb, case, in_office)
        assert refused.value.reason == "ACTING_ON_SELF"
    assert (await town.step("Submit", case)).state == pb.CASE_STATE_SUBMITTED
