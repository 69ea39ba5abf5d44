"""Who sees a transfer, and who hears of the case behind it."""

import pytest

from libs.errors import NotFound, PermissionDenied
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DEPARTMENT,
    FIRM,
    request_id,
)
from tests.service.cases.pairs import HOME, PLAN, Pair, pair
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import rating_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

__all__ = ["pair"]


async def test_transfers_are_seen_by_their_department(pair: Pair) -> None:
    sent = await pair.send()
    request = rpc.ListCaseTransfersRequest(filter="direction = TRANSFER_DIRECTION_OUTBOUND")

    async def names(token: str) -> list[str]:
        answer = await pair.home.call(
            pair.home.exchange.ListCaseTransfers, request, rpc.ListCaseTransfersResponse, token
        )
        return [each.name for each in answer.case_transfers]

    assert await names(pair.home.clerk) == [sent.name]
    assert await names(pair.home.stranger_clerk) == []
    assert await names(pair.home.system) == [sent.name]
    # At a window the one person who stands there, and whom they act for; not all that the clerk's department sent.
    assert await names(pair.home.window) == [sent.name]
    other = "persons/00000000-0000-7000-8000-0000000000a3"
    window = pair.home.service.issuer.token(other, "STAFF", act={"sub": CLERK}, dept=DEPARTMENT)
    assert await names(window) == []
    with pytest.raises(NotFound):
        await pair.home.call(
            pair.home.exchange.GetCaseTransfer, rpc.GetCaseTransferRequest(name=sent.name), rpc.CaseTransfer, window
        )
    with pytest.raises(NotFound):
        await pair.home.call(
            pair.home.exchange.GetCaseTransfer,
            rpc.GetCaseTransferRequest(name=sent.name),
            rpc.CaseTransfer,
            pair.home.stranger_clerk,
        )


async def test_other_services_hear_who_works_on_a_case_and_which_files_are_in_it(pair: Pair) -> None:
    sent = await pair.send()
    await pair.carry()
    told = [
        events.CaseTransferAcknowledged.FromString(data)
        for kind, data in await pair.home.events()
        if kind.endswith("case_transfer.acknowledged.v1")
    ]
    known = await pair.transfer(pair.home, sent.name)
    assert [each.sent for each in told] == [
        events.SentApplication(case=known.case, department=DEPARTMENT, applicant=HOME + FIRM, agent=HOME + AGENT)
    ]
    (opened,) = [
        events.CaseSubmitted.FromString(data)
        for kind, data in await pair.handling.events()
        if kind.endswith("case.submitted.v1")
    ]
    assert (opened.receiving_department, list(opened.materials)) == ("", [PLAN])


async def test_no_machine_rates_what_a_window_sent(pair: Pair) -> None:
    sent = await pair.send()
    await pair.carry()
    known = await pair.transfer(pair.home, sent.name)
    rate = rating_service_pb2.CreateRatingRequest(
        rating=rating_service_pb2.Rating(
            case=known.case,
            kind=rating_service_pb2.RATING_KIND_FIRST,
            level=pb.SATISFACTION_LEVEL_SATISFIED,
            channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET,
        ),
        request_id=request_id(),
    )
    with pytest.raises(PermissionDenied, match="NOT_OWNER"):
        await pair.home.call(pair.home.ratings.CreateRating, rate, rating_service_pb2.Rating, pair.home.system)


async def test_a_machine_sees_no_transfer_without_the_right_to_supervise(pair: Pair) -> None:
    sent = await pair.send()
    machine = pair.home.service.issuer.token(
        "clients/another", "CLIENT", "cases.caseTransfers.get cases.caseTransfers.list"
    )
    get, listed = rpc.GetCaseTransferRequest(name=sent.name), rpc.ListCaseTransfersRequest()
    for call in (
        pair.home.call(pair.home.exchange.GetCaseTransfer, get, rpc.CaseTransfer, machine),
        pair.home.call(pair.home.exchange.ListCaseTransfers, listed, rpc.ListCaseTransfersResponse, machine),
    ):
        with pytest.raises(PermissionDenied, match="PERMISSION_MISSING"):
            await call
