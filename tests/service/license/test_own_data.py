"""Holders are told who used their licences and files, and take home what is held on them."""

import json
from typing import Any

from tests.service.license.conftest import PERSON, STRANGER, License, context, person_holder
from tests.service.license.test_use import get
from tests.support.fakes_license import DEPARTMENT
from tongban.common.v1 import use_pb2
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.owndata.v1 import own_data_service_pb2 as pb
from tongban.owndata.v1.own_data_service_pb2_grpc import OwnDataServiceStub


async def _uses(licensing: License, subject: str = PERSON) -> list[use_pb2.Use]:
    method = OwnDataServiceStub(licensing.service.channel).ListUses
    request = pb.ListUsesRequest(parent="license")
    return list((await licensing.call(method, request, pb.ListUsesResponse, licensing.person(subject, scope="*"))).uses)


async def _file(licensing: License) -> dict[str, Any]:
    method = OwnDataServiceStub(licensing.service.channel).DownloadOwnData
    request = pb.DownloadOwnDataRequest(parent="license")
    given = await licensing.call(method, request, pb.DownloadOwnDataResponse, licensing.person(scope="*"))
    found: dict[str, Any] = json.loads(given.content)
    return found


async def test_the_holder_is_told_of_each_use_and_of_none_of_their_own(licensing: License) -> None:
    made = await licensing.issued(holders=[person_holder()])
    await get(licensing, made.name, licensing.person())
    assert await _uses(licensing) == []
    await get(licensing, made.name, licensing.staff(), use_context=context("核验证照"))
    (use,) = await _uses(licensing)
    assert (use.subject, use.resource, use.way) == (PERSON, made.name, use_pb2.USE_WAY_SHOWN)
    assert [*use.fields] == ["number", "holders", "face_fields"]
    assert (use.use_context.department, use.use_context.purpose) == (DEPARTMENT, "核验证照")
    assert await _uses(licensing, STRANGER) == []


async def test_a_list_by_holder_is_a_use_too(licensing: License) -> None:
    await licensing.issued(holders=[person_holder()])
    request = licenses.ListLicensesRequest(holder=PERSON, use_context=context())
    method = licensing.licenses.ListLicenses
    await licensing.call(method, request, licenses.ListLicensesResponse, licensing.staff())
    assert [[*each.fields] for each in await _uses(licensing)] == [["license.listed"]]


async def test_what_is_held_is_taken_home(licensing: License) -> None:
    made = await licensing.issued(holders=[person_holder()])
    told = await _file(licensing)
    kinds = {each["type"]: each["items"] for each in told["kinds"]}
    assert [each["name"] for each in kinds["tongban.cn/License"]] == [made.name]
    assert kinds["tongban.cn/Material"] == kinds["tongban.cn/Presentation"] == []


async def test_what_is_kept_under_a_former_name_is_theirs_too(licensing: License) -> None:
    """Two accounts became one: uses, numbers and the file tell of both names."""
    made = await licensing.issued(holders=[person_holder()])
    await get(licensing, made.name, licensing.staff(), use_context=context("核验证照"))
    merged = licensing.person(STRANGER, scope="*", former=[PERSON])
    stub = OwnDataServiceStub(licensing.service.channel)
    count = pb.CountHoldingsRequest(parent="license", subject=STRANGER)
    held = await licensing.call(stub.CountHoldings, count, pb.CountHoldingsResponse, merged)
    assert {each.type: each.count for each in held.holdings}["tongban.cn/License"] == 1
    asked = pb.DownloadOwnDataRequest(parent="license", subject=STRANGER)
    told = json.loads((await licensing.call(stub.DownloadOwnData, asked, pb.DownloadOwnDataResponse, merged)).content)
    assert [each["resource"] for each in told["uses"]["items"]] == [made.name]
    (of_licences,) = (each for each in told["kinds"] if each["type"] == "tongban.cn/License")
    assert [each["name"] for each in of_licences["items"]] == [made.name]
