"""Who applied for something is told who opened their case, and takes home what is held on it."""

import json
from typing import Any

from tests.service.cases.conftest import DEPARTMENT, PERSON, STRANGER, Town
from tongban.common.v1 import use_pb2
from tongban.owndata.v1 import own_data_service_pb2 as pb
from tongban.owndata.v1.own_data_service_pb2_grpc import OwnDataServiceStub


def _own(town: Town, person: str) -> str:
    return town.service.issuer.token(person, "PERSON", "owndata.*", acr=4)


async def _uses(town: Town, person: str = PERSON) -> list[use_pb2.Use]:
    method, request = OwnDataServiceStub(town.service.channel).ListUses, pb.ListUsesRequest(parent="cases")
    return list((await town.call(method, request, pb.ListUsesResponse, _own(town, person))).uses)


async def test_the_applicant_is_told_which_office_opened_the_case(town: Town) -> None:
    case = await town.create(await town.item())
    before = len(await _uses(town))
    await town.get(case.name, town.clerk)
    told = await _uses(town)
    assert len(told) == before + 1
    assert (told[0].resource, told[0].subject, [*told[0].fields]) == (case.name, PERSON, ["case"])
    assert told[0].use_context.department == DEPARTMENT
    assert await _uses(town, STRANGER) == []


async def test_what_is_held_is_taken_home(town: Town) -> None:
    case = await town.create(await town.item())
    method = OwnDataServiceStub(town.service.channel).DownloadOwnData
    request = pb.DownloadOwnDataRequest(parent="cases")
    given = await town.call(method, request, pb.DownloadOwnDataResponse, _own(town, PERSON))
    told: dict[str, Any] = json.loads(given.content)
    kinds = {each["type"]: each["items"] for each in told["kinds"]}
    assert [each["name"] for each in kinds["tongban.cn/Case"]] == [case.name]
    assert given.complete
