"""ExplainAccess: what it says is what happens when somebody calls, and nothing of it is told to who may not ask."""

from dataclasses import dataclass
from typing import Any

import pytest

from libs.errors import NotFound, PermissionDenied, TongbanError
from libs.rpc.contract import Method, methods_of
from tests.support.client_keys import new_key, public_jwk
from tests.support.silence import records
from tests.support.town import Town, request_id
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import access_service_pb2 as pb
from tongban.identity.v1 import (
    access_service_pb2_grpc,
    account_service_pb2,
    client_service_pb2,
    mandate_service_pb2,
    region_service_pb2,
    resources_pb2,
    staff_service_pb2,
)
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
CASES, IDENTITY = "tongban.cases.v1.CaseService", "tongban.identity.v1"
POSSIBLE, REFUSED = pb.ACCESS_OUTCOME_POSSIBLE, pb.ACCESS_OUTCOME_REFUSED


@dataclass
class Asking:
    """Somebody who asks."""

    town: Town

    async def ask(self, principal: str, method: str, token: str = "", **more: Any) -> pb.ExplainAccessResponse:
        """Asks, by default as the administrator's client."""
        stub = access_service_pb2_grpc.AccessServiceStub(self.town.service.channel)
        request = pb.ExplainAccessRequest(principal=principal, method=method, **more)
        token = token or await self.town.admin_token()
        return await self.town.call(stub.ExplainAccess, request, pb.ExplainAccessResponse, token)

    async def told(self, principal: str, method: str, **more: Any) -> dict[str, str]:
        """What came of each rule: empty where it holds, else the reason."""
        answer = await self.ask(principal, method, **more)
        found = {_rule(each): _reason(each) for each in answer.findings}
        assert (answer.outcome == POSSIBLE) == (not any(found.values()))
        return found


def _rule(finding: pb.AccessFinding) -> str:
    return pb.AccessRule.Name(finding.rule).removeprefix("ACCESS_RULE_")


def _reason(finding: pb.AccessFinding) -> str:
    assert finding.fulfilled == (finding.reason == 0)
    return "" if finding.fulfilled else error_reason_pb2.ErrorReason.Name(finding.reason).removeprefix("ERROR_REASON_")


def _finding(answer: pb.ExplainAccessResponse, rule: "pb.AccessRule.ValueType") -> pb.AccessFinding:
    (found,) = [each for each in answer.findings if each.rule == rule]
    return found


@pytest.fixture
def asking(home: Town) -> Asking:
    return Asking(home)


async def test_staff_may_by_their_posts_and_are_told_by_which(asking: Asking) -> None:
    town = asking.town
    answer = await asking.ask(town.staff["receiving"], f"{CASES}.AcceptCase")
    assert answer.outcome == POSSIBLE
    permission = _finding(answer, pb.ACCESS_RULE_PERMISSION)
    assert (permission.required, list(permission.sources)) == ("cases.cases.accept", [town.posts["receiving"]])


async def test_staff_whose_duty_is_another_are_told_what_is_missing(asking: Asking) -> None:
    found = await asking.told(asking.town.staff["reviewing"], f"{CASES}.AcceptCase")
    assert {rule for rule, reason in found.items() if reason} == {"PERMISSION"}
    assert found["PERMISSION"] == "PERMISSION_MISSING"


async def test_no_rule_hides_the_next(asking: Asking) -> None:
    """A person who asks for what staff do as human beings fails by kind and by permission, and is told both."""
    person = await asking.town.person()
    found = await asking.told(person, f"{CASES}.AcceptCase")
    assert (found["ACTOR_KIND"], found["PERMISSION"]) == ("ACTOR_NOT_ALLOWED", "PERMISSION_MISSING")


async def test_a_person_who_is_not_known_well_enough(asking: Asking) -> None:
    person = await asking.town.person(verified=False)
    answer = await asking.ask(person, f"{IDENTITY}.MandateService.CreateMandate")
    level = _finding(answer, pb.ACCESS_RULE_ASSURANCE)
    assert (level.required, level.actual, _reason(level)) == ("3", "0", "ASSURANCE_TOO_LOW")
    assert answer.max_auth_age_seconds == 900


async def test_a_channels_ceiling_counts_where_it_is_named(asking: Asking) -> None:
    """What is explained is what a call at that channel meets; elsewhere the person may."""
    town, person = asking.town, await asking.town.person()
    low = await _channel(town, max_assurance=2)
    method = f"{IDENTITY}.MandateService.CreateMandate"
    assert not any((await asking.told(person, method)).values())
    found = await asking.told(person, method, client=low)
    assert (found["CHANNEL"], found["ASSURANCE"]) == ("", "ASSURANCE_TOO_LOW")


async def test_a_channel_that_waits_speaks_for_nobody(asking: Asking) -> None:
    waiting = await _channel(asking.town, approved=False)
    found = await asking.told(await asking.town.person(), f"{CASES}.CreateCase", client=waiting)
    assert found["CHANNEL"] == "CLIENT_NOT_ACTIVE"


async def test_a_suspended_client_has_no_standing(asking: Asking) -> None:
    town, name = asking.town, await _channel(asking.town)
    token = await town.admin_token()
    request = client_service_pb2.SuspendClientRequest(name=name, reason="misused", request_id=request_id())
    assert "ACCOUNT" in await asking.told(name, f"{IDENTITY}.VerificationService.RecordVerification")
    await town.call(town.clients.SuspendClient, request, resources_pb2.Client, token)
    assert await asking.told(name, f"{IDENTITY}.VerificationService.RecordVerification") == {
        "ACCOUNT": "CLIENT_NOT_ACTIVE"
    }


async def test_a_mandate_lets_its_agent_do_what_it_says_and_ends(asking: Asking) -> None:
    town = asking.town
    principal, agent = await town.person(), await town.person()
    token = await town.human_token(principal)
    mandate = await town.mandate(principal, agent, token)
    acting: dict[str, Any] = {"on_behalf_of": principal, "mandate": mandate.name, "item_codes": ["ITEM-1"]}
    create = f"{CASES}.CreateCase"
    answer = await asking.ask(agent, create, **acting)
    scope = _finding(answer, pb.ACCESS_RULE_MANDATE_SCOPE)
    assert (answer.outcome, scope.required, list(scope.sources)) == (POSSIBLE, "APPLY", [mandate.name])
    other = await asking.told(agent, create, **{**acting, "item_codes": ["ITEM-2"]})
    assert other["MANDATE_SCOPE"] == "MANDATE_OUT_OF_SCOPE"
    revoke = mandate_service_pb2.RevokeMandateRequest(name=mandate.name, reason="it is over", request_id=request_id())
    await town.call(town.mandates.RevokeMandate, revoke, resources_pb2.Mandate, token)
    assert (await asking.told(agent, create, **acting))["ACTING"] == "MANDATE_NOT_ACTIVE"


async def test_what_was_passed_on_is_told_with_its_chain_kind_and_regions(asking: Asking) -> None:
    town = asking.town
    principal, between, agent = [await town.person() for _ in range(3)]
    regions = resources_pb2.MandateRegions(regions=["330102", "320402"])
    limits = [resources_pb2.MandateLimit(regions=regions)]
    token = await town.human_token(principal)
    parent = await town.mandate(principal, between, token, sub_delegable=True, limits=limits, seconds=90_000)
    narrower = [resources_pb2.MandateLimit(regions=resources_pb2.MandateRegions(regions=["320402"]))]
    child = await town.mandate(principal, agent, await town.human_token(between), parent=parent.name, limits=narrower)
    acting: dict[str, Any] = {"on_behalf_of": principal, "mandate": child.name, "item_codes": ["ITEM-1"]}
    answer = await asking.ask(agent, f"{CASES}.CreateCase", **acting)
    found = _finding(answer, pb.ACCESS_RULE_ACTING)
    assert (answer.outcome, found.actual, list(found.sources)) == (
        POSSIBLE,
        "MANDATE HELPER",
        [child.name, parent.name],
    )
    assert _finding(answer, pb.ACCESS_RULE_MANDATE_REGIONS).actual == "320402"
    assert list(_finding(answer, pb.ACCESS_RULE_MANDATE_SCOPE).sources) == [child.name, parent.name]
    revoke = mandate_service_pb2.RevokeMandateRequest(name=parent.name, reason="it is over", request_id=request_id())
    await town.call(town.mandates.RevokeMandate, revoke, resources_pb2.Mandate, token)
    assert (await asking.told(agent, f"{CASES}.CreateCase", **acting))["ACTING"] == "MANDATE_NOT_ACTIVE"


async def test_who_represents_a_firm_needs_no_mandate_and_others_do(asking: Asking) -> None:
    town = asking.town
    person, other = await town.person(), await town.person()
    firm = await town.firm(person)
    answer = await asking.ask(person, f"{CASES}.CreateCase", on_behalf_of=firm.name)
    assert _finding(answer, pb.ACCESS_RULE_ACTING).actual == "LEGAL_REPRESENTATIVE"
    found = await asking.told(other, f"{CASES}.CreateCase", on_behalf_of=firm.name)
    assert found["ACTING"] == "NOT_LEGAL_REPRESENTATIVE"


@pytest.mark.parametrize("post", ["receiving", "reviewing", "administration", "auditing"])
async def test_it_says_of_every_rpc_here_what_its_server_does(asking: Asking, post: str) -> None:
    """An empty request is refused for exactly the rule that is told first, or gets through to what is behind the stages."""
    town, token = asking.town, await asking.town.staff_token(post)
    differing = []
    for method in _of_people():
        found = await asking.told(town.staff[post], method.name)
        told = next((reason for reason in found.values() if reason), "")
        met = await _refusal(town, method, token)
        if met != told and (told or met not in _BEHIND):
            differing.append((method.name, told, met))
    assert differing == []


_BEHIND = {"", "FIELD_INVALID"}


def _of_people() -> list[Method]:
    """The RPCs of identity that people's clients call, each with one request and one answer."""
    files = [account_service_pb2, client_service_pb2, mandate_service_pb2, region_service_pb2, staff_service_pb2, pb]
    services = [each for file in files for each in file.DESCRIPTOR.services_by_name.values()]
    methods = [method for service in services for method in methods_of(service)]
    return [each for each in methods if each.for_fronts and not each.access.public and not each.streams]


async def _refusal(town: Town, method: Method, token: str) -> str:
    stub = town.service.channel.unary_unary(
        method.path,
        request_serializer=method.request_type.SerializeToString,
        response_deserializer=method.response_type.FromString,
    )
    try:
        await town.call(stub, method.request_type(), method.response_type, token)
    except TongbanError as error:
        return error.reason
    return ""


async def test_people_and_staff_of_other_duties_may_not_ask(asking: Asking) -> None:
    town, person = asking.town, await asking.town.person()
    for token in (await town.human_token(person), await town.staff_token("receiving")):
        with pytest.raises(PermissionDenied):
            await asking.ask(person, f"{CASES}.CreateCase", token=token)


async def test_an_answer_is_on_record(asking: Asking) -> None:
    person = await asking.town.person()
    before = len(await records(asking.town.service))
    await asking.ask(person, f"{CASES}.CreateCase")
    assert len(await records(asking.town.service)) == before + 1


async def test_nobody_is_told_of(asking: Asking) -> None:
    nobody = "persons/00000000-0000-4000-8000-000000000000"
    with pytest.raises(NotFound):
        await asking.ask(nobody, f"{CASES}.CreateCase")
    with pytest.raises(NotFound):
        await asking.ask(await asking.town.person(), f"{CASES}.CreateCase", client="clients/nobody")


@pytest.mark.parametrize(
    ("field", "request_fields"),
    [
        ("method", {"principal": "staff", "method": f"{CASES}.AcceptNothing"}),
        ("client", {"principal": "client", "client": "clients/window"}),
        ("on_behalf_of", {"principal": "staff", "on_behalf_of": "persons/00000000-0000-4000-8000-000000000000"}),
        ("mandate", {"principal": "staff", "mandate": "mandates/00000000-0000-4000-8000-000000000000"}),
    ],
)
async def test_what_does_not_go_together_is_named(asking: Asking, field: str, request_fields: dict[str, str]) -> None:
    whose = {"staff": asking.town.staff["receiving"], "client": "clients/window"}
    asked = {"method": f"{CASES}.AcceptCase", **request_fields}
    asked["principal"] = whose[asked["principal"]]
    with pytest.raises(TongbanError) as refused:
        await asking.ask(**asked)
    assert (refused.value.reason, [each.field for each in refused.value.violations]) == ("FIELD_INVALID", [field])


async def _channel(town: Town, *, max_assurance: int = 4, approved: bool = True) -> str:
    """Makes a channel that may speak for people, and lets two stand behind it."""
    key = new_key(f"channel-{request_id()}")
    right = resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=max_assurance)
    client = resources_pb2.Client(
        display_name="自助终端",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        assertion_right=right,
    )
    create = client_service_pb2.CreateClientRequest(client=client, request_id=request_id())
    made = await town.call(town.clients.CreateClient, create, resources_pb2.Client, await town.admin_token())
    return (await town.approve(made.name)).name if approved else made.name
