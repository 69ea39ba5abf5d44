"""Stopped and started again, both regions know everything they knew: a case, its licence, its sealed file, every row."""

import asyncio

import pytest

from deploy.local.demo.gateway import Gateway
from deploy.local.regions import TIANNING
from tests.support.case_runs import CaseRun
from tests.support.process import until
from tests.support.regions import YIELDING, Regions, events_told, gateway_of, rows_by_table
from tests.support.verification import qr_content_of
from tongban.cases.v1 import resources_pb2 as cases
from tongban.license.v1 import verification_service_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def _standing(gateway: Gateway, qr_content: str) -> int:
    request = verification_service_pb2.VerifyLicenseRequest(qr_content=qr_content)
    answer = await gateway.region.call(request, verification_service_pb2.VerifyLicenseResponse)
    return int(answer.standing)


async def test_stopping_and_starting_again_loses_nothing(regions: Regions) -> None:
    office, code = regions.handling, regions.handling.gateway.id
    run = CaseRun(office, YIELDING)
    await run.run(1, seed=7)
    case = await run.closed()
    content = await qr_content_of(office, case.results[0].license)
    await until(lambda: events_told(regions.state, code))
    before = await rows_by_table(regions.state, code)
    url = office.gateway.url
    await asyncio.to_thread(regions.cluster.stop)
    await asyncio.to_thread(regions.cluster.start)
    assert office.gateway.url == url
    again = gateway_of(TIANNING, regions.cluster)
    try:
        assert await _standing(again, content) == verification_service_pb2.STANDING_VALID
    finally:
        await again.close()
    after = await run.closed()
    assert (after.results, after.state, after.etag) == (case.results, cases.CASE_STATE_CLOSED, case.etag)
    assert await rows_by_table(regions.state, code) == before
