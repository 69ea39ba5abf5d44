"""A region whose id is no code issues, verifies and presents: what is named takes the id, what is printed the code of the day."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest_asyncio

from libs.clock import FakeClock
from libs.config import DivisionCode, RegionConfig
from services.license.core.qr import parse_qr
from tests.service.license.conftest import OTHER_DEPARTMENT, License, context
from tests.service.license.presenting import OUR_CASE, agent, create, redeem
from tests.support.fakes_license import neighbours
from tests.support.service import Ground, serving
from tongban.license.v1 import verification_service_pb2 as api

WANZHI = RegionConfig(
    id="wanzhi",
    name="芜湖市湾沚区",
    codes=(
        DivisionCode(code="340221", end=date(2020, 7, 15)),
        DivisionCode(code="340210", begin=date(2020, 7, 16)),
    ),
)


@pytest_asyncio.fixture
async def licensing(ground: Ground) -> AsyncIterator[License]:
    """The service of 湾沚区."""
    clock = FakeClock(datetime(2024, 5, 6, 2, 0, tzinfo=UTC))
    async with (
        neighbours() as known,
        serving(ground, "license", clock, prepare=known.put_into, region=WANZHI) as service,
    ):
        yield License(service, known, clock)


async def test_the_number_has_the_code_of_the_day_and_the_qr_code_the_id(licensing: License) -> None:
    made = await licensing.issued()
    assert made.number.startswith("34021020240506")
    assert parse_qr(made.qr_content).region_code == "wanzhi"
    answer = await licensing.verify(qr_content=made.qr_content)
    assert (answer.standing, answer.region) == (api.STANDING_VALID, "wanzhi")


async def test_a_code_names_the_region_and_is_redeemed_there(licensing: License) -> None:
    made = await licensing.issued()
    verifier = f"//wanzhi/{OTHER_DEPARTMENT}"
    presented = await create(licensing, agent(licensing), made.name, verifier=verifier, use_context=context("贷款"))
    assert presented.code.startswith("wanzhi-")
    clerk = licensing.staff(OTHER_DEPARTMENT)
    found = await redeem(licensing, clerk, code=presented.code, use_context=context("贷款", case=OUR_CASE))
    assert [each.license.name for each in found.licenses] == [made.name]
