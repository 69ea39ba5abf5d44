"""Suspending a region's trust stops its calls: new assertions at once, calls under tokens given before within seconds."""

import time

import pytest

from deploy.local.demo.application import PURPOSE, SEED, eventually
from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import firms_to_come
from libs.errors import TongbanError
from libs.ids.uuid7 import uuid7
from tests.support.regions import Regions
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import region_service_pb2, resources_pb2
from tongban.sharing.v1 import data_service_pb2
from tongban.sharing.v1 import resources_pb2 as sharing

pytestmark = pytest.mark.asyncio(loop_scope="session")

_INBOUND = resources_pb2.TRUST_DIRECTION_INBOUND
_KEPT_AT_MOST = 10.0
"""Seconds that a service may keep what it was told of a region (RegionService.ResolveRegion)."""


async def _suspend(office: Office, other: str) -> resources_pb2.Region:
    request = region_service_pb2.SuspendRegionRequest(
        name=f"regions/{other}", direction=_INBOUND, reason="演练", request_id=request_id()
    )
    return await office.gateway.using(await office.admin_token()).call(request, resources_pb2.Region)


async def _resume(office: Office, other: str) -> resources_pb2.Region:
    found = resources_pb2.Region()
    for administrator in ("administration", "administration2"):
        request = region_service_pb2.ResumeRegionRequest(
            name=f"regions/{other}", direction=_INBOUND, reason="演练结束", request_id=request_id()
        )
        token = await office.token_of(administrator)
        found = await office.gateway.using(token).call(request, resources_pb2.Region)
    return found


async def _exchange(regions: Regions) -> str:
    """What an officer of 天宁 comes to who asks 六安 for a token: OK or the reason."""
    try:
        await regions.handling.token_in(regions.home.gateway, "data")
    except TongbanError as error:
        return error.reason
    return "OK"


async def _query(regions: Regions) -> str:
    """What a query from 天宁 for 六安's data comes to, made by 天宁's sharing service under its own token."""
    gateway, department = regions.handling.gateway, regions.handling.department
    uscc = firms_to_come(SEED, regions.home.gateway.code[:2], 1)[0][0]
    request = data_service_pb2.QueryRequest(
        resource=f"//{regions.home.gateway.code}/{regions.resource}",
        fields=["credit_grade"],
        conditions=[data_service_pb2.KeyCondition(field="uscc", values=[sharing.Value(string_value=uscc)])],
        use_context=common_pb2.UseContext(
            purpose=PURPOSE,
            case_name=f"//{gateway.code}/cases/{uuid7()}",
            legal_basis="申请人授权",
            department=department,
        ),
    )
    try:
        token = await regions.handling.token_of("reviewing")
        await gateway.using(token).call(request, data_service_pb2.QueryResponse)
    except TongbanError as error:
        return error.reason
    return "OK"


async def test_suspended_trust_stops_calls_and_resumed_trust_lets_them_pass(regions: Regions) -> None:
    other = regions.handling.gateway.code
    assert (await _exchange(regions), await _query(regions)) == ("OK", "OK")
    assert (await _suspend(regions.home, other)).state == resources_pb2.REGION_STATE_INBOUND_SUSPENDED
    began = time.monotonic()
    try:
        assert await _exchange(regions) == "REGION_NOT_TRUSTED"
        await eventually(lambda: _query(regions), lambda reason: reason == "REGION_NOT_TRUSTED", "the query refused")
        assert time.monotonic() - began <= _KEPT_AT_MOST + 1
    finally:
        assert (await _resume(regions.home, other)).state == resources_pb2.REGION_STATE_ACTIVE
    assert await _exchange(regions) == "OK"
    await eventually(lambda: _query(regions), lambda reason: reason == "OK", "the query let through again")
