"""What is one's own in both regions is one list at either gateway, by the tokens that the regions really give each other."""

import pytest

from deploy.local.demo.people import Registry
from tests.support.case_runs import application
from tests.support.regions import PLAIN, Regions
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_firms_cases_of_both_regions_are_one_list(regions: Regions) -> None:
    home, handling = regions.home, regions.handling
    registry = Registry(home, 61)
    firm = await registry.firm(await registry.person())
    own = home.gateway.human(home.channel, firm.representative.name, "PERSON", acr="4")
    acting = own.on_behalf_of(firm.name)
    guest = acting.in_region(handling.gateway.region, handling.gateway.id)
    wanted = application(handling, PLAIN, firm)
    wanted.case.channel = pb.CHANNEL_WEB
    wanted.case.applicant.subject = f"//{home.gateway.id}/{firm.name}"
    made = await guest.call(wanted, pb.Case)
    why = common_pb2.UseContext(purpose_code="OWN_USE", purpose="查询本人办件")
    page = await acting.cases.list_cases(use_context=why, regions=[handling.gateway.id, "999999"])
    assert [case.name for case in page.cases] == [f"//{handling.gateway.id}/{made.name}"]
    assert page.cases[0].applicant.subject == firm.name
    assert (list(page.unreachable), page.next_page_token) == (["999999"], "")
    # By JSON too; and who does not act for the firm does not find it.
    body = {"useContext": {"purposeCode": "OWN_USE", "purpose": "查询"}, "regions": [handling.gateway.id]}
    told = await home.gateway.post("/v1/cases:read", body, await acting.token())
    assert [case["name"] for case in told["cases"]] == [f"//{handling.gateway.id}/{made.name}"]
    stranger = home.gateway.human(home.channel, (await registry.person()).name, "PERSON", acr="4")
    nothing = await stranger.cases.list_cases(use_context=why, regions=[handling.gateway.id])
    assert (list(nothing.cases), list(nothing.unreachable)) == ([], [])
