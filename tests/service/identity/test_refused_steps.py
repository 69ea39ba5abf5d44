"""What every step on what identity keeps is refused with: whatever was read of it, whose it is, wherever it stands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.refusing import OLD, asked, refused, steps
from tests.support.town import Town, request_id, trusted
from tongban.identity.v1 import (
    client_service_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    region_service_pb2,
    resources_pb2,
    staff_service_pb2,
    verification_service_pb2,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
REGIONS = steps("identity.v1.RegionService")
CLIENTS = steps("identity.v1.ClientService")


async def _region(home: Town, code: str) -> resources_pb2.Region:
    region = resources_pb2.Region(display_name="某地", anchor=home.anchor(), inbound=trusted(2), outbound=trusted(2))
    request = region_service_pb2.ProposeRegionRequest(region_id=code, region=region, request_id=request_id())
    return await home.call(home.regions.ProposeRegion, request, resources_pb2.Region, (await home.administrators())[0])


async def _etag(home: Town, region: str) -> str:
    get = region_service_pb2.GetRegionRequest(name=region)
    return (await home.call(home.regions.GetRegion, get, resources_pb2.Region, await home.admin_token())).etag


async def _of_region(home: Town, rpc: str, name: str, etag: str) -> str:
    request: Any = asked(rpc, name, etag)
    if rpc == "SetRegionKeys":
        request.anchor.CopyFrom(home.anchor())
    second = (await home.administrators())[1]
    return await refused(home.call(getattr(home.regions, rpc), request, resources_pb2.Region, second))


async def test_no_step_is_taken_on_a_region_that_has_changed_since_it_was_read_or_is_trusted_no_more(
    home: Town,
) -> None:
    region = await _region(home, "110102")
    found = {rpc: await _of_region(home, rpc, region.name, OLD) for rpc in REGIONS}
    assert found == dict.fromkeys(REGIONS, "ETAG_MISMATCH")
    for rpc, reason in (("ActivateRegion", ""), ("SetRegionKeys", ""), ("ApproveRegionKeys", "ACTING_ON_SELF")):
        assert await _of_region(home, rpc, region.name, await _etag(home, region.name)) == reason
    assert await _of_region(home, "EndRegion", region.name, await _etag(home, region.name)) == ""
    ended = await _etag(home, region.name)
    found = {rpc: await _of_region(home, rpc, region.name, ended) for rpc in REGIONS}
    assert found == dict.fromkeys(REGIONS, "STATE_CONFLICT")


async def test_no_step_is_taken_on_a_region_that_is_not_listed(home: Town) -> None:
    found = {rpc: await _of_region(home, rpc, "regions/999998", OLD) for rpc in REGIONS}
    assert found == dict.fromkeys(REGIONS, "RESOURCE_NOT_FOUND")


async def test_no_step_is_taken_on_a_client_that_has_changed_since_it_was_read(home: Town) -> None:
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_SYSTEM,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET,
    )
    create = client_service_pb2.CreateClientRequest(client=client, request_id=request_id())
    token = await home.admin_token()
    made = await home.call(home.clients.CreateClient, create, resources_pb2.Client, token)
    human = (await home.administrators())[0]
    found = {
        rpc: await refused(
            home.call(getattr(home.clients, rpc), asked(rpc, made.name, OLD), resources_pb2.Client, human)
        )
        for rpc in CLIENTS
    }
    assert found == dict.fromkeys(CLIENTS, "ETAG_MISMATCH")


async def test_a_firm_a_post_and_a_mandate_are_changed_as_they_were_read(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    mandate = await home.mandate(firm.name, agent, await home.human_token(boss))
    admin, clerk = await home.admin_token(), await home.staff_token()
    member = await home.make_staff(f"R-{request_id()[:8]}", admin)
    represent: Any = asked("SetLegalRepresentative", firm.name, OLD, legal_representative=agent)
    unassign = asked("UnassignStaff", member.name, OLD, post=home.posts["reviewing"])
    revoke = asked("RevokeMandate", mandate.name, OLD)
    organization, own = resources_pb2.Organization, await home.human_token(boss)
    assert (
        await refused(home.call(home.accounts.SetLegalRepresentative, represent, organization, clerk))
        == "ETAG_MISMATCH"
    )
    assert await refused(home.call(home.offices.UnassignStaff, unassign, resources_pb2.Staff, admin)) == "ETAG_MISMATCH"
    assert await refused(home.call(home.mandates.RevokeMandate, revoke, resources_pb2.Mandate, own)) == "ETAG_MISMATCH"


async def _consent(home: Town, person: str, token: str) -> resources_pb2.Consent:
    consent = resources_pb2.Consent(
        subject=person,
        recipient=home.department,
        purpose_code="QUALIFICATION_CHECK",
        purpose="办理许可",
        resources=["licenses/00000000-0000-7000-8000-000000000001"],
        method=resources_pb2.CONSENT_METHOD_ONLINE,
    )
    consent.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    grant = consent_service_pb2.GrantConsentRequest(consent=consent, request_id=request_id())
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    return await home.call(stub.GrantConsent, grant, resources_pb2.Consent, token)


async def test_a_consent_is_withdrawn_as_it_was_read(home: Town) -> None:
    person = await home.person()
    token = await home.human_token(person)
    made = await _consent(home, person, token)
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    withdraw = asked("WithdrawConsent", made.name, OLD)
    assert await refused(home.call(stub.WithdrawConsent, withdraw, resources_pb2.Consent, token)) == "ETAG_MISMATCH"


async def test_a_list_of_what_belongs_to_something_is_paged_by_its_own_tokens(home: Town) -> None:
    person = await home.person()
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    own, admin = await home.human_token(person), await home.admin_token()
    lists: list[tuple[Any, Any, Any, str]] = [
        (
            home.offices.ListPosts,
            staff_service_pb2.ListPostsRequest(parent=home.department),
            staff_service_pb2.ListPostsResponse,
            admin,
        ),
        (
            home.checks.ListVerifications,
            verification_service_pb2.ListVerificationsRequest(parent=person),
            verification_service_pb2.ListVerificationsResponse,
            own,
        ),
        (
            stub.ListConsents,
            consent_service_pb2.ListConsentsRequest(subject=person),
            consent_service_pb2.ListConsentsResponse,
            own,
        ),
    ]
    for function, request, answer, token in lists:
        request.page_token = "AAAA"
        assert await refused(home.call(function, request, answer, token)) == "PAGE_TOKEN_INVALID"


async def test_what_people_gave_officials_do_not_take_back(home: Town) -> None:
    person, agent = await home.person(), await home.person()
    own, clerk = await home.human_token(person), await home.staff_token()
    revoke = asked("RevokeMandate", (await home.mandate(person, agent, own)).name)
    assert await refused(home.call(home.mandates.RevokeMandate, revoke, resources_pb2.Mandate, clerk)) == "NOT_OWNER"
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    withdraw = asked("WithdrawConsent", (await _consent(home, person, own)).name)
    assert await refused(home.call(stub.WithdrawConsent, withdraw, resources_pb2.Consent, clerk)) == "NOT_OWNER"


async def test_a_client_is_resumed_by_who_holds_what_it_would_have(home: Town) -> None:
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET,
        scopes=["identity.clients.get"],
    )
    create = client_service_pb2.CreateClientRequest(client=client, request_id=request_id())
    admin = await home.admin_token()
    made = await home.call(home.clients.CreateClient, create, resources_pb2.Client, admin)
    suspend = asked("SuspendClient", made.name, made.etag)
    await home.call(home.clients.SuspendClient, suspend, resources_pb2.Client, admin)
    narrow = await home.machine_token(home.admin, "identity.clients.resume")
    resume = home.call(home.clients.ResumeClient, asked("ResumeClient", made.name), resources_pb2.Client, narrow)
    assert await refused(resume) == "SCOPE_NOT_GRANTED"
