"""What somebody may in a colleague's post is told as a token of the substitution would have it."""

import pytest

from tests.support.substituting import Substitutions
from tests.support.town import Town, reason_of
from tongban.identity.v1 import access_service_pb2 as pb
from tongban.identity.v1 import access_service_pb2_grpc

pytestmark = pytest.mark.asyncio(loop_scope="module")
REVIEW = "tongban.cases.v1.CaseService.StartReview"
NONE = "substitutions/00000000-0000-7000-8000-0000000000aa"


async def _ask(home: Town, principal: str, substitution: str = "") -> pb.ExplainAccessResponse:
    stub = access_service_pb2_grpc.AccessServiceStub(home.service.channel)
    request = pb.ExplainAccessRequest(principal=principal, method=REVIEW, substitution=substitution)
    return await home.call(stub.ExplainAccess, request, pb.ExplainAccessResponse, await home.staff_token("auditing"))


async def test_a_substitute_may_what_the_post_gives_while_it_holds(home: Town) -> None:
    stand_ins = Substitutions(home)
    away, substitute = await stand_ins.member("reviewing"), await stand_ins.member("reviewing")
    other = await stand_ins.member()
    made = await stand_ins.arrange(away, other, home.posts["reviewing"])
    assert (await _ask(home, other)).outcome == pb.ACCESS_OUTCOME_REFUSED
    told = await _ask(home, other, made.name)
    assert told.outcome == pb.ACCESS_OUTCOME_POSSIBLE
    (permission,) = [each for each in told.findings if each.rule == pb.ACCESS_RULE_PERMISSION]
    assert [*permission.sources] == [home.posts["reviewing"], made.name]
    (hat,) = [each for each in told.findings if each.rule == pb.ACCESS_RULE_SUBSTITUTION]
    assert (hat.fulfilled, hat.actual, [*hat.sources]) == (True, away, [made.name])
    assert await reason_of(_ask(home, substitute, made.name)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_ask(home, other, NONE)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_ask(home, await home.person(), made.name)) == "FIELD_INVALID"
    await stand_ins.revoke(made.name, await home.admin_token())
    ended = await _ask(home, other, made.name)
    assert [each.fulfilled for each in ended.findings] == [False]
