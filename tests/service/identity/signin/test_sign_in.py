"""Signing in by password, and what somebody who guesses learns: nothing, and later and later."""

import asyncio
from typing import Any

import asyncpg
import pytest

from libs.db.schema import audit_records, outbox
from libs.errors import ResourceExhausted
from services.identity.signin.passwords import Passwords
from tests.support import sql
from tests.support.recorded import records_of
from tests.support.signing_in import (
    PASSWORD,
    Opened,
    changed,
    enrolled,
    enrollment,
    filled,
    relying_party,
    sign_in_stub,
)
from tests.support.town import Town, request_id
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
_WRONG = "一个别的密码2026"


async def _sessions(home: Town, person: str) -> list[pb.Session]:
    token = await home.human_token(person)
    stub = sign_in_stub(home)
    return list((await home.call(stub.ListSessions, pb.ListSessionsRequest(), pb.ListSessionsResponse, token)).sessions)


async def _authenticators(home: Town, person: str, wanted: str = "") -> list[pb.Authenticator]:
    token, stub = await home.human_token(person), sign_in_stub(home)
    request = pb.ListAuthenticatorsRequest(filter=wanted)
    return list(
        (await home.call(stub.ListAuthenticators, request, pb.ListAuthenticatorsResponse, token)).authenticators
    )


async def test_who_is_not_known_is_answered_as_who_mistyped(home: Town, opened: Opened) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    without = await home.person()
    await browser.begin()
    answers = [
        await browser.submit("/oauth/sign-in", login=login, password=_WRONG)
        for login in (home.numbers[person], home.numbers[without], home.people.person().citizen_id, "E12345678", "谁")
    ]
    assert {each.status_code for each in answers} == {400}
    assert len({each.text for each in answers}) == 1
    assert all("location" not in each.headers and "set-cookie" not in each.headers for each in answers)
    refused = await records_of(home.service.process, "signin.password")
    assert [each.result for each in refused[-5:]] == ["SIGN_IN_REFUSED"] * 5
    assert {each.object for each in refused[-4:-1]} == {without, "persons/-"}


async def test_the_sixth_guess_has_to_wait_and_the_right_password_with_it(home: Town, opened: Opened) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    await browser.begin()
    for _ in range(5):
        assert (await browser.sign_in(person, _WRONG)).status_code == 400
    assert (await browser.sign_in(person)).status_code == 429
    # What is counted outlives any process: it stands in the database, and only time goes over it.
    await changed(home, "UPDATE sign_in_attempts SET last_time = last_time - interval '29 seconds'")
    assert (await browser.sign_in(person)).status_code == 429
    await changed(home, "UPDATE sign_in_attempts SET last_time = last_time - interval '1 second'")
    assert (await browser.sign_in(person, _WRONG)).status_code == 400
    await changed(home, "UPDATE sign_in_attempts SET last_time = last_time - interval '59 seconds'")
    assert (await browser.sign_in(person)).status_code == 429
    await changed(home, "UPDATE sign_in_attempts SET last_time = last_time - interval '1 second'")
    assert (await browser.sign_in(person)).status_code == 200
    await browser.begin(prompt="login")
    for _ in range(4):
        assert (await browser.sign_in(person, _WRONG)).status_code == 400
    assert (await browser.sign_in(person)).status_code in (200, 303), "who got in begins anew"


async def test_of_many_guesses_at_a_time_no_more_get_through(home: Town, opened: Opened) -> None:
    person, party = await enrolled(home), await relying_party(home)
    browsers = [opened(party) for _ in range(12)]
    for each in browsers:
        await each.begin()
    answers = await asyncio.gather(*(each.sign_in(person, _WRONG) for each in browsers))
    assert sorted(each.status_code for each in answers) == [400] * 5 + [429] * 7


async def test_one_address_can_not_try_one_password_on_everybody(home: Town, opened: Opened) -> None:
    browser = opened(await relying_party(home))
    page = await browser.begin()
    headers = {"x-forwarded-for": "198.51.100.7, 203.0.113.9"}
    await changed(home, "UPDATE sign_in_attempts SET failures = 0")
    codes = [
        (await browser.knocked(page, home.people.person().citizen_id, _WRONG, headers)).status_code for _ in range(101)
    ]
    assert codes == [400] * 100 + [429]
    elsewhere = {"x-forwarded-for": "203.0.113.9, 198.51.100.7"}
    answer = await browser.knocked(page, home.people.person().citizen_id, _WRONG, elsewhere)
    assert answer.status_code == 400, "the address that counts is the one that the gateway saw"


async def test_an_address_from_which_many_get_in_is_not_held_back(home: Town, opened: Opened) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    page = await browser.begin()
    headers = {"x-forwarded-for": "198.51.100.200"}
    for _ in range(101):
        answer = await browser.knocked(page, home.numbers[person], PASSWORD, headers)
        assert answer.status_code == 200


async def test_what_was_mistyped_is_forgotten_in_time(home: Town, opened: Opened) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    await browser.begin()
    for _ in range(5):
        await browser.sign_in(person, _WRONG)
    await changed(home, "UPDATE sign_in_attempts SET last_time = last_time - interval '2 hours'")
    codes = [(await browser.sign_in(person, _WRONG)).status_code for _ in range(3)]
    assert codes == [400, 400, 429]


async def test_whoever_signs_in_again_has_another_cookie_and_the_same_session(home: Town, opened: Opened) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    await browser.begin()
    await browser.sign_in(person)
    before = browser.cookie("tongban-session")
    await browser.begin(prompt="login")
    await browser.sign_in(person)
    assert browser.cookie("tongban-session") not in ("", before)
    (session,) = await _sessions(home, person)
    assert (list(session.methods), session.assurance, session.state) == (["pwd"], 2, pb.SESSION_STATE_ACTIVE)
    other = await enrolled(home)
    await browser.begin(prompt="login")
    await browser.sign_in(other)
    assert len(await _sessions(home, other)) == 1


async def test_a_session_tells_its_browser_and_where_one_went_by_it(home: Town, opened: Opened) -> None:
    person, party = await enrolled(home), await relying_party(home)
    browser = opened(party)
    await browser.code(person)
    (session,) = await _sessions(home, person)
    assert session.user_agent.startswith("python-httpx/")
    assert list(session.clients) == [f"clients/{party.client_id}"]


async def test_a_session_is_over_after_half_a_day(home: Town, opened: Opened) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    await browser.code(person)
    (session,) = await _sessions(home, person)
    assert session.expire_time.seconds - session.create_time.seconds == 12 * 3600
    await changed(home, f"UPDATE sessions SET expire_time = now() WHERE id = '{session.name.partition('/')[2]}'")
    assert "/oauth/sign-in" in (await browser.begin()).text
    (session,) = await _sessions(home, person)
    assert session.state == pb.SESSION_STATE_EXPIRED


async def test_a_password_is_set_once_a_page_and_replaces_the_one_before(home: Town, opened: Opened) -> None:
    person, other = await enrolled(home), _WRONG
    ticket = await enrollment(home, person)
    page = await home.http.get("/oauth/enroll", params={"ticket": ticket})
    assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
    assert (await home.http.post("/oauth/enroll", data=filled(ticket, other))).status_code == 200
    assert (await home.http.post("/oauth/enroll", data=filled(ticket, PASSWORD))).status_code == 400
    browser = opened(await relying_party(home))
    await browser.begin()
    assert (await browser.sign_in(person)).status_code == 400
    assert (await browser.sign_in(person, other)).status_code == 200
    states = [each.state for each in await _authenticators(home, person)]
    assert states == [pb.AUTHENTICATOR_STATE_ACTIVE, pb.AUTHENTICATOR_STATE_SUPERSEDED]


async def test_only_the_last_page_that_was_opened_counts_and_not_for_long(home: Town) -> None:
    person = await home.person()
    first, second = await enrollment(home, person), await enrollment(home, person)
    assert (await home.http.get("/oauth/enroll", params={"ticket": first})).status_code == 400
    assert (await home.http.get("/oauth/enroll", params={"ticket": second})).status_code == 200
    await changed(home, "UPDATE enrollments SET expire_time = now()")
    assert (await home.http.post("/oauth/enroll", data=filled(second, PASSWORD))).status_code == 400
    assert await _authenticators(home, person) == []


@pytest.mark.parametrize(
    ("password", "again", "word"),
    [
        ("短密码", None, "太短"),
        (PASSWORD, PASSWORD + "x", "不一致"),
        ("x" * 200, None, "太长"),
        ("aaaaaaaaaaaaaa", None, "太简单"),
    ],
)
async def test_a_password_that_is_not_taken_says_why_and_the_page_stays(
    home: Town, password: str, again: str | None, word: str
) -> None:
    person = await home.person()
    ticket = await enrollment(home, person)
    answer = await home.http.post("/oauth/enroll", data=filled(ticket, password, again))
    assert (answer.status_code, word in answer.text) == (400, True)
    number = home.numbers[person]
    known = await home.http.post("/oauth/enroll", data=filled(ticket, f"my{number}"))
    assert "证件号码" in known.text
    assert (await home.http.post("/oauth/enroll", data=filled(ticket, PASSWORD))).status_code == 200


async def test_what_was_taken_away_lets_nobody_in(home: Town, opened: Opened) -> None:
    person, stub = await enrolled(home), sign_in_stub(home)
    (held,) = await _authenticators(home, person)
    token = await home.human_token(person)
    request = pb.RemoveAuthenticatorRequest(name=held.name, etag=held.etag, request_id=request_id())
    gone = await home.call(stub.RemoveAuthenticator, request, pb.Authenticator, token)
    again = await home.call(stub.RemoveAuthenticator, request, pb.Authenticator, token)
    assert (gone.state, again) == (pb.AUTHENTICATOR_STATE_REMOVED, gone)
    browser = opened(await relying_party(home))
    await browser.begin()
    assert (await browser.sign_in(person)).status_code == 400
    assert await _authenticators(home, person, wanted="state = AUTHENTICATOR_STATE_ACTIVE") == []


async def test_a_password_stands_nowhere_and_nothing_that_it_could_be_guessed_from(home: Town, opened: Opened) -> None:
    browser = opened(await relying_party(home))
    await browser.begin()
    password = "只此一处的密码也不短"
    person = await enrolled(home, password)
    assert (await browser.sign_in(person, password)).status_code == 200
    async with home.service.process.database.read() as connection:
        for table in ("authenticators", "sessions", "sign_in_attempts", "enrollments", "idempotency"):
            rows = [str(row) for row in await sql.execute(connection, f"SELECT t::text FROM {table} t")]
            assert not any(password in row or password.encode().hex() in row or "$argon2" in row for row in rows), table
        records = [bytes(row.canonical) for row in await sql.execute(connection, audit_records.select())]
        events = [bytes(row.data) for row in await sql.execute(connection, outbox.select())]
    assert records
    assert not any(password.encode() in each for each in (*records, *events))


async def test_a_password_that_is_taken_away_while_it_is_checked_lets_nobody_in(
    home: Town, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    await browser.begin()
    (held,) = await _authenticators(home, person)
    checked = Passwords.holds

    async def slowly(self: Passwords, password: str, stored: str | None) -> bool:
        same = await checked(self, password, stored)
        request = pb.RemoveAuthenticatorRequest(name=held.name, request_id=request_id())
        token = await home.human_token(person)
        await home.call(sign_in_stub(home).RemoveAuthenticator, request, pb.Authenticator, token)
        return same

    monkeypatch.setattr(Passwords, "holds", slowly)
    assert (await browser.sign_in(person)).status_code == 400
    (record,) = (await records_of(home.service.process, "signin.password"))[-1:]
    assert (record.object, record.result) == (person, "SIGN_IN_REFUSED")
    async with home.service.process.database.read() as connection:
        counts = await sql.execute(connection, "SELECT max(failures) AS most FROM sign_in_attempts")
    assert [row.most >= 1 for row in counts] == [True], "and the attempt counts"


async def test_a_sign_in_asks_the_database_seven_times(
    home: Town, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, browser = await enrolled(home), opened(await relying_party(home))
    await browser.begin()
    asked: list[str] = []
    for name in ("fetch", "fetchrow"):
        monkeypatch.setattr(asyncpg.Connection, name, _noting(getattr(asyncpg.Connection, name), asked))
    assert (await browser.sign_in(person)).status_code == 200
    tables = ("persons", "authenticators", "sessions", "sign_in_attempts", "sign_in_grants", "authorization_requests")
    # Those of its client, and of workers beside it, are not counted.
    assert len([each for each in asked if any(f" {table} " in f" {each} " for table in tables)]) == 7, asked


def _noting(call: Any, asked: list[str]) -> Any:
    def noted(self: object, query: str, *arguments: object, **more: object) -> Any:
        asked.append(" ".join(query.split()))
        return call(self, query, *arguments, **more)

    return noted


async def test_who_waits_behind_too_many_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords()
    stored = await passwords.hashed(PASSWORD)
    assert await passwords.holds(PASSWORD, stored)
    assert not await passwords.holds(PASSWORD, None)
    assert not await passwords.holds(PASSWORD, "nonsense")
    assert not passwords.outdated(stored)
    monkeypatch.setattr("services.identity.signin.passwords._WAITING", 0)
    with pytest.raises(ResourceExhausted):
        await passwords.hashed(PASSWORD)
