"""What one region withdraws ends the tokens that another gave on its word, within seconds (decision 0091)."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.errors import Unauthenticated
from libs.observability import metrics
from libs.rpc.regions import Regions
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from services.identity.app import signing_keys
from services.identity.core import withdrawals
from services.identity.core.parts import parts_of
from services.identity.guests import store
from services.identity.guests.worker import GuestWatch
from tests.service.identity.conftest import Federation
from tests.support import sql
from tests.support.backends import HOST, free_port
from tests.support.patience import PATIENCE, invoke
from tests.support.town import Town, reason_of, request_id
from tests.support.withdrawing import CASES, a_second_later, suspended_channel, taken_post
from tongban.identity.v1 import mandate_service_pb2, mandate_service_pb2_grpc, resources_pb2
from tongban.identity.v1 import token_service_pb2 as pb
from tongban.identity.v1.token_service_pb2_grpc import TokenServiceStub
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
AWAY = "//320402"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
_OF_CLIENTS = {"a suspended client", "keys that leaked"}
"""Tokens of clients alone, which no region vouches for."""


@pytest.fixture(scope="module", autouse=True)
def asked_when_the_test_says() -> Iterator[None]:
    """The regions' own processes, which reach no gateway here, ask nobody."""

    async def idle(_watch: GuestWatch) -> None:
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(GuestWatch, "run", idle)
        yield


@pytest_asyncio.fixture(loop_scope="module")
async def watch(federation: Federation) -> AsyncIterator[GuestWatch]:
    """What asks home, as the other region's identity service has it; home's gateway is its service's own door."""
    process = federation.away.service.process
    parts = parts_of(process, process.config, signing_keys(process))  # type: ignore[arg-type]
    regions = Regions(federation.away.neighbour("identity"))
    regions._channels[federation.home.base] = federation.home.service.channel_as("gateway")
    yield GuestWatch(parts, regions)
    await regions.close()


ABROAD = {name: case for name, case in CASES.items() if name not in _OF_CLIENTS} | {
    "a suspended channel": suspended_channel
}


async def _guest(federation: Federation, token: str) -> str:
    """The other region's token for who has ``token`` at home."""
    return await federation.away.exchange(await federation.home.exchange(token, audience=AWAY), ASSERTION)


async def _asked(federation: Federation, watch: GuestWatch) -> None:
    """What the other region does by itself within a second, and each of its processes in the next."""
    await _due(federation.away)
    await watch.turn()
    await federation.away.service.process.withdrawals.look()


async def _heard(federation: Federation, watch: GuestWatch) -> None:
    """The same, until home answered: on a busy machine it may take longer than it is given."""
    end = time.monotonic() + PATIENCE
    await _asked(federation, watch)
    while (await _home_row(federation.away)).misses:
        assert time.monotonic() < end
        await _asked(federation, watch)


async def _due(town: Town, **columns: str) -> None:
    """Lets a second pass for the turn: what is asked next is due."""
    also = "".join(f", {name} = {value}" for name, value in columns.items())
    async with town.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE guest_homes SET ask_time = now() - interval '1 minute'{also}")


async def _home_row(town: Town) -> Any:
    async with town.service.process.database.read() as connection:
        return (await sql.execute(connection, "SELECT * FROM guest_homes WHERE region = '341500'")).first()


async def _stands(town: Town, token: str) -> bool:
    try:
        await town.verifier().verify(token)
    except Unauthenticated as error:
        return error.reason != "TOKEN_INVALID"
    return True


@pytest.mark.parametrize("case", ABROAD)
async def test_what_ends_at_home_ends_abroad(federation: Federation, watch: GuestWatch, case: str) -> None:
    token, withdraw = await ABROAD[case](federation.home)
    other = await _guest(federation, await federation.home.human_token(await federation.home.person()))
    guest = await _guest(federation, token)
    await _heard(federation, watch)
    assert await _stands(federation.away, guest)
    await withdraw()
    assert await _stands(federation.away, guest)
    await _heard(federation, watch)
    assert not await _stands(federation.away, guest)
    assert await _stands(federation.away, other)  # nobody else's
    again = await _told(federation, "")
    await _heard(federation, watch)  # to hear it twice is to hear it once
    assert again.at_end
    assert not await _stands(federation.away, guest)


async def _told(federation: Federation, cursor: str, town: Town | None = None) -> pb.ReadWithdrawnAssertionsResponse:
    """What home answers a service of the other region."""
    home, away = federation.home, town or federation.away
    stub = TokenServiceStub(away.neighbour("identity"))
    made = await invoke(
        stub.IssueServiceToken, pb.IssueServiceTokenRequest(), pb.IssueServiceTokenResponse, to="identity", token=""
    )
    theirs = await home.exchange(await away.exchange(made.access_token, audience="//341500"), ASSERTION)
    request, answer = pb.ReadWithdrawnAssertionsRequest(cursor=cursor), pb.ReadWithdrawnAssertionsResponse
    return await home.call(home.tokens.ReadWithdrawnAssertions, request, answer, theirs)


async def test_a_region_is_told_of_its_own_assertions_and_of_nothing_else(federation: Federation) -> None:
    token, withdraw = await CASES["a closed person"](federation.home)
    claims = (await federation.away.verifier().verify(await _guest(federation, token))).claims
    row = "region, rests_on, acts_by, issue_time, give_time"
    async with federation.home.service.process.database.transaction() as connection:
        await sql.execute(
            connection,
            f"""INSERT INTO given_assertions (transaction, {row}) SELECT gen_random_uuid(), '110101', rests_on, acts_by, issue_time, give_time
            FROM given_assertions WHERE transaction = '{claims["txn"]}'""",
        )
    before = {each.transaction for each in (await _told(federation, "")).assertions}
    await withdraw()
    told = [each for each in (await _told(federation, "")).assertions if each.transaction not in before]
    assert [(each.transaction, each.authority_ended) for each in told] == [(claims["txn"], False)]


async def test_a_token_of_a_person_of_the_region_is_not_told(federation: Federation) -> None:
    home = federation.home
    request, answer = pb.ReadWithdrawnAssertionsRequest(), pb.ReadWithdrawnAssertionsResponse
    guest = await home.exchange(
        await federation.away.exchange(
            await federation.away.human_token(await federation.away.person()), audience="//341500"
        ),
        ASSERTION,
    )
    for token in (guest, await home.admin_token(), await home.staff_token()):
        refused = home.call(home.tokens.ReadWithdrawnAssertions, request, answer, token)
        assert await reason_of(refused) in ("ACTOR_NOT_ALLOWED", "PERMISSION_MISSING")


async def test_an_assertion_that_was_withdrawn_before_it_is_shown_begets_no_token(
    federation: Federation, watch: GuestWatch
) -> None:
    home = federation.home
    await _guest(federation, await home.human_token(await home.person()))  # so that home is asked
    token, withdraw = await CASES["a revoked mandate"](home)
    assertion = await home.exchange(token, audience=AWAY)
    await withdraw()
    await _heard(federation, watch)
    assert await reason_of(federation.away.exchange(assertion, ASSERTION)) == "TOKEN_INVALID"


async def test_who_stands_again_gets_a_new_token_abroad_and_keeps_no_old_one(
    federation: Federation, watch: GuestWatch
) -> None:
    home = federation.home
    token, take = await taken_post(home)
    clerk = (await home.verifier().verify(token)).subject
    old = await _guest(federation, token)
    await take()
    await a_second_later(home, (await home.verifier().verify(token)).issued)
    await home.assign(clerk, home.posts["receiving"], await home.admin_token())
    fresh = await _guest(federation, await home.human_token(clerk))
    await _heard(federation, watch)
    assert [await _stands(federation.away, each) for each in (old, fresh)] == [False, True]


async def test_a_right_to_act_that_ended_is_known_no_more(federation: Federation, watch: GuestWatch) -> None:
    home, away = federation.home, federation.away
    boss, agent = await home.person(), await home.person()
    own = await home.human_token(boss)
    mandate = (await home.mandate(boss, agent, own)).name
    acting = await home.exchange(await home.human_token(agent), on_behalf_of=boss, mandate=mandate)
    await _guest(federation, acting)
    asked = mandate_service_pb2.CheckMandateRequest(
        person=f"//341500/{agent}",
        principal=f"//341500/{boss}",
        mandate=f"//341500/{mandate}",
        item_codes=["ITEM-1"],
        power=options_pb2.MANDATE_POWER_APPLY,
    )
    stub = mandate_service_pb2_grpc.MandateServiceStub(away.neighbour("cases"))

    async def allowed() -> bool:
        answer = mandate_service_pb2.CheckMandateResponse
        return (await invoke(stub.CheckMandate, asked, answer, to="identity", token="")).allowed

    await _heard(federation, watch)
    assert await allowed()
    revoke = mandate_service_pb2.RevokeMandateRequest(name=mandate, reason="换人", request_id=request_id())
    await home.call(home.mandates.RevokeMandate, revoke, resources_pb2.Mandate, own)
    await _heard(federation, watch)
    assert not await allowed()


async def test_a_delegation_outlives_the_post_in_which_it_was_given_and_not_its_person(
    federation: Federation, watch: GuestWatch
) -> None:
    home = federation.home
    admin = await home.admin_token()
    token, take = await taken_post(home)
    clerk = (await home.verifier().verify(token)).subject
    other = await home.make_post(f"W-{request_id()[:8]}", [resources_pb2.DUTY_RECEIVING], admin)
    await home.assign(clerk, other.name, admin)
    person = await home.person()
    window = await home.at_window(await home.human_token(person), await home.human_token(clerk))
    kept = await home.exchange(window, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION)
    await take()
    stub, answer = TokenServiceStub(home.neighbour("cases")), pb.IssueServiceTokenResponse
    service = await invoke(stub.IssueServiceToken, pb.IssueServiceTokenRequest(), answer, to="identity", token="")
    used = await home.exchange(
        kept,
        DELEGATION,
        actor_token=service.access_token,
        actor_token_type=ACCESS_TOKEN,
        audience=AWAY,
        transfer=TRANSFER,
    )
    guest = await federation.away.exchange(used, ASSERTION)
    await _heard(federation, watch)
    assert await _stands(federation.away, guest)
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"INSERT INTO withdrawals (party, change_time) VALUES ('{person}', now())")
    await _heard(federation, watch)
    assert not await _stands(federation.away, guest)


async def test_only_homes_of_guests_are_asked_and_services_are_none(federation: Federation, watch: GuestWatch) -> None:
    home, away = federation.home, federation.away
    past = {"guests_until": "now() - interval '1 second'", "cursor": "'7'"}
    await _guest(federation, await home.human_token(await home.person()))
    await _due(away, **past)
    stub, answer = TokenServiceStub(home.neighbour("cases")), pb.IssueServiceTokenResponse
    service = await invoke(stub.IssueServiceToken, pb.IssueServiceTokenRequest(), answer, to="identity", token="")
    await _guest(federation, service.access_token)
    await watch.turn()
    assert (await _home_row(away)).cursor == "7"  # nobody asked
    await _guest(federation, await home.human_token(await home.person()))
    await watch.turn()
    assert (await _home_row(away)).cursor != "7"


async def test_a_home_that_is_away_is_asked_more_seldom_and_its_guests_stay(
    federation: Federation, watch: GuestWatch
) -> None:
    home, away = federation.home, federation.away
    token, withdraw = await CASES["a revoked mandate"](home)
    guest = await _guest(federation, token)
    await _heard(federation, watch)
    silent = metrics.GUESTS_HOME_SILENT_SINCE.labels("341500")
    channels = watch._regions._channels
    there = channels[home.base]
    async with grpc.aio.insecure_channel(f"{HOST}:{free_port()}") as nowhere:
        channels[home.base] = nowhere
        watch._regions._access.clear()
        await withdraw()
        for misses, pause in ((1, 2), (2, 4), (3, 8), (4, 15), (5, 15)):
            await _asked(federation, watch)
            row = await _home_row(away)
            assert row.misses == misses
            left = (row.ask_time - away.service.process.wall.now()).total_seconds()
            assert pause - 8 < left <= pause
        assert await _stands(away, guest)
        assert silent._value.get() == pytest.approx(row.silent_since.timestamp(), abs=0.001)
    channels[home.base] = there
    await _heard(federation, watch)
    assert not await _stands(away, guest)
    await watch.turn()
    assert ((await _home_row(away)).misses, silent._value.get()) == (0, 0)


async def test_what_was_read_and_not_noted_is_read_again(
    federation: Federation, watch: GuestWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the answer and the end of the transaction: neither the cursor nor what was learnt stays alone."""
    token, withdraw = await CASES["a revoked mandate"](federation.home)
    guest = await _guest(federation, token)
    await _heard(federation, watch)
    cursor = (await _home_row(federation.away)).cursor
    await withdraw()

    async def killed(*_: Any) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(store, "heard", killed)
        await _asked(federation, watch)
    assert (await _home_row(federation.away)).cursor == cursor
    assert await _stands(federation.away, guest)
    await _heard(federation, watch)
    assert not await _stands(federation.away, guest)


async def test_two_replicas_ask_once(federation: Federation, watch: GuestWatch) -> None:
    await _guest(federation, await federation.home.human_token(await federation.home.person()))
    await _due(federation.away)
    asked = 0
    invoked = watch._regions.invoke

    async def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal asked
        asked += 1
        return await invoked(*args, **kwargs)

    watch._regions.invoke = counted  # type: ignore[method-assign]
    await asyncio.gather(*(watch.turn() for _ in range(4)))
    assert asked == 1


async def _many(federation: Federation, count: int) -> tuple[str, Any]:
    """A guest's token, and what withdraws what it rests on and as many assertions beside it."""
    token, withdraw = await CASES["a closed person"](federation.home)
    guest = await _guest(federation, token)
    said = (await federation.away.verifier().verify(guest)).claims["txn"]
    async with federation.home.service.process.database.transaction() as connection:
        await sql.execute(
            connection,
            f"""INSERT INTO given_assertions (transaction, region, rests_on, acts_by, issue_time, give_time)
            SELECT gen_random_uuid(), region, rests_on, acts_by, issue_time, give_time
            FROM given_assertions, generate_series(1, {count}) WHERE transaction = '{said}'""",
        )
    return guest, withdraw


async def _learnt(town: Town) -> int:
    async with town.service.process.database.read() as connection:
        rows = await sql.execute(
            connection, "SELECT count(*) FROM withdrawals WHERE party LIKE '//341500/assertions/%'"
        )
        return int(rows.one()[0])


async def test_many_are_told_page_by_page(federation: Federation, watch: GuestWatch) -> None:
    guest, withdraw = await _many(federation, 2_600)
    await _heard(federation, watch)
    before = await _learnt(federation.away)
    await withdraw()
    await _heard(federation, watch)
    assert await _learnt(federation.away) - before in range(1_900, 2_001)  # four pages, with what is told again
    await _heard(federation, watch)
    assert await _learnt(federation.away) - before == 2_601
    assert not await _stands(federation.away, guest)
    page = await _told(federation, "")
    assert (len(page.assertions), page.at_end) == (500, False)


async def test_a_region_that_tells_too_many_has_all_its_guests_come_anew(
    federation: Federation, watch: GuestWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = federation.home, federation.away
    _, withdraw = await _many(federation, 5)
    token = await home.human_token(await home.person())
    other = await _guest(federation, token)
    await _heard(federation, watch)
    issued, before = (await away.verifier().verify(other)).issued, await _learnt(away)
    await a_second_later(away, issued)
    monkeypatch.setattr(withdrawals, "MOST_LEARNT", before + 5)
    await withdraw()
    await _heard(federation, watch)
    assert await _learnt(away) == before
    assert not await _stands(away, other)
    monkeypatch.undo()
    await _heard(federation, watch)
    assert await _stands(away, await _guest(federation, token))
