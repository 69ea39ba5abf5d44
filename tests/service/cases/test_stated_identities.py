"""What identity knows of the parties is not for an application to state: name and document are the account's."""

from typing import Any

import pytest

from libs.errors import InvalidArgument
from tests.service.cases.conftest import (
    AGENT,
    AGENT_DOCUMENT,
    FIRM_DOCUMENT,
    PERSON_DOCUMENT,
    Town,
    agent,
    applicant,
    firm,
)
from tests.service.cases.test_separation import _transfer, _window
from tests.support.fakes_cases import Neighbours
from tongban.cases.v1 import exchange_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2


def _with(party: Any, **changes: Any) -> Any:
    """A party of whom something else is stated."""
    for name, value in changes.items():
        if isinstance(value, common_pb2.IdentityDocument):
            getattr(party, name).CopyFrom(value)
        else:
            setattr(party, name, value)
    return party


async def _refused(call: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as refused:
        await call
    return [(each.field, each.rule) for each in refused.value.violations]


@pytest.mark.parametrize("by", ["person", "clerk", "system"])
async def test_a_case_of_one_person_does_not_bear_another(town: Town, by: str) -> None:
    item, token = await town.item(), getattr(town, by)
    stated = [
        _with(applicant(), display_name="测试乙"),
        _with(applicant(), document=AGENT_DOCUMENT),
        _with(applicant(), display_name="测试乙", document=AGENT_DOCUMENT),
        _with(applicant(), subject=AGENT),
    ]
    for each in stated[: 3 if by == "person" else 4]:
        assert await _refused(town.create(item, token, applicant=each)) == [("case.applicant", "identity.account")]
    assert (await town.create(item, token)).applicant.document == PERSON_DOCUMENT


async def test_neither_does_that_of_a_firm_nor_its_agent(town: Town) -> None:
    item = await town.item()
    wrong_firm = town.create(item, town.agent, applicant=_with(firm(), display_name="别家商行"), agent=agent())
    assert await _refused(wrong_firm) == [("case.applicant", "identity.account")]
    wrong_agent = town.create(item, town.agent, applicant=firm(), agent=_with(agent(), display_name="测试甲"))
    assert await _refused(wrong_agent) == [("case.agent", "identity.account")]
    made = await town.create(item, town.agent, applicant=firm(), agent=agent())
    assert made.applicant.document == FIRM_DOCUMENT


async def test_nobody_vouches_to_another_region_for_a_name_that_is_not_so(town: Town) -> None:
    town.known.trusted.add("320402")
    town.known.others["320402"] = town.known
    for field, change in (("applicant", {"display_name": "别家商行"}), ("agent", {"document": PERSON_DOCUMENT})):
        request = _transfer()
        _with(getattr(request, field), **change)
        sent = town.call(town.exchange.SendCaseTransfer, request, exchange_service_pb2.CaseTransfer, _window(town))
        assert await _refused(sent) == [(field, "identity.account")]


async def test_a_person_of_another_region_for_whom_it_never_vouched_is_refused(town: Town) -> None:
    town.known.trusted.add("320402")
    town.known.others["320402"] = Neighbours("320402")
    guest = applicant("//320402/")
    token = town.service.issuer.token(guest.subject, "PERSON", region="320402")
    assert await _refused(town.create(await town.item(), token, applicant=guest)) == [
        ("case.applicant", "identity.account")
    ]


async def test_what_agreed_is_asked_once_a_minute(town: Town) -> None:
    item = await town.item()
    await town.create(item)
    town.known.accounts.clear()
    assert (await town.create(item)).state == pb.CASE_STATE_DRAFT
