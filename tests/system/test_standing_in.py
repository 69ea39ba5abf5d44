"""A member of staff is away, and a colleague stands in for them: through the gateway, on two replicas of each service."""

import asyncio
import time
import uuid
from datetime import timedelta

import pytest

from deploy.local.demo.office import DUTIES, Office
from libs.errors import TongbanError
from tests.support.patience import PATIENCE
from tests.support.regions import OPENING, Regions
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _post(office: Office, duty: str) -> str:
    admin = office.gateway.using(await office.admin_token())
    listed = await admin.call(pb.ListPostsRequest(parent=office.department, page_size=1000), pb.ListPostsResponse)
    return next(each.name for each in listed.posts if each.display_name == DUTIES[duty][0])


async def test_a_colleague_stands_in_until_it_is_ended(regions: Regions) -> None:
    office = regions.handling
    away, substitute = office.staff["reviewing"], office.staff["deciding"]
    draft = resources_pb2.Substitution(
        represented=away, substitute=substitute, posts=[await _post(office, "reviewing")]
    )
    draft.end_time.FromDatetime(OPENING + timedelta(days=80))
    arranged = await office.gateway.using(await office.token_of("security")).call(
        pb.CreateSubstitutionRequest(substitution=draft, request_id=str(uuid.uuid4())), resources_pb2.Substitution
    )
    channel = office.gateway.region.as_client(office.channel)
    hat = channel.asserting(substitute, "STAFF", substitution=arranged.name, acr="4", auth_time=int(time.time()))
    mine = pb.ListSubstitutionsRequest(filter="state = SUBSTITUTION_STATE_ACTIVE")
    assert [each.name for each in (await hat.call(mine, pb.ListSubstitutionsResponse)).substitutions] == [arranged.name]
    given = office.gateway.using(await hat.caller.tokens.token())
    # Who is away sees it too, and ends it; the token that was given is refused at every replica within seconds.
    own = office.gateway.using(await office.token_of("reviewing"))
    ended = await own.call(
        pb.RevokeSubstitutionRequest(name=arranged.name, request_id=str(uuid.uuid4())), resources_pb2.Substitution
    )
    assert ended.state == resources_pb2.SUBSTITUTION_STATE_REVOKED

    async def refused() -> str:
        try:
            await given.call(mine, pb.ListSubstitutionsResponse)
        except TongbanError as error:
            return error.reason
        return ""

    in_a_row = 0
    async with asyncio.timeout(PATIENCE):
        while in_a_row < 4:
            in_a_row = in_a_row + 1 if await refused() == "TOKEN_INVALID" else 0
    with pytest.raises(TongbanError) as told:
        await channel.asserting(substitute, "STAFF", substitution=arranged.name, acr="4").caller.tokens.token()
    assert told.value.reason == "SUBSTITUTION_NOT_ACTIVE"
