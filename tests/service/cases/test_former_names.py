"""Whose account took another one in finds the cases of the former name, and goes on with them."""

import pytest

from libs.errors import NotFound, PermissionDenied
from tests.service.cases.conftest import AGENT, MANDATE, PERSON, Town
from tongban.cases.v1 import case_service_pb2 as rpc

NOW = "persons/00000000-0000-7000-8000-0000000000c9"


async def _names(town: Town, token: str) -> list[str]:
    answer = await town.call(town.cases.ListCases, rpc.ListCasesRequest(), rpc.ListCasesResponse, token)
    return [each.name for each in answer.cases]


async def test_a_case_of_a_former_name_is_found_read_and_gone_on_with(town: Town) -> None:
    case = await town.create(await town.item())
    token = town.service.issuer.token(NOW, "PERSON", former=[PERSON])
    assert await _names(town, token) == [case.name]
    assert (await town.get(case.name, token)).applicant.subject == PERSON
    unmerged = town.service.issuer.token(NOW, "PERSON")
    assert await _names(town, unmerged) == []
    with pytest.raises(NotFound):
        await town.get(case.name, unmerged)


async def test_who_acts_under_a_mandate_is_named_as_the_agent_under_a_former_name_too(town: Town) -> None:
    token = town.service.issuer.token(AGENT, "PERSON", org=NOW, org_former=[PERSON], mandate=MANDATE)
    with pytest.raises(PermissionDenied) as refused:
        await town.create(await town.item(), token)
    assert refused.value.reason == "CASE_MANDATE_NOT_COVERING"
