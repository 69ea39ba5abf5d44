"""A client that is suspended, and why somebody may or may not: through the gateway of a region with two replicas of everything."""

import uuid

import pytest

from deploy.local.demo.gateway import Machine, request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import Registry
from tests.support.at_gateway import resident, staff
from tests.support.client_keys import new_key, public_jwk
from tests.support.polling import Polled
from tests.support.regions import Regions
from tests.support.town import reason_of
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import access_service_pb2, client_service_pb2, resources_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
_PATHS = {"/v1/departments": None, "/v1/licenseTypes": None}
_ACCEPT = "tongban.cases.v1.CaseService.AcceptCase"
_REFUSED, _POSSIBLE = access_service_pb2.ACCESS_OUTCOME_REFUSED, access_service_pb2.ACCESS_OUTCOME_POSSIBLE


async def _made(office: Office) -> tuple[Machine, resources_pb2.Client]:
    """A partner's system, which lists what anybody's system may."""
    machine = Machine(f"m{uuid.uuid4().hex[:8]}", new_key("partner-1"))
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
        scopes=["identity.departments.list", "license.licenseTypes.list"],
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=machine.client_id, request_id=request_id())
    return machine, await office.gateway.using(await office.admin_token()).call(create, resources_pb2.Client)


async def test_no_call_is_served_two_seconds_after_its_client_was_suspended(regions: Regions) -> None:
    office = regions.handling
    machine, made = await _made(office)
    polled = Polled(office.gateway.http, await office.gateway.machine_token(machine), _PATHS)
    assert await polled.served()
    suspend = client_service_pb2.SuspendClientRequest(name=made.name, reason="密钥失窃", request_id=request_id())
    admin = office.gateway.using(await office.admin_token())
    assert (await admin.call(suspend, resources_pb2.Client)).state == resources_pb2.CLIENT_STATE_SUSPENDED
    assert await polled.refused_in_time() == {path: {"TOKEN_INVALID"} for path in _PATHS}
    assert await reason_of(office.gateway.region.as_client(machine).token()) == "CLIENT_NOT_ACTIVE"


async def _explained(office: Office, principal: str, method: str) -> tuple[int, set[str]]:
    """What comes of a call, as an auditor is told, and by which reasons."""
    request = access_service_pb2.ExplainAccessRequest(principal=principal, method=method)
    answer = await (await staff(office, "auditing")).call(request, access_service_pb2.ExplainAccessResponse)
    reasons = (error_reason_pb2.ErrorReason.Name(each.reason) for each in answer.findings if not each.fulfilled)
    return answer.outcome, {each.removeprefix("ERROR_REASON_") for each in reasons}


async def test_an_auditor_is_told_why_somebody_may_not_and_it_is_so(regions: Regions) -> None:
    office = regions.handling
    reviewer, clerk = office.staff["reviewing"], office.staff["receiving"]
    assert await _explained(office, clerk, _ACCEPT) == (_POSSIBLE, set())
    assert await _explained(office, reviewer, _ACCEPT) == (_REFUSED, {"PERMISSION_MISSING"})
    accept = office.gateway.http.post(
        f"/v1/cases/{uuid.uuid4()}:accept",
        json={"requestId": request_id(), "etag": '"1"'},
        headers={"authorization": f"Bearer {await office.token_of('reviewing')}"},
    )
    assert (await accept).json()["details"][0]["reason"] == "PERMISSION_MISSING"
    # A suspended party is told as such, and whoever asks must be let ask.
    _, made = await _made(office)
    listing = "tongban.identity.v1.StaffService.ListDepartments"
    assert await _explained(office, made.name, listing) == (_POSSIBLE, set())
    admin = office.gateway.using(await office.admin_token())
    suspend = client_service_pb2.SuspendClientRequest(name=made.name, reason="密钥失窃", request_id=request_id())
    await admin.call(suspend, resources_pb2.Client)
    assert await _explained(office, made.name, listing) == (_REFUSED, {"CLIENT_NOT_ACTIVE"})
    asked = access_service_pb2.ExplainAccessRequest(principal=clerk, method=_ACCEPT)
    curious = resident(office, (await Registry(office, 661).person()).name)
    answer = access_service_pb2.ExplainAccessResponse
    assert await reason_of(curious.call(asked, answer)) == "ACTOR_NOT_ALLOWED"
