"""No record, no service: the department's own staff leave a record of what they read, too."""

from typing import Any

import pytest

from libs.errors import Unavailable
from tests.service.cases.conftest import Town, request_id
from tests.service.cases.test_separation import _transfer, _window
from tests.support.silence import records, silenced, undriven
from tongban.cases.v1 import case_service_pb2, delivery_service_pb2, exchange_service_pb2, rating_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

VERBS = (
    "GetCase",
    "BatchGetCases",
    "ListCases",
    "LookupCaseByNumber",
    "ListCaseHistory",
    "GetClock",
    "GetCaseDelivery",
    "ListCaseDeliveries",
    "GetRating",
    "ListRatings",
    "GetCaseTransfer",
    "ListCaseTransfers",
)
OWN = (
    "GetCase",
    "BatchGetCases",
    "ListCases",
    "ListCaseHistory",
    "GetCaseDelivery",
    "ListCaseDeliveries",
    "GetRating",
    "ListRatings",
)


async def _calls(town: Town) -> dict[str, tuple[Any, Any, Any]]:
    """Every read, of a case that was closed, delivered and rated, and of a transfer."""
    town.known.trusted.add("320402")
    town.known.others["320402"] = town.known
    case = await town.closed(await town.item())
    deliver = delivery_service_pb2.CreateCaseDeliveryRequest(
        case_delivery=delivery_service_pb2.CaseDelivery(case=case.name, method=pb.DELIVERY_METHOD_WINDOW),
        request_id=request_id(),
    )
    delivery = await town.call(
        town.deliveries.CreateCaseDelivery, deliver, delivery_service_pb2.CaseDelivery, town.clerk
    )
    rate = rating_service_pb2.CreateRatingRequest(
        rating=rating_service_pb2.Rating(
            case=case.name,
            level=pb.SATISFACTION_LEVEL_SATISFIED,
            kind=rating_service_pb2.RATING_KIND_FIRST,
            channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET,
        ),
        request_id=request_id(),
    )
    rating = await town.call(town.ratings.CreateRating, rate, rating_service_pb2.Rating, town.person)
    sent = await town.call(
        town.exchange.SendCaseTransfer, _transfer(), exchange_service_pb2.CaseTransfer, _window(town)
    )
    return {
        "GetCase": (town.cases.GetCase, case_service_pb2.GetCaseRequest(name=case.name), pb.Case),
        "BatchGetCases": (
            town.cases.BatchGetCases,
            case_service_pb2.BatchGetCasesRequest(names=[case.name]),
            case_service_pb2.BatchGetCasesResponse,
        ),
        "GetClock": (town.cases.GetClock, case_service_pb2.GetClockRequest(name=f"{case.name}/clock"), pb.Clock),
        "ListCases": (town.cases.ListCases, case_service_pb2.ListCasesRequest(), case_service_pb2.ListCasesResponse),
        "LookupCaseByNumber": (
            town.cases.LookupCaseByNumber,
            case_service_pb2.LookupCaseByNumberRequest(number=case.number),
            pb.Case,
        ),
        "ListCaseHistory": (
            town.cases.ListCaseHistory,
            case_service_pb2.ListCaseHistoryRequest(parent=case.name),
            case_service_pb2.ListCaseHistoryResponse,
        ),
        "GetCaseDelivery": (
            town.deliveries.GetCaseDelivery,
            delivery_service_pb2.GetCaseDeliveryRequest(name=delivery.name),
            delivery_service_pb2.CaseDelivery,
        ),
        "ListCaseDeliveries": (
            town.deliveries.ListCaseDeliveries,
            delivery_service_pb2.ListCaseDeliveriesRequest(),
            delivery_service_pb2.ListCaseDeliveriesResponse,
        ),
        "ListRatings": (
            town.ratings.ListRatings,
            rating_service_pb2.ListRatingsRequest(),
            rating_service_pb2.ListRatingsResponse,
        ),
        "GetRating": (
            town.ratings.GetRating,
            rating_service_pb2.GetRatingRequest(name=rating.name),
            rating_service_pb2.Rating,
        ),
        "GetCaseTransfer": (
            town.exchange.GetCaseTransfer,
            exchange_service_pb2.GetCaseTransferRequest(name=sent.name),
            exchange_service_pb2.CaseTransfer,
        ),
        "ListCaseTransfers": (
            town.exchange.ListCaseTransfers,
            exchange_service_pb2.ListCaseTransfersRequest(),
            exchange_service_pb2.ListCaseTransfersResponse,
        ),
    }


def test_every_read_that_the_contract_says_is_driven() -> None:
    assert undriven("tongban.cases.v1", VERBS) == set()


async def test_no_record_no_answer(town: Town) -> None:
    for verb, call in (await _calls(town)).items():
        before = len(await records(town.service))
        await town.call(*call, town.clerk)
        assert len(await records(town.service)) == before + 1, verb
        async with silenced(town.service, "cases"):
            with pytest.raises(Unavailable) as refused:
                await town.call(*call, town.clerk)
        assert refused.value.reason == "AUDIT_UNAVAILABLE", verb


async def test_the_applicant_reads_what_is_their_own_unrecorded(town: Town) -> None:
    calls = await _calls(town)
    async with silenced(town.service, "cases"):
        for verb in OWN:
            await town.call(*calls[verb], town.person)
