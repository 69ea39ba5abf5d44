"""Between application and decision a party may come to bear another name: nothing is granted under the old one."""

from typing import Any

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied, Unavailable
from services.cases.integrations import identity
from tests.service.cases.conftest import (
    AGENT,
    AGENT_DOCUMENT,
    FIRM,
    FIRM_DOCUMENT,
    LICENSE_TYPE,
    PERSON,
    PERSON_DOCUMENT,
    STRANGER,
    Town,
    agent,
    firm,
    request_id,
)
from tests.service.cases.test_licences import FORM, decided, decisions, void
from tests.support.values import messages
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2

GRANTED: dict[str, Any] = {"outcome": pb.OUTCOME_APPROVED}
AWAY = Unavailable("DEPENDENCY_UNAVAILABLE", "away", retry_after=2.0, dependency="database")
MARRIED = party_pb2.Party(subject=PERSON, display_name="测试新", document=PERSON_DOCUMENT)


@pytest.fixture(autouse=True)
def months_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between application and decision lies more than what is believed."""
    monkeypatch.setattr(identity, "_KNOWN_SECONDS", 0.0)


async def reviewed(town: Town) -> pb.Case:
    item = await town.item(license_type=LICENSE_TYPE, form_fields=FORM)
    return await town.review(await town.create(item, form_values=messages(address="示例路1号")))


async def of_firm(town: Town) -> pb.Case:
    case = await town.create(await town.item(), town.agent, applicant=firm(), agent=agent())
    case = await town.step("Submit", case, town.agent)
    for verb in ("Accept", "StartReview"):
        case = await town.step(verb, case)
    return case


async def refused(call: Any) -> str:
    with pytest.raises(FailedPrecondition) as caught:
        await call
    assert caught.value.reason == "CASE_PARTY_CHANGED"
    return caught.value.metadata["party"]


@pytest.mark.parametrize(
    "now",
    [("测试新", PERSON_DOCUMENT.number), ("测试甲", AGENT_DOCUMENT.number), None],
    ids=["name", "document", "gone"],
)
async def test_nothing_is_granted_under_a_name_that_is_no_more(town: Town, now: tuple[str, str] | None) -> None:
    case = await reviewed(town)
    if now is None:
        del town.known.accounts[PERSON]
    else:
        town.known.accounts[PERSON] = now
    for outcome, reason in ((pb.OUTCOME_APPROVED, ""), (pb.OUTCOME_PARTIAL, "部分准予")):
        assert await refused(town.step("Decide", case, outcome=outcome, reason=reason)) == "applicant"
    assert (await town.get(case.name)).state == pb.CASE_STATE_UNDER_REVIEW
    assert await decisions(town) == []
    assert (
        await town.step("Decide", case, outcome=pb.OUTCOME_REJECTED, reason="不符合条件")
    ).state == pb.CASE_STATE_DECIDED


async def test_what_agreed_within_the_minute_is_believed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_KNOWN_SECONDS", 3600.0)
    case = await reviewed(town)
    before = town.known.identities_asked
    await town.step("Decide", case, **GRANTED)
    assert town.known.identities_asked == before


@pytest.mark.parametrize(("subject", "party"), [(FIRM, "applicant"), (AGENT, "agent")])
async def test_of_a_firm_and_of_its_agent_too(town: Town, subject: str, party: str) -> None:
    case = await of_firm(town)
    town.known.accounts[subject] = ("另一名称", town.known.accounts[subject][1])
    assert await refused(town.step("Decide", case, **GRANTED)) == party
    document = FIRM_DOCUMENT if subject == FIRM else AGENT_DOCUMENT
    now = party_pb2.Party(subject=subject, display_name="另一名称", document=document)
    done = await town.step("Decide", case, restated_parties=[now], **GRANTED)
    assert (getattr(done, party).display_name, done.state) == ("另一名称", pb.CASE_STATE_DECIDED)


async def test_an_officer_decides_under_the_name_that_identity_knows(town: Town) -> None:
    case = await reviewed(town)
    town.known.accounts[PERSON] = ("测试新", PERSON_DOCUMENT.number)
    wrong = party_pb2.Party(subject=PERSON, display_name="测试旧", document=PERSON_DOCUMENT)
    assert await refused(town.step("Decide", case, restated_parties=[wrong], **GRANTED)) == "applicant"
    with_reason: dict[str, Any] = {"outcome": pb.OUTCOME_REJECTED, "reason": "不符合条件", "restated_parties": [wrong]}
    assert await refused(town.step("Decide", case, **with_reason)) == "applicant"
    nobody = party_pb2.Party(subject=STRANGER, display_name="测试新", document=PERSON_DOCUMENT)
    with pytest.raises(InvalidArgument, match="FIELD_INVALID"):
        await town.step("Decide", case, restated_parties=[nobody], **GRANTED)
    once = request_id()
    for _ in range(2):  # a repeat gets the first answer, whatever identity says by then
        done = await town.step("Decide", case, restated_parties=[MARRIED], request_id=once, **GRANTED)
        town.known.accounts[PERSON] = ("测试又新", PERSON_DOCUMENT.number)
    assert done.applicant.display_name == "测试新"
    assert [each.display_name for each in done.decision.former_parties] == ["测试甲"]
    (told,) = await decisions(town)
    assert told.holders[0].display_name == "测试新"
    assert town.known.licenses_checked[-1].holders[0].display_name == "测试新"


async def test_while_identity_is_away_nothing_is_granted_and_nothing_is_lost(town: Town) -> None:
    case, once = await reviewed(town), request_id()
    town.known.identity_error = AWAY
    with pytest.raises(Unavailable) as away:
        await town.step("Decide", case, request_id=once, **GRANTED)
    assert (away.value.reason, away.value.metadata) == ("DEPENDENCY_UNAVAILABLE", {"dependency": "identity"})
    assert away.value.retry_after
    assert (await town.get(case.name)).state == pb.CASE_STATE_UNDER_REVIEW
    town.known.identity_error = None
    assert (await town.step("Decide", case, request_id=once, **GRANTED)).state == pb.CASE_STATE_DECIDED


async def test_who_may_not_decide_learns_nothing(town: Town) -> None:
    case = await reviewed(town)
    town.known.accounts[PERSON] = ("测试新", PERSON_DOCUMENT.number)
    with pytest.raises(PermissionDenied, match="NOT_OWNER"):
        await town.step("Decide", case, town.stranger_clerk, **GRANTED)


async def test_a_name_that_changed_before_the_licence_was_made_is_decided_anew(town: Town) -> None:
    case = await decided(town)
    town.known.accounts[PERSON] = ("测试新", PERSON_DOCUMENT.number)
    await void(town, case, "holders[0]: identity.account")
    assert list((await town.get(case.name)).license_failures[0].broken_rules) == ["applicant: identity.account"]
    again = {"reason": "更名", **GRANTED}
    assert await refused(town.step("Redecide", case, town.decider, **again)) == "applicant"
    once = request_id()
    for _ in range(2):
        done = await town.step("Redecide", case, town.decider, restated_parties=[MARRIED], request_id=once, **again)
    assert [each.display_name for each in done.decision.former_parties] == ["测试甲"]
    assert (await decisions(town))[-1].holders[0].display_name == "测试新"
