"""An item says how new the sign-in of who submits must be (RFC 9470): whose it is, and by which moment it is measured."""

import time
from typing import Any

import pytest

from libs.errors import Unauthenticated
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DEPARTMENT,
    FIRM,
    MANDATE,
    PERSON,
    Town,
    agent,
    firm,
    request_id,
)
from tests.service.cases.pairs import ITEM, Pair, pair
from tests.support.refusing import refused
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

__all__ = ["pair"]
pytestmark = pytest.mark.asyncio
MOST, LEEWAY = 300, 60
TOO_OLD = "AUTHENTICATION_TOO_OLD"


def _ago(seconds: int) -> int:
    return int(time.time()) - seconds


def _person(town: Town, **claims: Any) -> str:
    return town.service.issuer.token(PERSON, "PERSON", **claims)


async def test_who_signed_in_too_long_ago_signs_in_again_and_submits_the_same_draft(town: Town) -> None:
    draft = await town.create(await town.item(max_auth_age_seconds=MOST))
    for told in (_ago(MOST + LEEWAY + 30), 0, None):
        with pytest.raises(Unauthenticated) as caught:
            await town.step("Submit", draft, _person(town, auth_time=told))
        assert (caught.value.reason, caught.value.metadata) == (TOO_OLD, {"max_auth_age": str(MOST)})
    assert (await town.get(draft.name)).state == pb.CASE_STATE_DRAFT
    asked = request_id()
    taken = await town.step("Submit", draft, _person(town, auth_time=_ago(MOST - 60)), request_id=asked)
    assert taken.state == pb.CASE_STATE_SUBMITTED
    # What was done is told again, whatever has grown old since.
    again = await town.step("Submit", draft, _person(town, auth_time=1), request_id=asked)
    assert again.number == taken.number


async def test_an_item_that_says_nothing_takes_any_sign_in_and_machines_have_none(town: Town) -> None:
    draft = await town.create(await town.item())
    assert (await town.step("Submit", draft, _person(town, auth_time=None))).state == pb.CASE_STATE_SUBMITTED
    strict = await town.item(max_auth_age_seconds=1, task_code="11341500MB1234567X4123456789019")
    by_machine = await town.create(strict, town.system, channel=pb.CHANNEL_API)
    assert (await town.step("Submit", by_machine, town.system)).state == pb.CASE_STATE_SUBMITTED


async def test_for_a_firm_it_is_the_agent_who_must_have_signed_in(town: Town) -> None:
    item = await town.item(max_auth_age_seconds=MOST)
    said: dict[str, Any] = {"org": FIRM, "mandate": MANDATE}
    draft = await town.create(item, town.agent, applicant=firm(), agent=agent())
    old = town.service.issuer.token(AGENT, "PERSON", auth_time=_ago(3600), **said)
    assert await refused(town.step("Submit", draft, old)) == TOO_OLD
    assert (await town.step("Submit", draft, town.agent)).state == pb.CASE_STATE_SUBMITTED


async def test_at_a_window_the_token_tells_the_older_sign_in_of_both(town: Town) -> None:
    """Identity puts the older one into the token (decision 0059): a clerk makes nobody's sign-in younger, and no one theirs."""
    item = await town.item(max_auth_age_seconds=MOST)
    said: dict[str, Any] = {"act": {"sub": CLERK}, "dept": DEPARTMENT}
    draft = await town.create(item, town.service.issuer.token(PERSON, "STAFF", **said), channel=pb.CHANNEL_WINDOW)
    old = town.service.issuer.token(PERSON, "STAFF", auth_time=_ago(3600), **said)
    assert await refused(town.step("Submit", draft, old)) == TOO_OLD
    new = town.service.issuer.token(PERSON, "STAFF", auth_time=_ago(60), **said)
    assert (await town.step("Submit", draft, new)).state == pb.CASE_STATE_SUBMITTED


async def test_it_goes_with_the_item_from_draft_to_the_next_version(town: Town) -> None:
    first = await town.item(max_auth_age_seconds=MOST)
    read = item_service_pb2.GetServiceItemRequest(name=first.name)
    found = await town.call(town.items.GetServiceItem, read, item_service_pb2.ServiceItem, town.person)
    assert found.content.max_auth_age_seconds == MOST
    running = await town.create(first)
    await town.item(max_auth_age_seconds=0)
    # Whoever began under the first version is asked what that one says.
    assert await refused(town.step("Submit", running, _person(town, auth_time=1))) == TOO_OLD
    assert await refused(town.item(max_auth_age_seconds=-1)) == "FIELD_INVALID"


async def _abroad(pair: Pair, **claims: Any) -> rpc.CaseTransfer:
    """What becomes of an application that 六安's window sends for an agent with such a sign-in."""
    said = {"org": FIRM, "mandate": MANDATE, "act": {"sub": CLERK}, "dept": DEPARTMENT, **claims}
    sent = await pair.send(token=pair.home.service.issuer.token(AGENT, "STAFF", **said))
    await pair.carry()
    return await pair.transfer(pair.home, sent.name)


async def test_over_the_border_the_moment_counts_at_which_it_was_asked_for(pair: Pair) -> None:
    """The other region may be away for days: whoever was new enough when they applied is not sent away for it."""
    await pair.handling.item(max_auth_age_seconds=MOST, **ITEM)
    pair.home.known.kept_for = 7200
    found = await _abroad(pair, auth_time=_ago(7200 + MOST - 60))
    assert (found.state, found.end_reason) == (rpc.CASE_TRANSFER_STATE_ACCEPTED, "")
    found = await _abroad(pair, auth_time=_ago(7200 + MOST + LEEWAY + 30))
    assert (found.state, found.end_reason) == (rpc.CASE_TRANSFER_STATE_FAILED, TOO_OLD)


async def test_what_is_too_old_over_there_is_not_tried_again_and_the_person_can_apply_anew(pair: Pair) -> None:
    await pair.handling.item(max_auth_age_seconds=MOST, **ITEM)
    for told in (_ago(3600), None):
        found = await _abroad(pair, auth_time=told)
        assert (found.state, found.end_reason) == (rpc.CASE_TRANSFER_STATE_FAILED, TOO_OLD)
        assert found.waiting_reason == ""
    assert pair.handling.known.calls.count("ReceiveCaseTransfer") == 2
    assert (await _abroad(pair, auth_time=_ago(60))).state == rpc.CASE_TRANSFER_STATE_ACCEPTED


async def test_of_a_region_of_before_the_moment_counts_at_which_it_came(pair: Pair) -> None:
    await pair.handling.item(max_auth_age_seconds=MOST, **ITEM)
    pair.home.known.tells_delegated, pair.home.known.kept_for = False, 7200
    assert (await _abroad(pair, auth_time=_ago(7200))).end_reason == TOO_OLD
    assert (await _abroad(pair, auth_time=_ago(60))).state == rpc.CASE_TRANSFER_STATE_ACCEPTED
    # Where it is kept here and judged later, its token tells when it came.
    request = pair.request()
    came = _ago(500)
    for told, becomes in ((came - MOST - LEEWAY - 30, TOO_OLD), (came - MOST, "")):
        token = pair.guest(now=came, auth_time=told)
        assert await refused(pair.receive(pair.message(request), token)) == becomes
