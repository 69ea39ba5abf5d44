"""Clients are told that sign-ins ended (OpenID Connect Back-Channel Logout 1.0): each that got a token, until it takes it."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet

from services.identity.app import signing_keys
from services.identity.config import Logouts
from services.identity.core.parts import parts_of
from services.identity.logouts import store
from services.identity.logouts.delivery import LogoutDelivery, NotDelivered
from services.identity.logouts.worker import LogoutTeller
from tests.support import sql
from tests.support.backends import free_port
from tests.support.client_keys import Machine
from tests.support.logouts import LogoutReceiver, receiving
from tests.support.patience import PATIENCE
from tests.support.service import Ground
from tests.support.signing_in import Browser, changed, enrolled, relying_party, sign_in_stub
from tests.support.town import Town, request_id, town
from tongban.identity.v1 import account_service_pb2, client_service_pb2, resources_pb2
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOCAL = Logouts(private_ranges=["127.0.0.0/8", "::1/128"], seconds=20)  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A region that may call clients on this machine."""
    async with town(ground, tmp_path_factory.mktemp("logouts"), logout=LOCAL) as found:
        await found.settle(
            ("receiving", resources_pb2.DUTY_RECEIVING), ("administration", resources_pb2.DUTY_ADMINISTRATION)
        )
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[LogoutReceiver]:
    """A client's server."""
    async with receiving() as found:
        yield found


async def _party(home: Town, uri: str) -> Machine:
    """A client that is told of logouts at an address."""
    party = await relying_party(home)
    stands = await home.call(
        home.clients.GetClient,
        client_service_pb2.GetClientRequest(name=f"clients/{party.client_id}"),
        resources_pb2.Client,
        await home.admin_token(),
    )
    request = client_service_pb2.UpdateClientRequest(request_id=request_id(), etag=stands.etag)
    request.client.name = stands.name
    request.client.backchannel_logout_uri = uri
    request.client.backchannel_logout_session_required = True
    request.update_mask.paths.extend(["backchannel_logout_uri", "backchannel_logout_session_required"])
    told = await home.call(home.clients.UpdateClient, request, resources_pb2.Client, await home.admin_token())
    assert (told.backchannel_logout_uri, told.backchannel_logout_session_required) == (uri, True)
    return party


async def _session(home: Town, person: str) -> pb.Session:
    token, request = await home.human_token(person), pb.ListSessionsRequest(filter="state = SESSION_STATE_ACTIVE")
    listed = await home.call(sign_in_stub(home).ListSessions, request, pb.ListSessionsResponse, token)
    (found,) = listed.sessions
    return found


async def _end(home: Town, person: str) -> str:
    """The person ends their session; returns its id."""
    session, token = await _session(home, person), await home.human_token(person)
    request = pb.EndSessionRequest(name=session.name, request_id=request_id())
    await home.call(sign_in_stub(home).EndSession, request, pb.Session, token)
    return session.name.partition("/")[2]


async def _waiting(home: Town, party: Machine) -> list[Any]:
    statement = f"SELECT attempts FROM logout_notices WHERE client = '{party.client_id}'"
    async with home.service.process.database.read() as connection:
        return list(await sql.scalars(connection, statement))


async def _nothing_waits(home: Town, party: Machine) -> None:
    end = time.monotonic() + PATIENCE
    while await _waiting(home, party):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def _teller(home: Town, config: Logouts = LOCAL) -> LogoutTeller:
    """Another replica."""
    process: Any = home.service.process
    return LogoutTeller(parts_of(process, process.config, signing_keys(process)), LogoutDelivery(config))


async def test_a_client_is_told_which_session_ended_in_a_token_of_ours(home: Town, receiver: LogoutReceiver) -> None:
    party, person = await _party(home, receiver.uri), await enrolled(home)
    browser = Browser(home, party)
    await browser.signed_in(person)
    session = await _end(home, person)
    (token,) = await receiver.told(1)
    keys = KeySet.import_key_set((await home.http.get("/.well-known/jwks.json")).json())
    said = jwt.decode(token, keys, algorithms=["ES256"])
    assert said.header["typ"] == "logout+jwt"
    claims = dict(said.claims)
    assert (claims["iss"], claims["aud"], claims["sub"], claims["sid"]) == (home.base, party.client_id, person, session)
    assert claims["events"] == {EVENT: {}}
    assert claims["exp"] - claims["iat"] == 120
    assert abs(claims["iat"] - time.time()) < 60
    assert claims["jti"]
    assert "nonce" not in claims, "prohibited: it must not pass for an ID token (2.4)"
    head = receiver.heads[0]
    assert head.startswith("POST /logout?of=tongban HTTP/1.1")
    assert f"host: 127.0.0.1:{receiver.port}" in head.lower()
    await _nothing_waits(home, party)
    await browser.close()


async def test_it_is_no_token_of_another_kind(home: Town, receiver: LogoutReceiver) -> None:
    party, person = await _party(home, receiver.uri), await enrolled(home)
    browser = Browser(home, party)
    await browser.signed_in(person)
    await _end(home, person)
    (token,) = await receiver.told(1)
    answer = await home.http.get("/oauth/userinfo", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    # As a hint it must not sign anybody out unasked.
    assert (await browser.get("/oauth/end-session", id_token_hint=token)).status_code == 200
    await browser.close()


async def test_discovery_tells_of_it(home: Town) -> None:
    document = (await home.http.get("/.well-known/openid-configuration")).json()
    assert (document["backchannel_logout_supported"], document["backchannel_logout_session_supported"]) == (True, True)


async def test_who_signs_out_is_signed_out_of_every_client_that_got_a_token(home: Town) -> None:
    person = await enrolled(home)
    async with receiving() as one, receiving() as two, receiving() as three:
        parties = [await _party(home, each.uri) for each in (one, two, three)]
        browser = Browser(home, parties[0])
        await browser.signed_in(person)
        await browser.signed_in(person)  # a second time in one session is told of once
        browser._party = parties[1]
        await browser.signed_in(person)
        browser._party = parties[2]
        await browser.code(person)  # never fetched
        browser.page = await browser.get("/oauth/end-session")
        answer = await browser.post("/oauth/end-session", confirmed="1")
        assert answer.status_code == 200
        await one.told(1)
        await two.told(1)
        for each in parties:
            await _nothing_waits(home, each)
        assert (len(one.tokens), len(two.tokens), len(three.tokens)) == (1, 1, 0)
        await browser.close()


async def test_whoever_closes_their_account_is_signed_out_everywhere(home: Town, receiver: LogoutReceiver) -> None:
    party, person = await _party(home, receiver.uri), await enrolled(home)
    first, second = Browser(home, party), Browser(home, party)
    for each in (first, second):
        await each.signed_in(person)
    # Of the second only the refresh token is left: its session's time is over.
    await changed(
        home,
        f"""UPDATE sessions SET expire_time = now() WHERE id IN (
          SELECT id FROM sessions WHERE person = '{person}' ORDER BY create_time DESC LIMIT 1)""",
    )
    token = await home.human_token(person)
    request = account_service_pb2.ClosePersonRequest(name=person, request_id=request_id())
    await home.call(home.accounts.ClosePerson, request, resources_pb2.Person, token)
    assert len(set(await receiver.told(2))) == 2
    await _nothing_waits(home, party)
    async with home.service.process.database.read() as connection:
        states = await sql.scalars(
            connection, f"SELECT state FROM sessions WHERE person = '{person}' ORDER BY create_time"
        )
        ends = await sql.scalars(connection, f"SELECT revoke_reason FROM sign_in_grants WHERE person = '{person}'")
    assert states == ["ENDED", "ACTIVE"], "what was over by its time is no session that could be ended"
    assert ends == ["ACCOUNT_CLOSED"] * 2
    for each in (first, second):
        await each.close()


async def test_a_client_that_is_shut_out_signs_its_people_out(home: Town, receiver: LogoutReceiver) -> None:
    party, person = await _party(home, receiver.uri), await enrolled(home)
    browser = Browser(home, party)
    await browser.signed_in(person)
    request = client_service_pb2.SuspendClientRequest(
        name=f"clients/{party.client_id}", reason="检查", request_id=request_id()
    )
    await home.call(home.clients.SuspendClient, request, resources_pb2.Client, await home.admin_token())
    await receiver.told(1)
    assert (await _session(home, person)).state == pb.SESSION_STATE_ACTIVE
    await browser.close()


@pytest.mark.parametrize("answer", [{"status": 400}, {"status": 503}, {"status": 302, "location": "REDIRECT"}], ids=str)
async def test_what_a_client_does_not_take_it_is_told_again(home: Town, answer: dict[str, Any]) -> None:
    person = await enrolled(home)
    async with receiving() as elsewhere, receiving(**answer) as receiver:
        if receiver.location:
            receiver.location = elsewhere.uri
        party = await _party(home, receiver.uri)
        browser = Browser(home, party)
        await browser.signed_in(person)
        await _end(home, person)
        await receiver.told(1)
        receiver.status, receiver.location = 204, ""
        await _failed(home, party)
        await changed(home, "UPDATE logout_notices SET attempt_time = now()")
        first, second = await receiver.told(2)
        assert first != second
        await _nothing_waits(home, party)
        assert elsewhere.tokens == [], "nobody is sent elsewhere"
        await browser.close()


async def _failed(home: Town, party: Machine) -> None:
    """Waits until the attempt is noted as one that failed; it is 10 seconds till the next."""
    statement = f"""SELECT extract(epoch FROM attempt_time - now()) FROM logout_notices
      WHERE client = '{party.client_id}' AND lease_time IS NULL AND attempts = 1"""
    end = time.monotonic() + PATIENCE
    while True:
        async with home.service.process.database.read() as connection:
            found = await sql.scalars(connection, statement)
        if found:
            assert 0 < float(found[0]) <= 10
            return
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_one_that_is_silent_holds_up_no_other(home: Town) -> None:
    async with receiving(silent=True) as silent, receiving() as receiver:
        parties = [await _party(home, each.uri) for each in (silent, receiver)]
        for party in (parties[0], parties[0], parties[1]):
            person, browser = await enrolled(home), Browser(home, party)
            await browser.signed_in(person)
            await _end(home, person)
            await browser.close()
        await receiver.told(1)
        assert len(silent.tokens) == 1, "one at a time of each client"
        await changed(home, f"DELETE FROM logout_notices WHERE client = '{parties[0].client_id}'")


async def test_whoever_is_away_for_a_day_is_told_and_for_longer_is_not(home: Town) -> None:
    party, person = await _party(home, f"http://127.0.0.1:{free_port()}/"), await enrolled(home)
    browser = Browser(home, party)
    await browser.signed_in(person)
    await _end(home, person)
    await _failed(home, party)
    await changed(home, "UPDATE logout_notices SET create_time = now() - interval '25 hours', attempt_time = now()")
    end = time.monotonic() + PATIENCE
    while await _waiting(home, party) != [2]:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    await changed(home, "UPDATE logout_notices SET create_time = now() - interval '26 hours', attempt_time = now()")
    await _nothing_waits(home, party)
    await browser.close()


async def test_a_process_that_dies_while_it_tells_leaves_it_to_another(home: Town, receiver: LogoutReceiver) -> None:
    party, person = await _party(home, receiver.uri), await enrolled(home)
    browser = Browser(home, party)
    await browser.signed_in(person)
    await changed(
        home, f"UPDATE clients SET backchannel_logout_uri = 'http://127.0.0.1:1/' WHERE id = '{party.client_id}'"
    )
    await _end(home, person)
    await _failed(home, party)
    # As the row stands that somebody took who is not there any more.
    taken = (
        "UPDATE logout_notices SET attempts = 1, attempt_time = create_time, lease_time = now() + interval '60 seconds'"
    )
    await changed(home, f"{taken} WHERE client = '{party.client_id}'")
    await changed(home, f"UPDATE clients SET backchannel_logout_uri = '{receiver.uri}' WHERE id = '{party.client_id}'")
    other = _teller(home)
    await other.turn()
    assert receiver.tokens == []
    await changed(home, "UPDATE logout_notices SET lease_time = now()")
    await receiver.told(1)
    await _nothing_waits(home, party)
    await other.close()
    await browser.close()


async def test_of_several_replicas_one_takes_it(home: Town, receiver: LogoutReceiver) -> None:
    party, person = await _party(home, receiver.uri), await enrolled(home)
    browser, tellers = Browser(home, party), [_teller(home) for _ in range(3)]
    await browser.signed_in(person)
    await _end(home, person)
    await asyncio.gather(*(each.turn() for each in tellers))
    await receiver.told(1)
    await _nothing_waits(home, party)
    assert len(receiver.tokens) == 1
    for each in tellers:
        await each.close()
    await browser.close()


async def test_a_client_that_wants_to_be_told_no_more_is_not(home: Town) -> None:
    party, person = await _party(home, f"http://127.0.0.1:{free_port()}/"), await enrolled(home)
    browser = Browser(home, party)
    await browser.signed_in(person)
    await _end(home, person)
    await _failed(home, party)
    await changed(home, f"UPDATE clients SET backchannel_logout_uri = '' WHERE id = '{party.client_id}'")
    await changed(home, "UPDATE logout_notices SET attempt_time = now()")
    await _nothing_waits(home, party)
    async with home.service.process.database.read() as connection:
        assert await store.uri_of(connection, "nobody") == ""
    await browser.close()


async def test_addresses_that_are_not_public_are_not_called_unless_the_region_says_so(receiver: LogoutReceiver) -> None:
    delivery = LogoutDelivery(Logouts())
    for uri in (receiver.uri, f"http://localhost:{receiver.port}/", f"http://[::1]:{receiver.port}/"):
        with pytest.raises(NotDelivered) as refusal:
            await delivery.tell(uri, "x")
        assert refusal.value.why == "address"
    await delivery.close()
    assert receiver.tokens == []
    allowed = LogoutDelivery(LOCAL)
    await allowed.tell(f"http://localhost:{receiver.port}/", "x")
    await allowed.close()
    assert receiver.tokens == ["x"]
    assert f"host: localhost:{receiver.port}" in receiver.heads[0].lower()
