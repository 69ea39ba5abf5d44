"""Cases across two regions: both services run, identity and the gateways between them are faked at the contract."""

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unavailable, Violation
from libs.ids.uuid7 import uuid7
from services.cases.core.exchange import Payload
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    FIRM,
    MONDAY,
    REVIEWER,
    TASK_CODE,
    Town,
    day,
    eventually,
    morning,
    request_id,
)
from tests.service.cases.pairs import HANDLING, HOME, PLAN, Pair, enveloped, pair
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import rating_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.license.v1 import events_pb2 as license_events

__all__ = ["pair"]


async def test_an_application_goes_over_and_its_result_comes_back(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    request = pair.request()
    sent = await pair.send(request)
    assert (sent.state, sent.applicant.subject) == (rpc.CASE_TRANSFER_STATE_SENT, HOME + FIRM)
    assert await pair.send(request) == sent
    await pair.carry()
    known = await pair.transfer(home, sent.name)
    assert known.state == rpc.CASE_TRANSFER_STATE_ACCEPTED
    assert known.case == f"{HANDLING}cases/{request.case_id}"
    case = await handling.get(f"cases/{request.case_id}")
    assert (case.state, case.number, case.home_region) == (pb.CASE_STATE_SUBMITTED, known.case_number, "341500")
    assert (case.received_by, case.channel) == (HOME + CLERK, pb.CHANNEL_OTHER_REGION)
    theirs = await pair.transfer(handling, case.transfer)
    assert (theirs.transaction_id, theirs.exchange_id) == (known.transaction_id, known.exchange_id)

    handling.at(date(2024, 3, 5))
    points = [pb.CorrectionPoint(material_code="M2", explanation="缺少面积")]
    await handling.step("RequestCorrection", case, points=points)
    await pair.carry()
    asked = await pair.transfer(home, sent.name)
    assert asked.progress.correction_points[0].explanation == "缺少面积"
    handling.at(date(2024, 3, 8))
    digest = handling.known.add_file(PLAN, b"plan 2", f"{HOME}{FIRM}")
    correction = rpc.TransferCorrection(materials=[pb.MaterialReference(code="M2", material=PLAN[9:], digest=digest)])
    answer = rpc.SendCorrectionRequest(name=sent.name, correction=correction, request_id=request_id())
    await home.call(home.exchange.SendCorrection, answer, rpc.CaseTransfer, home.clerk)
    await pair.carry()
    assert (await handling.get(case.name)).state == pb.CASE_STATE_SUBMITTED
    assert day((await handling.clock_of(case)).promised_date) == date(2024, 3, 15)

    for verb in ("Accept", "StartReview"):
        case = await handling.step(verb, case)
    assert [each.check for each in case.materials] == [pb.MATERIAL_CHECK_VERIFIED] * 2
    await handling.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    issued = license_events.LicenseIssued(license=f"licenses/{uuid7()}", identifier="1.2.156", case=case.name)
    issued.issue_time.FromDatetime(datetime(2024, 3, 8, tzinfo=UTC))
    await handling.told("cn.tongban.license.license.issued.v1", issued)
    await pair.carry()
    result = await pair.transfer(home, sent.name)
    assert (result.result.results[0].license, result.progress.state) == (
        HANDLING + issued.license,
        pb.CASE_STATE_CLOSED,
    )
    assert (await pair.transfer(handling, case.transfer)).last_receipted_sequence == 7

    rate = rating_service_pb2.CreateRatingRequest(
        rating=rating_service_pb2.Rating(
            case=known.case,
            kind=rating_service_pb2.RATING_KIND_FIRST,
            level=pb.SATISFACTION_LEVEL_SATISFIED,
            channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET,
        ),
        request_id=request_id(),
    )
    rated = await home.call(home.ratings.CreateRating, rate, rating_service_pb2.Rating, home.window)
    assert rated.rater == HOME + AGENT
    await pair.carry()
    assert (await handling.get(case.name)).rating == pb.SATISFACTION_LEVEL_SATISFIED


async def test_the_deliverer_works_by_itself_and_over_lost_answers(pair: Pair) -> None:
    pair.handling.known.lost_answers = 2
    pair.home.known.lost_answers = 1
    pair.handling.known.repeat = pair.home.known.repeat = 1
    tasks = [asyncio.ensure_future(town.part("MessageDeliverer").run()) for town in (pair.home, pair.handling)]
    try:
        sent = await pair.send()

        async def read() -> rpc.CaseTransfer:
            return await pair.transfer(pair.home, sent.name)

        known = await eventually(
            read, lambda t: t.state == rpc.CASE_TRANSFER_STATE_ACCEPTED and t.last_receipted_sequence
        )
        assert known.last_receipted_sequence == 1
        assert pair.handling.known.calls.count("ReceiveCaseTransfer") == 3
        assert await pair.handling.history(pb.Case(name=known.case.removeprefix(HANDLING))) == ["CREATE", "SUBMIT"]
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_an_application_waits_while_the_other_region_is_away_or_suspended(pair: Pair) -> None:
    service, pair.handling.known.service = pair.handling.known.service, None
    sent = await pair.send()
    await pair.carry()
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_SENT
    pair.handling.known.service = service

    async def arrives() -> rpc.CaseTransfer:
        await pair.carry(1)
        return await pair.transfer(pair.home, sent.name)

    await eventually(arrives, lambda t: t.state == rpc.CASE_TRANSFER_STATE_ACCEPTED)


def _returned(sent: rpc.CaseTransfer, reason: str) -> rpc.TransferMessage:
    """What a deciding region says that sends an application back."""
    content = rpc.TransferAcknowledgement(state=rpc.CASE_TRANSFER_STATE_RETURNED, reason=reason)
    return enveloped(content, exchange_id=sent.exchange_id, sequence=0, sender_region="320402")


async def _failures(town: Town) -> list[events.CaseTransferFailed]:
    """What was told of messages that will not arrive."""
    return [
        events.CaseTransferFailed.FromString(data)
        for kind, data in await town.events()
        if kind.endswith("case_transfer.failed.v1")
    ]


async def test_a_refused_application_fails_for_good(pair: Pair) -> None:
    sent = await pair.send(pair.request(task_code="", title=""))
    assert sent.task_code == TASK_CODE
    wanted = pair.request()
    del wanted.materials[:]
    refused = await pair.send(wanted)
    await pair.carry()
    failed = await pair.transfer(pair.home, refused.name)
    assert (failed.state, failed.end_reason) == (rpc.CASE_TRANSFER_STATE_FAILED, "CASE_MATERIAL_MISSING")
    told = await _failures(pair.home)
    assert [(each.name, each.payload, each.error_reason) for each in told] == [
        (refused.name, Payload.APPLICATION, "CASE_MATERIAL_MISSING")
    ]
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_ACCEPTED


async def test_an_application_whose_licence_can_not_be_printed_is_refused_by_its_field(pair: Pair) -> None:
    pair.handling.known.check_error = InvalidArgument(
        "FIELD_INVALID",
        "no",
        violations=(Violation("holders[0].display_name", "font.coverage", "no glyph for U+30000"),),
    )
    request = pair.request()
    message = pair.message(request)
    with pytest.raises(InvalidArgument) as refused:
        await pair.receive(message)
    assert [each.field for each in refused.value.violations] == ["applicant.display_name"]
    case = f"cases/{request.case_id}"
    with pytest.raises(NotFound):
        await pair.handling.get(case)
    pair.handling.known.check_error = Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="database")
    with pytest.raises(Unavailable):
        await pair.receive(message)
    pair.handling.known.check_error = None
    await pair.receive(message)
    assert (await pair.handling.get(case)).state == pb.CASE_STATE_SUBMITTED


async def test_a_refused_correction_keeps_its_number_and_a_right_one_follows_what_stands(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    request = pair.request()
    sent = await pair.send(request)
    answer = rpc.SendCorrectionRequest(name=sent.name, correction=rpc.TransferCorrection(), request_id=request_id())
    with pytest.raises(FailedPrecondition):
        await home.call(home.exchange.SendCorrection, answer, rpc.CaseTransfer, home.clerk)
    await pair.carry()
    with pytest.raises(FailedPrecondition):
        await home.call(home.exchange.SendCorrection, answer, rpc.CaseTransfer, home.clerk)
    points = [pb.CorrectionPoint(material_code="M2", explanation="缺少面积")]
    await handling.step("RequestCorrection", f"cases/{request.case_id}", points=points)
    await pair.carry()
    await home.call(home.exchange.SendCorrection, answer, rpc.CaseTransfer, home.clerk)
    await pair.carry()
    failed = await pair.transfer(home, sent.name)
    assert (failed.end_reason, failed.last_sent_sequence) == ("CASE_MATERIAL_MISSING", 2)
    assert [(each.name, each.payload) for each in await _failures(home)] == [(sent.name, Payload.CORRECTION)]
    right = rpc.SendCorrectionRequest(name=sent.name, request_id=request_id())
    right.correction.materials.append(pair.materials()[1])
    with pytest.raises(NotFound):
        await home.call(home.exchange.SendCorrection, right, rpc.CaseTransfer, home.stranger_clerk)
    await home.call(home.exchange.SendCorrection, right, rpc.CaseTransfer, home.clerk)
    await pair.carry()
    case = await handling.get(f"cases/{request.case_id}")
    assert case.state == pb.CASE_STATE_SUBMITTED
    known, theirs = await pair.transfer(home, sent.name), await pair.transfer(handling, case.transfer)
    assert (known.last_sent_sequence, known.last_receipted_sequence, theirs.last_applied_sequence) == (3, 3, 3)
    late = enveloped(rpc.TransferCorrection(), exchange_id=known.exchange_id, sequence=2)
    with pytest.raises(FailedPrecondition, match="TRANSFER_MESSAGE_CONFLICT"):
        await pair.receive(late, pair.guest(transfer=HOME + sent.name))


async def test_messages_come_twice_early_and_changed(pair: Pair) -> None:
    request = pair.request()
    application = pair.message(request)
    correction = rpc.TransferCorrection(materials=[request.materials[1]])
    early = enveloped(correction, exchange_id=application.exchange_id, sequence=2)
    held = await pair.receive(early)
    assert held.held
    with pytest.raises(FailedPrecondition):  # nothing was asked for: the whole of it is refused, nothing is opened
        await pair.receive(application)
    other = pair.message(request, exchange_id=str(uuid.uuid4()))
    first, again = await asyncio.gather(pair.receive(other), pair.receive(other))
    assert first == again == await pair.receive(other)
    changed = rpc.TransferMessage()
    changed.CopyFrom(other)
    changed.payload += rpc.TransferApplication(title="别的").SerializeToString()
    with pytest.raises(FailedPrecondition) as conflict:
        await pair.receive(changed)
    assert conflict.value.reason == "TRANSFER_MESSAGE_CONFLICT"
    far = rpc.TransferMessage()
    far.CopyFrom(early)
    far.exchange_id, far.sequence, far.previous_sequence = other.exchange_id, 100, 99
    with pytest.raises(FailedPrecondition) as too_far:
        await pair.receive(far)
    assert too_far.value.reason == "TRANSFER_SEQUENCE_TOO_FAR"
    assert await pair.handling.history(pb.Case(name=f"cases/{request.case_id}")) == ["CREATE", "SUBMIT"]


async def test_progress_that_comes_early_is_held(pair: Pair) -> None:
    sent = await pair.send()
    token = pair.home.service.issuer.token(f"{HANDLING}services/cases", "REGION", region="320402")

    def progress(sequence: int, state: pb.CaseState.ValueType) -> rpc.PushProgressRequest:
        told = rpc.TransferProgress(state=state, action=pb.CASE_ACTION_ACCEPT)
        told.event_time.FromDatetime(morning(MONDAY))
        message = enveloped(told, exchange_id=sent.exchange_id, sequence=sequence, sender_region="320402")
        return rpc.PushProgressRequest(message=message)

    async def push(request: rpc.PushProgressRequest, by: str = token) -> rpc.TransferReceipt:
        return await pair.home.call(pair.home.exchange.PushProgress, request, rpc.TransferReceipt, by)

    second = progress(2, pb.CASE_STATE_UNDER_REVIEW)
    held = await push(second)
    assert held.held and not (await pair.transfer(pair.home, sent.name)).HasField("progress")
    await push(progress(1, pb.CASE_STATE_ACCEPTED))
    known = await pair.transfer(pair.home, sent.name)
    assert (known.progress.state, known.last_applied_sequence) == (pb.CASE_STATE_UNDER_REVIEW, 2)
    assert await push(second) == held
    stranger = pair.home.service.issuer.token("//330100/services/cases", "REGION", region="330100")
    pair.home.known.trusted.add("330100")
    pair.home.known.others["330100"] = pair.handling.known
    with pytest.raises(InvalidArgument) as mismatch:
        await push(second, stranger)
    assert mismatch.value.reason == "REGION_MISMATCH"
    second.message.sender_region = "330100"
    with pytest.raises(NotFound):
        await push(second, stranger)


async def test_several_results_are_taken_each_named_with_its_region(pair: Pair) -> None:
    """Today one is sent; a region that sends more is understood, and one that leaves itself out of a name is not."""
    sent = await pair.send()
    token = pair.home.service.issuer.token(f"{HANDLING}services/cases", "REGION", region="320402")
    licences = [f"licenses/00000000-0000-7000-8000-00000000000{number}" for number in (1, 2)]

    async def push(sequence: int, region: str) -> rpc.TransferReceipt:
        result = rpc.TransferResult(
            outcome=pb.OUTCOME_APPROVED, results=[pb.CaseResult(license=f"{region}{each}") for each in licences]
        )
        result.decide_time.FromDatetime(morning(MONDAY))
        message = enveloped(result, exchange_id=sent.exchange_id, sequence=sequence, sender_region="320402")
        request = rpc.PushProgressRequest(message=message)
        return await pair.home.call(pair.home.exchange.PushProgress, request, rpc.TransferReceipt, token)

    assert (await push(1, HANDLING)).understanding == rpc.UNDERSTANDING_UNDERSTOOD
    known = await pair.transfer(pair.home, sent.name)
    assert [each.license for each in known.result.results] == [f"{HANDLING}{each}" for each in licences]
    assert list((await push(2, "")).doubts) == ["results: results.region"]


async def test_an_officer_of_the_deciding_region_does_not_answer_past_its_service(pair: Pair) -> None:
    sent = await pair.send()
    officer = pair.home.service.issuer.token(f"{HANDLING}{REVIEWER}", "REGION", region="320402")
    result = rpc.TransferResult(outcome=pb.OUTCOME_APPROVED)
    result.decide_time.FromDatetime(morning(MONDAY))
    push = rpc.PushProgressRequest(message=enveloped(result, exchange_id=sent.exchange_id, sender_region="320402"))
    returned = rpc.AcknowledgeCaseTransferRequest(message=_returned(sent, "不予受理"))
    exchange = pair.home.exchange
    for method, request in ((exchange.PushProgress, push), (exchange.AcknowledgeCaseTransfer, returned)):
        with pytest.raises(PermissionDenied) as refused:
            await pair.home.call(method, request, rpc.TransferReceipt, officer)
        assert refused.value.reason == "ACTOR_NOT_ALLOWED"
    known = await pair.transfer(pair.home, sent.name)
    assert not known.HasField("result") and known.state != rpc.CASE_TRANSFER_STATE_RETURNED


@pytest.mark.parametrize("sequence", [2, 3], ids=["next", "early"])
@pytest.mark.parametrize("claims", [{}, {"transfer": "caseTransfers/another"}], ids=["unbound", "bound to another"])
async def test_a_token_without_the_exchanges_transfer_adds_nothing_to_it(
    pair: Pair, sequence: int, claims: dict[str, str]
) -> None:
    request = pair.request()
    application = pair.message(request)
    await pair.receive(application, pair.guest(transfer="caseTransfers/this"))
    correction = rpc.TransferCorrection(materials=[request.materials[1]])
    later = enveloped(correction, exchange_id=application.exchange_id, sequence=sequence)
    with pytest.raises(PermissionDenied) as refused:
        await pair.receive(later, pair.guest(**claims))
    assert refused.value.reason == "DELEGATION_MISMATCH"


async def test_an_acknowledgement_holds_and_can_return_an_application(pair: Pair) -> None:
    sent = await pair.send()
    token = pair.home.service.issuer.token(f"{HANDLING}services/cases", "REGION", region="320402")
    request = rpc.AcknowledgeCaseTransferRequest(message=_returned(sent, "不在受理范围"))

    async def acknowledge() -> rpc.TransferReceipt:
        return await pair.home.call(pair.home.exchange.AcknowledgeCaseTransfer, request, rpc.TransferReceipt, token)

    first = await acknowledge()
    assert await acknowledge() == first
    known = await pair.transfer(pair.home, sent.name)
    assert (known.state, known.end_reason) == (rpc.CASE_TRANSFER_STATE_RETURNED, "不在受理范围")
    request = rpc.AcknowledgeCaseTransferRequest(message=_returned(sent, "其他"))
    with pytest.raises(FailedPrecondition) as conflict:
        await acknowledge()
    assert conflict.value.reason == "TRANSFER_MESSAGE_CONFLICT"
