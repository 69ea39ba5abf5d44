"""What ends a session, or takes away what one signs in with, is refused where that has changed, has ended, or is another's."""

import pytest

from tests.support.refusing import OLD
from tests.support.signing_in import Opened, enrolled, relying_party, sign_in_stub
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _end(home: Town, session: str, token: str, etag: str = "") -> pb.Session:
    request = pb.EndSessionRequest(name=session, etag=etag, request_id=request_id())
    return await home.call(sign_in_stub(home).EndSession, request, pb.Session, token)


async def test_a_session_is_ended_once_as_it_was_read_and_by_its_owner(home: Town, opened: Opened) -> None:
    person = await enrolled(home)
    browser = opened(await relying_party(home))
    await browser.begin()
    await browser.sign_in(person)
    own, stranger = await home.human_token(person), await home.human_token(await home.person())
    listed = await home.call(sign_in_stub(home).ListSessions, pb.ListSessionsRequest(), pb.ListSessionsResponse, own)
    (session,) = listed.sessions
    assert await reason_of(_end(home, session.name, own, OLD)) == "ETAG_MISMATCH"
    assert await reason_of(_end(home, session.name, stranger)) == "RESOURCE_NOT_FOUND"
    assert (await _end(home, session.name, own, session.etag)).state == pb.SESSION_STATE_ENDED
    assert await reason_of(_end(home, session.name, own)) == "STATE_CONFLICT"


async def test_what_has_changed_since_it_was_read_is_not_taken_away(home: Town) -> None:
    person, stub = await enrolled(home), sign_in_stub(home)
    token = await home.human_token(person)
    listed = await home.call(
        stub.ListAuthenticators, pb.ListAuthenticatorsRequest(), pb.ListAuthenticatorsResponse, token
    )
    (held,) = listed.authenticators
    request = pb.RemoveAuthenticatorRequest(name=held.name, etag=OLD, request_id=request_id())
    assert await reason_of(home.call(stub.RemoveAuthenticator, request, pb.Authenticator, token)) == "ETAG_MISMATCH"
    assert held.state == pb.AUTHENTICATOR_STATE_ACTIVE
