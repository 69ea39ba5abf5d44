"""Which clients somebody agreed to be signed in to, and how they take it back."""

from typing import Any

import pytest
import pytest_asyncio

from libs.errors import Unauthenticated
from tests.support import sql
from tests.support.client_keys import Machine
from tests.support.devices import NAME, codes_of, kiosk, poll
from tests.support.refusing import refused as reason_of
from tests.support.signing_in import Browser, Opened, changed, enrolled, refused, relying_party, sign_in_stub
from tests.support.town import Town, request_id
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODYS = "signInGrants/00000000-0000-7000-8000-0000000000aa"


@pytest_asyncio.fixture(loop_scope="module")
async def person(home: Town) -> str:
    """Somebody with a password who never signed in."""
    return await enrolled(home)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def party(home: Town) -> Machine:
    """A client that people sign in to."""
    return await relying_party(home)


async def _listed(home: Town, person: str, wanted: str = "") -> list[pb.SignInGrant]:
    token, stub = await home.human_token(person), sign_in_stub(home)
    request = pb.ListSignInGrantsRequest(filter=wanted)
    return list((await home.call(stub.ListSignInGrants, request, pb.ListSignInGrantsResponse, token)).sign_in_grants)


def _revoking(name: str, etag: str = "") -> pb.RevokeSignInGrantRequest:
    return pb.RevokeSignInGrantRequest(name=name, etag=etag, request_id=request_id())


async def _revoke(home: Town, person: str, request: pb.RevokeSignInGrantRequest) -> pb.SignInGrant:
    token = await home.human_token(person)
    return await home.call(sign_in_stub(home).RevokeSignInGrant, request, pb.SignInGrant, token)


async def _stands(home: Town, tokens: dict[str, Any]) -> bool:
    verifier, known = home.verifier(), home.service.process.withdrawals
    assert known is not None
    await known.look()
    try:
        await verifier.verify(tokens["access_token"])
    except Unauthenticated:
        return False
    return True


async def test_one_sees_whom_one_agreed_to_what_with_when_whence_and_until_when(
    home: Town, party: Machine, person: str, opened: Opened
) -> None:
    browser = opened(party)
    await browser.signed_in(person)
    (found,) = await _listed(home, person)
    assert (found.client, found.client_display_name) == (f"clients/{party.client_id}", "常州通")
    assert list(found.scopes) == ["openid", "profile", "offline_access"]
    assert (found.state, found.end_reason) == (pb.SIGN_IN_GRANT_STATE_ACTIVE, pb.SIGN_IN_GRANT_END_UNSPECIFIED)
    assert (found.address, found.device_display_name) == ("", ""), "no gateway stood before it"
    # Unused for 30 days, and ten minutes for the last access token.
    assert abs(found.expire_time.seconds - found.create_time.seconds - 30 * 86400 - 600) < 120
    assert not found.HasField("revoke_time")
    (session,) = await home_sessions(home, person)
    assert found.session == session.name


async def home_sessions(home: Town, person: str) -> list[pb.Session]:
    """The sessions of a person."""
    token, stub = await home.human_token(person), sign_in_stub(home)
    return list((await home.call(stub.ListSessions, pb.ListSessionsRequest(), pb.ListSessionsResponse, token)).sessions)


async def test_a_device_and_where_one_agreed_are_told(home: Town, person: str, opened: Opened) -> None:
    machine = await kiosk(home)
    browser, codes = opened(machine), await codes_of(home, machine, scope="openid")
    browser._http.headers["x-forwarded-for"] = "203.0.113.40"
    browser.page = await browser.post("/oauth/device", user_code=codes["user_code"])
    await browser.sign_in(person)
    await browser.submit("/oauth/consent", decision="allow")
    await poll(home, machine, codes["device_code"])
    (found,) = await _listed(home, person)
    assert (found.device_display_name, found.address) == (NAME, "203.0.113.40")
    assert abs(found.expire_time.seconds - found.create_time.seconds - 600) < 60, "no refresh token was asked for"


async def test_what_is_taken_back_ends_all_that_the_client_got_and_is_asked_for_anew(
    home: Town, party: Machine, person: str, opened: Opened
) -> None:
    other = await relying_party(home)
    one, two, elsewhere = opened(party), opened(party), opened(other)
    tokens = [await each.signed_in(person) for each in (one, two, elsewhere)]
    found = await _listed(home, person, f'client = "clients/{party.client_id}"')
    assert len(found) == 2
    request = _revoking(found[0].name, found[0].etag)
    gone = await _revoke(home, person, request)
    assert (gone.state, gone.end_reason) == (pb.SIGN_IN_GRANT_STATE_REVOKED, pb.SIGN_IN_GRANT_END_WITHDRAWN)
    assert gone.HasField("revoke_time")
    assert await _revoke(home, person, request) == gone
    assert [await _stands(home, each) for each in tokens] == [False, False, True]
    for browser, each in ((one, tokens[0]), (two, tokens[1])):
        refused(await browser.refresh(each["refresh_token"]), "invalid_grant")
    assert (await elsewhere.refresh(tokens[2]["refresh_token"])).status_code == 200
    assert "/oauth/consent" in (await one.begin()).text, "signed in still, and asked anew"
    assert {each.state for each in await home_sessions(home, person)} == {pb.SESSION_STATE_ACTIVE}
    states = [each.state for each in await _listed(home, person)]
    assert sorted(states) == [1, 2, 2]


async def test_what_is_over_by_its_time_can_be_taken_back_and_nothing_twice(
    home: Town, party: Machine, person: str, opened: Opened
) -> None:
    browser = opened(party)
    await browser.signed_in(person)
    await changed(home, f"UPDATE sign_in_grants SET expire_time = now() WHERE person = '{person}'")
    (found,) = await _listed(home, person, "state = SIGN_IN_GRANT_STATE_EXPIRED")
    assert "/oauth/consent" not in (await browser.begin()).text
    assert (await _revoke(home, person, _revoking(found.name))).state == pb.SIGN_IN_GRANT_STATE_REVOKED
    assert "/oauth/consent" in (await browser.begin()).text
    assert await reason_of(_revoke(home, person, _revoking(found.name))) == "STATE_CONFLICT"


async def test_nobody_takes_back_what_is_anothers(home: Town, party: Machine, person: str, opened: Opened) -> None:
    await opened(party).signed_in(person)
    (found,) = await _listed(home, person)
    thief = await home.person()
    assert await _listed(home, thief) == []
    for name in (found.name, NOBODYS):
        assert await reason_of(_revoke(home, thief, _revoking(name))) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_revoke(home, person, _revoking(found.name, "stale"))) == "ETAG_MISMATCH"
    assert [each.state for each in await _listed(home, person)] == [pb.SIGN_IN_GRANT_STATE_ACTIVE]


@pytest.mark.parametrize("how", ["session", "client", "copied"])
async def test_why_it_ended_is_told(home: Town, party: Machine, person: str, opened: Opened, how: str) -> None:
    browser = opened(party)
    code = await browser.code(person)
    tokens = (await browser.tokens(code)).json()
    if how == "session":
        (session,) = await home_sessions(home, person)
        request = pb.EndSessionRequest(name=session.name, request_id=request_id())
        token = await home.human_token(person)
        await home.call(sign_in_stub(home).EndSession, request, pb.Session, token)
    elif how == "client":
        form = {"token": tokens["refresh_token"], **home.client_form(party)}
        assert (await home.http.post("/oauth/revoke", data=form)).status_code == 200
    else:
        await browser.tokens(code)
    (found,) = await _listed(home, person)
    told = {
        "session": pb.SIGN_IN_GRANT_END_SESSION_ENDED,
        "client": pb.SIGN_IN_GRANT_END_RETURNED,
        "copied": pb.SIGN_IN_GRANT_END_COPIED,
    }
    assert (found.state, found.end_reason) == (pb.SIGN_IN_GRANT_STATE_REVOKED, told[how])


async def test_what_was_kept_before_people_were_shown_it_is_shown(
    home: Town, party: Machine, person: str, opened: Opened
) -> None:
    """As the release before wrote it, which may still run beside this one."""
    await opened(party).signed_in(person)
    before = "expire_time = NULL, address = '', device_name = '', revoke_time = now()"
    for stored, told in (
        ("OK", pb.SIGN_IN_GRANT_END_RETURNED),
        ("CODE_REUSED", pb.SIGN_IN_GRANT_END_COPIED),
        ("REFRESH_TOKEN_REUSED", pb.SIGN_IN_GRANT_END_COPIED),
    ):
        change = f"UPDATE sign_in_grants SET {before}, revoke_reason = '{stored}' WHERE person = '{person}'"
        await changed(home, change)
        (found,) = await _listed(home, person)
        assert (found.end_reason, found.address) == (told, "")
    assert abs(found.expire_time.seconds - found.create_time.seconds - 90 * 86400) < 60


async def test_a_code_that_nobody_fetched_is_over_in_a_minute(
    home: Town, party: Machine, person: str, opened: Opened
) -> None:
    browser: Browser = opened(party)
    await browser.code(person)
    (found,) = await _listed(home, person)
    assert found.expire_time.seconds - found.create_time.seconds == 60


async def test_each_refresh_puts_the_end_off(home: Town, party: Machine, person: str, opened: Opened) -> None:
    browser = opened(party)
    tokens = await browser.signed_in(person)
    await changed(
        home, f"UPDATE sign_in_grants SET auth_time = auth_time - interval '80 days' WHERE person = '{person}'"
    )
    assert (await browser.refresh(tokens["refresh_token"])).status_code == 200
    (found,) = await _listed(home, person)
    # Ninety days after the person signed in everybody must again: ten of them are left.
    assert abs(found.expire_time.seconds - found.create_time.seconds - 10 * 86400 - 600) < 120


async def test_a_client_that_is_told_of_logouts_is_told_of_this(home: Town, person: str, opened: Opened) -> None:
    party = await relying_party(home, resources_pb2.CLIENT_KIND_PARTNER)
    await changed(
        home,
        f"UPDATE clients SET backchannel_logout_uri = 'http://127.0.0.1:1/' WHERE id = '{party.client_id}'",
    )
    await opened(party).signed_in(person)
    (found,) = await _listed(home, person)
    await _revoke(home, person, _revoking(found.name))
    async with home.service.process.database.read() as connection:
        rows = await _notices(connection, party)
    assert rows == [(person, found.session.partition("/")[2])]


async def _notices(connection: Any, party: Machine) -> list[tuple[str, str]]:
    statement = f"SELECT person, session::text AS session FROM logout_notices WHERE client = '{party.client_id}'"
    return [(row.person, row.session) for row in await sql.execute(connection, statement)]
