"""Who has no account in use, and nobody who left, gets into anything: asked of each RPC that lets somebody in."""

from typing import Any

import pytest

from tests.support import sql
from tests.support.refusing import asked, refused
from tests.support.requests import minimal
from tests.support.town import Town, request_id
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    resources_pb2,
    staff_service_pb2,
    verification_service_pb2,
)
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
_NOBODY = "persons/00000000-0000-7000-8000-0000000000aa"


async def _close(home: Town, name: str, state: str = "CLOSED") -> None:
    """As the registers tell it some day: nothing of ours closes an account yet."""
    table, _, key = name.partition("/")
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE {table} SET state = '{state}' WHERE id = '{key}'")


async def _open(home: Town, representative: str) -> str:
    organization = resources_pb2.Organization(
        display_name="示例店",
        uscc=home.people.uscc(),
        kind=party_pb2.PARTY_KIND_ENTERPRISE,
        legal_representative=representative,
    )
    request = account_service_pb2.CreateOrganizationRequest(organization=organization, request_id=request_id())
    clerk = await home.staff_token()
    return await refused(home.call(home.accounts.CreateOrganization, request, resources_pb2.Organization, clerk))


async def _represent(home: Town, firm: resources_pb2.Organization, person: str) -> str:
    request = asked("SetLegalRepresentative", firm.name, firm.etag, legal_representative=person)
    request.legal_representative = person  # type: ignore[attr-defined]
    clerk = await home.staff_token()
    return await refused(home.call(home.accounts.SetLegalRepresentative, request, resources_pb2.Organization, clerk))


async def _consent(home: Town, subject: str, token: str) -> tuple[str, str]:
    """What giving a consent and listing them is refused with."""
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    grant: Any = minimal(consent_service_pb2.GrantConsentRequest.DESCRIPTOR)
    grant.request_id, grant.consent.subject, grant.consent.recipient = request_id(), subject, home.department
    grant.consent.end_time.FromSeconds(int(home.service.process.clock.now().timestamp()) + 86_400)
    listing = consent_service_pb2.ListConsentsRequest(subject=subject)
    return (
        await refused(home.call(stub.GrantConsent, grant, resources_pb2.Consent, token)),
        await refused(home.call(stub.ListConsents, listing, consent_service_pb2.ListConsentsResponse, token)),
    )


async def test_a_person_whose_account_is_closed_gets_into_nothing(home: Town) -> None:
    person, other = await home.person(), await home.person()
    own, firm, admin = await home.human_token(person), await home.firm(other), await home.admin_token()
    await _close(home, person)
    assert await _open(home, person) == "PERSON_NOT_ACTIVE"
    assert await _represent(home, firm, person) == "PERSON_NOT_ACTIVE"
    assert await _consent(home, person, own) == ("PERSON_NOT_ACTIVE", "PERSON_NOT_ACTIVE")
    assert await refused(home.mandate(person, other, own)) == "PERSON_NOT_ACTIVE"
    assert await refused(home.make_staff(request_id()[:8], admin, person)) == "PERSON_NOT_ACTIVE"
    check = verification_service_pb2.RecordVerificationRequest(person=person, request_id=request_id())
    check.in_person.place = "大厅"
    clerk = await home.staff_token()
    assert await refused(home.call(home.checks.RecordVerification, check, resources_pb2.Verification, clerk)) == (
        "PERSON_NOT_ACTIVE"
    )
    assert await refused(home.at_window(own, clerk)) == "PERSON_NOT_ACTIVE"


async def test_an_organisation_that_is_closed_gets_into_nothing(home: Town) -> None:
    boss, other = await home.person(), await home.person()
    firm, own = await home.firm(boss), await home.human_token(boss)
    await _close(home, firm.name)
    assert await _represent(home, firm, other) == "ORGANIZATION_NOT_ACTIVE"
    assert await _consent(home, firm.name, own) == ("ORGANIZATION_NOT_ACTIVE", "ORGANIZATION_NOT_ACTIVE")
    assert await refused(home.mandate(firm.name, other, own)) == "ORGANIZATION_NOT_ACTIVE"
    assert await refused(home.exchange(own, on_behalf_of=firm.name)) == "ORGANIZATION_NOT_ACTIVE"


async def test_nobody_represents_who_is_not_there_or_was_never_seen(home: Town) -> None:
    firm, unseen = await home.firm(await home.person()), await home.person(verified=False)
    assert await _open(home, _NOBODY) == "RESOURCE_NOT_FOUND"
    nothing, own = "organizations/00000000-0000-7000-8000-0000000000aa", await home.human_token(await home.person())
    assert await _consent(home, nothing, own) == ("RESOURCE_NOT_FOUND", "RESOURCE_NOT_FOUND")
    assert await _represent(home, firm, unseen) == "ASSURANCE_TOO_LOW"


async def test_who_has_left_is_given_no_post(home: Town) -> None:
    admin = await home.admin_token()
    member = await home.make_staff(request_id()[:8], admin)
    waits = await home.make_post(f"印{request_id()[:8]}", [resources_pb2.DUTY_SEAL_CUSTODY], admin)
    first, second = await home.administrators()
    given = await home.assign(member.name, waits.name, first)
    await _close(home, member.name, "LEFT")
    assert await refused(home.assign(member.name, home.posts["reviewing"], admin)) == "STAFF_NOT_ACTIVE"
    assert await refused(home.stand_behind(given, waits.name, second)) == "STAFF_NOT_ACTIVE"


async def test_a_closed_account_is_given_no_post_and_loses_those_that_it_has(home: Town) -> None:
    """To take a right away gets through, whatever has become of who has it."""
    admin, person = await home.admin_token(), await home.person()
    member = await home.make_staff(request_id()[:8], admin, person)
    waits = await home.make_post(f"印{request_id()[:8]}", [resources_pb2.DUTY_SEAL_CUSTODY], admin)
    first, second = await home.administrators()
    await home.assign(member.name, home.posts["reviewing"], admin)
    given = await home.assign(member.name, waits.name, first)
    await _close(home, person)
    assert await refused(home.assign(member.name, home.posts["receiving"], admin)) == "PERSON_NOT_ACTIVE"
    assert await refused(home.stand_behind(given, waits.name, second)) == "PERSON_NOT_ACTIVE"
    for post in (home.posts["reviewing"], waits.name):
        take = staff_service_pb2.UnassignStaffRequest(name=member.name, post=post, request_id=request_id())
        left = await home.call(home.offices.UnassignStaff, take, resources_pb2.Staff, admin)
        assert post not in [each.post for each in (*left.assignments, *left.pending_assignments)]


async def test_consents_are_given_for_others_by_a_mandate_that_holds_and_covers_it(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm, own, token = await home.firm(boss), await home.human_token(boss), await home.human_token(agent)
    assert await _consent(home, firm.name, token) == ("NOT_LEGAL_REPRESENTATIVE", "NOT_LEGAL_REPRESENTATIVE")
    for powers, revoked, reason in (
        ([options_pb2.MANDATE_POWER_APPLY], False, "MANDATE_OUT_OF_SCOPE"),
        ([options_pb2.MANDATE_POWER_PRESENT], True, "MANDATE_NOT_ACTIVE"),
    ):
        scope = resources_pb2.MandateScope(item_codes=["ITEM-1"], powers=powers)
        mandate = await home.mandate(firm.name, agent, own, scope=scope)
        acting = await home.exchange(token, on_behalf_of=firm.name, mandate=mandate.name)
        if revoked:
            revoke = asked("RevokeMandate", mandate.name)
            await home.call(home.mandates.RevokeMandate, revoke, resources_pb2.Mandate, own)
        assert await _consent(home, firm.name, acting) == (reason, reason)


async def _withdraw(home: Town, consent: str, token: str) -> str:
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    withdraw = asked("WithdrawConsent", consent)
    return await refused(home.call(stub.WithdrawConsent, withdraw, resources_pb2.Consent, token))


async def _given(home: Town, subject: str, token: str) -> str:
    assert (await _consent(home, subject, token))[0] == ""
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    listing = consent_service_pb2.ListConsentsRequest(subject=subject)
    listed = await home.call(stub.ListConsents, listing, consent_service_pb2.ListConsentsResponse, token)
    return str(listed.consents[0].name)


async def test_a_consent_is_taken_back_by_who_still_may_speak_for_whom_it_is_of(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm, own, token = await home.firm(boss), await home.human_token(boss), await home.human_token(agent)
    scope = resources_pb2.MandateScope(item_codes=["ITEM-1"], powers=[options_pb2.MANDATE_POWER_PRESENT])
    mandate = await home.mandate(firm.name, agent, own, scope=scope)
    acting = await home.exchange(token, on_behalf_of=firm.name, mandate=mandate.name)
    of_the_firm, of_the_boss = await _given(home, firm.name, acting), await _given(home, boss, own)
    await home.call(home.mandates.RevokeMandate, asked("RevokeMandate", mandate.name), resources_pb2.Mandate, own)
    assert await _withdraw(home, of_the_firm, acting) == "MANDATE_NOT_ACTIVE"
    await _close(home, firm.name)
    assert await _withdraw(home, of_the_firm, own) == "ORGANIZATION_NOT_ACTIVE"
    await _close(home, boss)
    assert await _withdraw(home, of_the_boss, own) == "PERSON_NOT_ACTIVE"
