"""What a window may send to another region: for who stands there, saying what the token proves."""

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied, Unauthenticated
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DEPARTMENT,
    FIRM,
    MANDATE,
    TASK_CODE,
)
from tests.service.cases.pairs import HOME, ITEM, PLAN, Pair, enveloped, pair
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.errors.v1 import error_reason_pb2

__all__ = ["pair"]


async def test_a_window_sends_only_for_who_stands_there(pair: Pair) -> None:
    home = pair.home
    for token, reason in (
        (home.clerk, "ACTOR_NOT_ALLOWED"),
        (
            home.service.issuer.token(
                "persons/00000000-0000-7000-8000-0000000000a3", "STAFF", act={"sub": CLERK}, dept=DEPARTMENT
            ),
            "NOT_OWNER",
        ),
        (
            home.service.issuer.token(AGENT, "STAFF", org=FIRM, act={"sub": CLERK}, dept=DEPARTMENT),
            "CASE_MANDATE_NOT_COVERING",
        ),
    ):
        with pytest.raises(PermissionDenied) as error:
            await pair.send(token=token)
        assert error.value.reason == reason
    with pytest.raises(PermissionDenied) as trust:
        await pair.send(pair.request(handling_region="110000"))
    assert trust.value.reason == "REGION_NOT_TRUSTED"
    low = home.service.issuer.token(
        AGENT, "STAFF", org=FIRM, mandate=MANDATE, act={"sub": CLERK}, dept=DEPARTMENT, acr="2"
    )
    with pytest.raises(InvalidArgument):
        await pair.send(token=low)
    home.known.mandate_reason = error_reason_pb2.ERROR_REASON_MANDATE_NOT_ACTIVE
    with pytest.raises(PermissionDenied) as mandate:
        await pair.send()
    assert mandate.value.reason == "CASE_MANDATE_NOT_COVERING"


async def test_an_application_must_say_what_the_token_proves(pair: Pair) -> None:
    request = pair.request()
    for claims, reason in (
        ({"org": HOME + "organizations/00000000-0000-7000-8000-0000000000ff"}, "NOT_OWNER"),
        ({"mandate": HOME + "mandates/00000000-0000-7000-8000-0000000000ff"}, "CASE_MANDATE_NOT_COVERING"),
        ({"act": {"sub": HOME + "services/cases", "act": {"sub": HOME + "staff/other"}}}, "NOT_OWNER"),
    ):
        with pytest.raises(PermissionDenied) as error:
            await pair.receive(pair.message(request), pair.guest(**claims))
        assert error.value.reason == reason
    pair.handling.known.trusted.add("330100")
    pair.handling.known.others["330100"] = pair.home.known
    with pytest.raises(InvalidArgument) as region:
        await pair.receive(pair.message(request), pair.guest(region="330100"))
    assert region.value.reason == "REGION_MISMATCH"
    application = pair.application(request)
    application.materials[1].material = PLAN.replace("341500", "330100")
    with pytest.raises(InvalidArgument):
        await pair.receive(enveloped(application))
    closed = await pair.handling.item(
        **{
            **ITEM,
            "cross_region": item_service_pb2.CrossRegion(mode=pb.CROSS_REGION_MODE_COLLECTED, regions=["330100"]),
        },
        task_code=TASK_CODE[:-1] + "8",
    )
    application = pair.application(request)
    application.task_code = closed.content.task_code
    with pytest.raises(FailedPrecondition) as item:
        await pair.receive(enveloped(application))
    assert item.value.reason == "ITEM_NOT_CROSS_REGION"
    application.task_code = "9999"
    with pytest.raises(FailedPrecondition) as unknown:
        await pair.receive(enveloped(application))
    assert unknown.value.reason == "ITEM_NOT_PUBLISHED"


async def test_nothing_is_sent_for_whose_standing_has_ended_since_their_token_was_made(pair: Pair) -> None:
    """Identity says why, where it is to make the delegation; it is the token that holds no more."""
    pair.home.known.exchange_error = FailedPrecondition("PERSON_NOT_ACTIVE", "merged", person=AGENT)
    with pytest.raises(Unauthenticated) as caught:
        await pair.send()
    assert (caught.value.reason, caught.value.metadata) == ("TOKEN_INVALID", {"rule": "withdrawn"})
    pair.home.known.exchange_error = None
    assert (await pair.send()).name


async def test_nothing_is_sent_under_a_mandate_that_is_not_for_the_region(pair: Pair) -> None:
    """The mandate holds, and so does the token: whoever sends is told what they may not."""
    refusal = PermissionDenied("MANDATE_NOT_FOR_REGION", "not there", mandate=MANDATE, region="320402")
    pair.home.known.exchange_error = refusal
    with pytest.raises(PermissionDenied) as caught:
        await pair.send()
    assert (caught.value.reason, caught.value.metadata) == (refusal.reason, refusal.metadata)
    pair.home.known.exchange_error = None
    assert (await pair.send()).name
