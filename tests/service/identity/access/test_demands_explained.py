"""What a client demands of calls is told with its source, and judged as far as it is known beforehand."""

from typing import Any

import pytest

from tests.service.identity.api_clients.clients import a_machine, called, make, make_channel, update
from tests.support.town import Town, reason_of
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import access_service_pb2 as pb
from tongban.identity.v1 import access_service_pb2_grpc, resources_pb2, staff_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIST, METHOD = "identity.departments.list", "tongban.identity.v1.StaffService.ListDepartments"
RANGES = ["203.0.113.0/24", "2001:db8::/32"]


async def _ask(home: Town, principal: str, **more: Any) -> pb.ExplainAccessResponse:
    stub = access_service_pb2_grpc.AccessServiceStub(home.service.channel)
    request = pb.ExplainAccessRequest(principal=principal, method=METHOD, **more)
    return await home.call(stub.ExplainAccess, request, pb.ExplainAccessResponse, await home.admin_token())


def _by_rule(answer: pb.ExplainAccessResponse) -> dict[str, pb.AccessFinding]:
    return {pb.AccessRule.Name(each.rule).removeprefix("ACCESS_RULE_"): each for each in answer.findings}


async def test_what_is_not_demanded_is_not_told(home: Town) -> None:
    made = await make(home, a_machine(), scopes=[LIST])
    answer = await _ask(home, made.name)
    assert answer.outcome == pb.ACCESS_OUTCOME_POSSIBLE
    assert set(_by_rule(answer)) == {"ACCOUNT", "ACTOR_KIND", "PERMISSION"}


async def test_key_signature_and_addresses_are_told_with_their_client(home: Town) -> None:
    terms: dict[str, Any] = {
        "sender_constraint": resources_pb2.SENDER_CONSTRAINT_DPOP,
        "signed_requests": resources_pb2.SIGNED_REQUESTS_REQUIRED,
        "ip_ranges": RANGES,
    }
    made = await make(home, a_machine(), scopes=[LIST], **terms)
    answer = await _ask(home, made.name)
    found = _by_rule(answer)
    assert answer.outcome == pb.ACCESS_OUTCOME_POSSIBLE
    told = {rule: (each.required, each.actual, list(each.sources)) for rule, each in found.items()}
    source = [made.name]
    assert told["SENDER_CONSTRAINT"] == ("SENDER_CONSTRAINT_DPOP", "", source)
    assert told["SIGNATURE"] == ("SIGNED_REQUESTS_REQUIRED", "", source)
    assert told["ADDRESS"] == (" ".join(RANGES), "", source)
    inside = _by_rule(await _ask(home, made.name, address="203.0.113.9"))["ADDRESS"]
    assert (inside.fulfilled, inside.actual) == (True, "203.0.113.9")
    for address in ("198.51.100.1", "1.1"):
        outside = await _ask(home, made.name, address=address)
        assert outside.outcome == pb.ACCESS_OUTCOME_REFUSED
        assert _by_rule(outside)["ADDRESS"].reason == error_reason_pb2.ERROR_REASON_CLIENT_ADDRESS_NOT_ALLOWED
    assert await reason_of(_ask(home, await home.person(), address="203.0.113.9")) == "FIELD_INVALID"


@pytest.mark.parametrize("constraint", ["DPOP", "MTLS"])
async def test_that_a_key_or_a_certificate_is_demanded_refuses_nothing_else(home: Town, constraint: str) -> None:
    """Of a client itself, and of people at a channel: by whatever they prove they would come in."""
    demanded: dict[str, Any] = {
        "sender_constraint": resources_pb2.SenderConstraint.Value(f"SENDER_CONSTRAINT_{constraint}")
    }
    made, channel = await make(home, a_machine(), scopes=[LIST], **demanded), await make_channel(home, a_machine("ch"))
    channel = await update(home, channel, **demanded)
    person = await home.person()
    for source, answer in (
        (made.name, await _ask(home, made.name)),
        (channel.name, await _ask(home, person, client=channel.name)),
    ):
        told = _by_rule(answer)
        assert told["ACCOUNT"].fulfilled
        assert "CHANNEL" not in told or told["CHANNEL"].fulfilled
        demand = told["SENDER_CONSTRAINT"]
        assert (demand.required, list(demand.sources)) == (f"SENDER_CONSTRAINT_{constraint}", [source])
    assert (await _ask(home, made.name)).outcome == pb.ACCESS_OUTCOME_POSSIBLE


async def test_what_is_spent_of_a_quota_is_told_and_the_days_end_refuses(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, scopes=[LIST], quota=resources_pb2.ClientQuota(per_day=2))
    fresh = _by_rule(await _ask(home, made.name))["QUOTA"]
    assert (fresh.fulfilled, fresh.required, fresh.actual) == (True, "per_second=0 per_day=2", "per_second=0 per_day=0")
    assert list(fresh.sources) == [made.name]
    token, listed = await home.machine_token(machine), staff_service_pb2.ListDepartmentsRequest()
    for spent in (1, 2):
        assert await called(home.offices.ListDepartments, listed, token) == "OK"
        assert _by_rule(await _ask(home, made.name))["QUOTA"].actual == f"per_second=0 per_day={spent}"
    answer = await _ask(home, made.name)
    assert answer.outcome == pb.ACCESS_OUTCOME_REFUSED
    assert _by_rule(answer)["QUOTA"].reason == error_reason_pb2.ERROR_REASON_RATE_LIMITED
    assert await called(home.offices.ListDepartments, listed, token) == "RATE_LIMITED"
