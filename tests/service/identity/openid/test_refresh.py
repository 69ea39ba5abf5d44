"""Refresh tokens: each is good once, a copied one ends all, and a client that lost an answer gets it again."""

from typing import Any

import pytest

from libs.errors import Unauthenticated
from tests.support.client_keys import Machine
from tests.support.signing_in import Browser, Opened, changed, enrolled, refused, relying_party, sign_in_stub
from tests.support.town import Town, request_id
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _later(home: Town, person: str, interval: str) -> None:
    """Lets the refresh of the sign-ins of a person be so long ago."""
    statement = f"UPDATE sign_in_grants SET rotate_time = rotate_time - interval '{interval}' WHERE person = '{person}'"
    await changed(home, statement)


async def _refreshed(browser: Browser, token: str, **more: str) -> dict[str, Any]:
    answer = await browser.refresh(token, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _stands(home: Town, token: str) -> bool:
    """Says whether the services of the region take an access token, once they were told what was withdrawn."""
    verifier, known = home.verifier(), home.service.process.withdrawals
    assert known is not None
    await known.look()
    try:
        await verifier.verify(token)
    except Unauthenticated:
        return False
    return True


async def test_each_refresh_gives_another_token_and_says_the_same_of_the_person(
    home: Town, person: str, browser: Browser
) -> None:
    first = await browser.signed_in(person)
    second = await _refreshed(browser, first["refresh_token"])
    third = await _refreshed(browser, second["refresh_token"])
    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    actors = [await home.verifier().verify(each["access_token"]) for each in (first, third)]
    assert {(each.subject, each.auth_time, each.assurance, each.scopes) for each in actors} == {
        (person, actors[0].auth_time, 2, frozenset({"openid", "profile", "offline_access"}))
    }
    assert "id_token" in third


async def test_one_that_was_copied_ends_all_that_came_of_the_sign_in(home: Town, person: str, browser: Browser) -> None:
    first = await browser.signed_in(person)
    second = await _refreshed(browser, first["refresh_token"])
    third = await _refreshed(browser, second["refresh_token"])
    assert await _stands(home, third["access_token"])
    refused(await browser.refresh(first["refresh_token"]), "invalid_grant")
    refused(await browser.refresh(third["refresh_token"]), "invalid_grant")
    assert not await _stands(home, third["access_token"])


async def test_a_client_that_lost_the_answer_gets_it_again_for_a_while(
    home: Town, person: str, browser: Browser
) -> None:
    first = await browser.signed_in(person)
    lost = await _refreshed(browser, first["refresh_token"])
    again = await _refreshed(browser, first["refresh_token"])
    assert again["refresh_token"] == lost["refresh_token"]
    await _later(home, person, "30 seconds")
    refused(await browser.refresh(first["refresh_token"]), "invalid_grant")
    refused(await browser.refresh(lost["refresh_token"]), "invalid_grant")


async def test_who_stays_away_signs_in_again(home: Town, person: str, browser: Browser) -> None:
    token = (await browser.signed_in(person))["refresh_token"]
    await _later(home, person, "29 days 23 hours")
    token = (await _refreshed(browser, token))["refresh_token"]
    await _later(home, person, "30 days")
    refused(await browser.refresh(token), "invalid_grant")


async def test_after_ninety_days_everybody_does(home: Town, person: str, browser: Browser) -> None:
    token = (await browser.signed_in(person))["refresh_token"]
    await changed(home, f"UPDATE sign_in_grants SET auth_time = now() - interval '90 days' WHERE person = '{person}'")
    refused(await browser.refresh(token), "invalid_grant")


async def test_less_can_be_asked_for_and_never_more(home: Town, person: str, browser: Browser) -> None:
    token = (await browser.signed_in(person, scope="openid offline_access"))["refresh_token"]
    refused(await browser.refresh(token, scope="openid profile"), "invalid_scope")
    less = await _refreshed(browser, token, scope="openid")
    assert (await home.verifier().verify(less["access_token"])).scopes == {"openid"}
    same = await _refreshed(browser, less["refresh_token"])
    assert (await home.verifier().verify(same["access_token"])).scopes == {"openid", "offline_access"}


async def test_it_is_no_good_to_another_client_nor_if_anything_in_it_is_changed(
    home: Town, person: str, browser: Browser, opened: Opened
) -> None:
    token = (await browser.signed_in(person))["refresh_token"]
    thief = opened(await relying_party(home))
    refused(await thief.refresh(token), "invalid_grant")
    version, identifier, number, seal = token.split(".")
    for forged in (
        f"{version}.{identifier}.{int(number) + 1}.{seal}",
        f"{version}.{identifier[:-1]}{'0' if identifier[-1] != '0' else '1'}.{number}.{seal}",
        f"{version}.{identifier}.{number}.{seal[::-1]}",
        "x",
    ):
        refused(await browser.refresh(forged), "invalid_grant")
    assert (await browser.refresh(token)).status_code == 200


async def test_none_is_given_where_none_was_asked_for(person: str, browser: Browser) -> None:
    assert "refresh_token" not in await browser.signed_in(person, scope="openid")


async def test_its_client_can_end_it(home: Town, party: Machine, person: str, browser: Browser) -> None:
    tokens = await browser.signed_in(person)
    form = home.client_form(party)
    answer = await home.http.post("/oauth/revoke", data={"token": tokens["refresh_token"], **form})
    assert answer.status_code == 200
    refused(await browser.refresh(tokens["refresh_token"]), "invalid_grant")
    assert not await _stands(home, tokens["access_token"])


async def test_what_is_revoked_by_another_client_goes_on(home: Town, person: str, browser: Browser) -> None:
    tokens, other = await browser.signed_in(person), await relying_party(home)
    for token in (tokens["refresh_token"], "r1.nonsense", "nonsense"):
        answer = await home.http.post("/oauth/revoke", data={"token": token, **home.client_form(other)})
        assert answer.status_code == 200, "who asks is told nothing of tokens that are not its own"
    assert (await browser.refresh(tokens["refresh_token"])).status_code == 200


async def test_with_the_session_all_ends_that_was_given_in_it(home: Town, person: str, browser: Browser) -> None:
    tokens = await browser.signed_in(person)
    own, stub = await home.human_token(person), sign_in_stub(home)
    listed = await home.call(stub.ListSessions, pb.ListSessionsRequest(page_size=1), pb.ListSessionsResponse, own)
    (session,) = listed.sessions
    end = pb.EndSessionRequest(name=session.name, request_id=request_id())
    await home.call(stub.EndSession, end, pb.Session, own)
    refused(await browser.refresh(tokens["refresh_token"]), "invalid_grant")
    assert not await _stands(home, tokens["access_token"])
    assert "/oauth/sign-in" in (await browser.begin()).text


async def test_with_the_session_goes_what_was_agreed_to_in_it(home: Town, opened: Opened) -> None:
    """As the page says at which one agrees: the next time one is asked again."""
    person = await enrolled(home)
    browser = opened(await relying_party(home))
    await browser.signed_in(person)
    await browser.post("/oauth/end-session", confirmed="1")
    await browser.begin()
    assert "/oauth/consent" in (await browser.sign_in(person)).text


async def test_a_person_whose_account_is_closed_gets_nothing_more(home: Town, party: Machine, opened: Opened) -> None:
    person, browser = await enrolled(home), opened(party)
    tokens, code = await browser.signed_in(person), await browser.code(person)
    await changed(home, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{person.removeprefix('persons/')}'")
    refused(await browser.refresh(tokens["refresh_token"]), "invalid_grant")
    refused(await browser.tokens(code), "invalid_grant")
    await browser.begin(prompt="login")
    assert (await browser.sign_in(person)).status_code == 400
