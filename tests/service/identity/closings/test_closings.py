"""The end of an account: what ends with it, what stays, and who may end it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support import sql
from tests.support.held import Papers, adding, document
from tests.support.refusing import OLD, refused
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import (
    account_service_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    resources_pb2,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCAN = "materials/00000000-0000-7000-8000-000000000001"
NOBODY = "persons/00000000-0000-7000-8000-0000000000aa"


def _own(person: str, etag: str = "") -> account_service_pb2.ClosePersonRequest:
    return account_service_pb2.ClosePersonRequest(name=person, etag=etag, request_id=request_id())


def _dead(home: Town, person: str, *, days: int = 1) -> account_service_pb2.ClosePersonRequest:
    request, day = _own(person), home.service.process.clock.now() - timedelta(days=days)
    request.death.death_date.year, request.death.death_date.month = day.year, day.month
    request.death.death_date.day = day.day
    request.death.evidence.append(SCAN)
    return request


async def _close(home: Town, request: account_service_pb2.ClosePersonRequest, token: str) -> resources_pb2.Person:
    return await home.call(home.accounts.ClosePerson, request, resources_pb2.Person, token)


async def _end(home: Town, firm: str, token: str, etag: str = "") -> resources_pb2.Organization:
    request = account_service_pb2.CloseOrganizationRequest(name=firm, etag=etag, request_id=request_id())
    return await home.call(home.accounts.CloseOrganization, request, resources_pb2.Organization, token)


async def _consent(home: Town, subject: str, token: str) -> Any:
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    request = consent_service_pb2.GrantConsentRequest(request_id=request_id())
    consent = request.consent
    consent.subject, consent.recipient, consent.method = subject, home.department, resources_pb2.CONSENT_METHOD_ONLINE
    consent.purpose_code, consent.purpose = "IDENTITY_CHECK", "核验"
    consent.resources.append("licenses/-")
    consent.end_time.FromSeconds(int(home.service.process.clock.now().timestamp()) + 3600)
    return await home.call(stub.GrantConsent, request, resources_pb2.Consent, token)


async def _states(home: Town, table: str, *names: str) -> set[str]:
    ids = ", ".join(f"'{each.rpartition('/')[2]}'" for each in names)
    async with home.service.process.database.read() as connection:
        return set(await sql.scalars(connection, f"SELECT state FROM {table} WHERE id IN ({ids})"))


async def _withdrawn(home: Town) -> set[str]:
    async with home.service.process.database.read() as connection:
        return set(await sql.scalars(connection, "SELECT party FROM withdrawals WHERE restore_time IS NULL"))


async def test_what_stood_on_an_account_ends_with_it(home: Town) -> None:
    person, agent, principal = [await home.person() for _ in range(3)]
    own = await home.human_token(person)
    given = await home.mandate(person, agent, own)
    held = await home.mandate(principal, person, await home.human_token(principal))
    consent = await _consent(home, person, own)
    request = _own(person)
    closed = await _close(home, request, own)
    assert closed.state == resources_pb2.PERSON_STATE_CLOSED
    assert await _states(home, "mandates", given.name, held.name) == {"REVOKED"}
    assert await _states(home, "consents", consent.name) == {"WITHDRAWN"}
    assert {person, given.name, held.name} <= await _withdrawn(home)
    # Nobody signs in any more; what is known of the account is read by officials as before.
    answer = await home.post(**home.asserted(person))
    assert answer.status_code == 400
    assert answer.json()["reason"] == "PERSON_NOT_ACTIVE"
    assert (await Papers(home).clear(person)).state == resources_pb2.PERSON_STATE_CLOSED


async def test_a_repeat_is_told_what_it_was_told_although_nobody_is_there_any_more(home: Town) -> None:
    person, clerk = await home.person(), await home.staff_token()
    request = _dead(home, person)
    closed = await _close(home, request, clerk)
    assert await _close(home, request, clerk) == closed
    assert await refused(_close(home, _dead(home, person), clerk)) == "PERSON_NOT_ACTIVE"


async def test_tokens_of_who_closed_their_account_are_refused(home: Town) -> None:
    """Also that of whom they act for at the time, and that of a member of staff who they were."""
    person = await home.person()
    own = await home.human_token(person)
    await _close(home, _own(person), own)
    withdrawals = home.service.process.withdrawals
    assert withdrawals is not None
    await withdrawals.look()
    assert await reason_of(_close(home, _own(person), own)) == "TOKEN_INVALID"


async def test_documents_of_a_closed_account_are_free(home: Town) -> None:
    papers, clerk, person, heir = Papers(home), await home.staff_token(), await home.person(), await home.person()
    passport = document(f"E{request_id()[:8].upper()}")
    await papers.add(adding(person, passport, seen=True), clerk)
    standing = document((await papers.numbers(person))[0], "111")
    await _close(home, _dead(home, person), clerk)
    assert await refused(papers.lookup(passport)) == "RESOURCE_NOT_FOUND"
    for each in (passport, standing):
        await papers.add(adding(heir, each, seen=True), clerk)
        assert await papers.lookup(each) == heir
    # What was kept of them is kept.
    assert len((await papers.clear(person)).documents) == 2


async def test_whoever_holds_a_post_lays_it_down_first(home: Town) -> None:
    admin, clerk, person = await home.admin_token(), await home.staff_token(), await home.person()
    member = await home.make_staff(request_id()[:8], admin, person)
    await home.assign(member.name, home.posts["reviewing"], admin)
    assert await refused(_close(home, _own(person), await home.human_token(person))) == "STATE_CONFLICT"
    assert await refused(_close(home, _dead(home, person), clerk)) == "STATE_CONFLICT"
    async with home.service.process.database.transaction() as connection:
        await sql.execute(
            connection, f"UPDATE assignments SET expire_time = begin_time WHERE staff = '{member.name[6:]}'"
        )
    await _close(home, _dead(home, person), clerk)
    assert await _states(home, "staff", member.name) == {"LEFT"}
    assert await refused(home.assign(member.name, home.posts["reviewing"], admin)) == "PERSON_NOT_ACTIVE"


async def test_a_death_is_said_by_staff_and_shown(home: Town) -> None:
    person, clerk = await home.person(), await home.staff_token()
    own = await home.human_token(person)
    for request, token in (
        (_own(person), clerk),
        (_dead(home, person), own),
        (_dead(home, person, days=-2), clerk),
    ):
        assert await refused(_close(home, request, token)) == "FIELD_INVALID"
    bare = _dead(home, person)
    del bare.death.evidence[:]
    assert await refused(_close(home, bare, clerk)) == "FIELD_INVALID"
    await _close(home, _dead(home, person), clerk)
    async with home.service.process.database.read() as connection:
        (row,) = await sql.scalars(connection, f"SELECT c::text FROM closings c WHERE account = '{person}'")
    assert SCAN in row
    assert "DEATH" in row
    assert home.staff["receiving"] in row
    assert (home.service.process.clock.now() - timedelta(days=1)).date().isoformat() not in row


async def test_nobody_closes_what_is_not_theirs(home: Town) -> None:
    person, other, clerk = await home.person(), await home.person(), await home.staff_token()
    assert await reason_of(_close(home, _own(person), await home.human_token(other))) == "RESOURCE_NOT_FOUND"
    assert await refused(_close(home, _dead(home, NOBODY), clerk)) == "RESOURCE_NOT_FOUND"
    old = await home.human_token(person, auth_time=int(home.service.process.wall.now().timestamp()) - 700)
    assert await reason_of(_close(home, _own(person), old)) == "AUTHENTICATION_TOO_OLD"
    assert await refused(_close(home, _own(person, OLD), await home.human_token(person))) == "ETAG_MISMATCH"


async def test_who_signed_in_weakly_ends_no_account_that_is_known_by_name(home: Town) -> None:
    person, newcomer = await home.person(), await home.person(verified=False)
    assert await refused(_close(home, _own(person), await home.human_token(person, acr="1"))) == "ASSURANCE_TOO_LOW"
    assert await refused(_close(home, _own(person), await home.human_token(person, acr="2"))) == ""
    assert await refused(_close(home, _own(newcomer), await home.human_token(newcomer, acr="0"))) == ""


async def test_nobody_acts_for_an_organisation_that_is_closed(home: Town) -> None:
    boss, agent, clerk = await home.person(), await home.person(), await home.staff_token()
    firm, own = await home.firm(boss), await home.human_token(boss)
    mandate = await home.mandate(firm.name, agent, own)
    consent = await _consent(home, firm.name, await home.exchange(own, on_behalf_of=firm.name))
    assert await refused(_end(home, firm.name, clerk, OLD)) == "ETAG_MISMATCH"
    closed = await _end(home, firm.name, clerk, firm.etag)
    assert closed.state == resources_pb2.ORGANIZATION_STATE_CLOSED
    assert await _states(home, "mandates", mandate.name) == {"REVOKED"}
    assert await _states(home, "consents", consent.name) == {"WITHDRAWN"}
    assert {f"{boss} {firm.name}", mandate.name} <= await _withdrawn(home)
    assert await refused(home.exchange(own, on_behalf_of=firm.name)) == "ORGANIZATION_NOT_ACTIVE"
    assert await refused(_end(home, firm.name, clerk)) == "ORGANIZATION_NOT_ACTIVE"
    nothing = "organizations/00000000-0000-7000-8000-0000000000aa"
    assert await refused(_end(home, nothing, clerk)) == "RESOURCE_NOT_FOUND"
    get = account_service_pb2.GetOrganizationRequest(name=firm.name)
    assert await home.call(home.accounts.GetOrganization, get, resources_pb2.Organization, clerk) == closed
    # The boss is somebody still, and an organisation nobody represents is closed as well.
    assert await home.human_token(boss)
    alone = await home.firm()
    assert (await _end(home, alone.name, clerk)).state == resources_pb2.ORGANIZATION_STATE_CLOSED
