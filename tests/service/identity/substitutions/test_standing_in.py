"""Staff who stand in for a colleague: what their token says, when it ends, and what is written of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from libs.access import roles
from libs.clock import FakeClock
from libs.db.engine import read_dsn
from libs.rpc.withdrawals import asking
from libs.security.withdrawals import Withdrawals
from tests.support import sql
from tests.support.refusing import refused
from tests.support.service import Ground
from tests.support.substituting import Substitutions
from tests.support.town import LIUAN, Town, reason_of, request_id, town
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG_AGO = datetime(2024, 6, 3, 1, 0, tzinfo=UTC)


@pytest.fixture
def stand_ins(home: Town) -> Substitutions:
    return Substitutions(home)


async def _recorded(home: Town, actor: str) -> list[tuple[str, str]]:
    """What stands in the log of an actor: what they did, and on whose behalf."""
    owner = await asyncpg.connect(read_dsn(home.service.process.config.database.owner_dsn_file))
    said = "convert_from(canonical, 'UTF8')::json"
    found = await owner.fetch(
        f"SELECT {said} ->> 'action' AS action, {said} ->> 'on_behalf_of' AS whom FROM audit_records "
        f"WHERE {said} ->> 'actor' = $1 ORDER BY seq",
        actor,
    )
    await owner.close()
    return [(row["action"].rpartition(".")[2], row["whom"]) for row in found]


async def _departments(home: Town, token: str) -> str:
    answer = pb.ListDepartmentsResponse
    return await refused(home.call(home.offices.ListDepartments, pb.ListDepartmentsRequest(), answer, token))


async def test_the_token_says_both_and_gives_what_the_posts_give(home: Town, stand_ins: Substitutions) -> None:
    away, substitute = await stand_ins.member("receiving"), await stand_ins.member("reviewing")
    # Reviewing lies with the substitute: receiving may not lie there too.
    assert await reason_of(stand_ins.arrange(away, substitute, home.posts["receiving"])) == "DUTIES_CONFLICT"
    away = await stand_ins.member("reviewing")
    substitute = await stand_ins.member()
    made = await stand_ins.arrange(away, substitute, home.posts["reviewing"])
    assert (made.state, made.approvals) == (resources_pb2.SUBSTITUTION_STATE_ACTIVE, 0)
    token = await stand_ins.token(substitute, made.name)
    actor = await home.verifier().verify(token)
    assert (actor.subject, actor.represented, actor.posts) == (substitute, away, (home.posts["reviewing"],))
    assert actor.claims["substitution"] == made.name
    assert set(actor.scopes) == set(roles.of_duties(["REVIEWING"]))
    get = pb.GetStaffRequest(name=substitute)
    read = await home.call(home.offices.GetStaff, get, resources_pb2.Staff, await home.admin_token())
    assert actor.human == read.person
    # They hold no post of their own, and get no token without it.
    assert (await home.post(**home.asserted(substitute))).json()["reason"] == "STAFF_NOT_ACTIVE"


async def test_what_is_done_is_recorded_with_on_whose_behalf(home: Town, stand_ins: Substitutions) -> None:
    away, substitute = await stand_ins.member("receiving"), await stand_ins.member()
    made = await stand_ins.arrange(away, substitute, home.posts["receiving"])
    token = await stand_ins.token(substitute, made.name)
    person = await home.person(token=token)
    done = await _recorded(home, substitute)
    assert ("jwt-bearer", away) in done
    assert ("CreatePerson", away) in done
    window = await home.at_window(await home.human_token(person), token)
    actor = await home.verifier().verify(window)
    assert (actor.delegate, actor.represented, actor.subject) == (substitute, away, person)
    await stand_ins.revoke(made.name, substitute_token := await stand_ins.token(substitute, made.name))
    assert await reason_of(home.at_window(await home.human_token(person), substitute_token)) == (
        "SUBSTITUTION_NOT_ACTIVE"
    )


async def test_the_affairs_of_who_is_away_are_also_the_substitutes(home: Town, stand_ins: Substitutions) -> None:
    away, substitute = await stand_ins.member("receiving"), await stand_ins.member()
    get = pb.GetStaffRequest(name=away)
    human = (await home.call(home.offices.GetStaff, get, resources_pb2.Staff, await home.admin_token())).person
    firm = await home.firm(human)
    made = await stand_ins.arrange(away, substitute, home.posts["receiving"])
    token = await stand_ins.token(substitute, made.name)
    assert {human, firm.name} <= (await home.verifier().verify(token)).affairs
    assert await reason_of(home.at_window(await home.human_token(human), token)) == "ACTING_ON_SELF"
    request = account_service_pb2.SetLegalRepresentativeRequest(
        name=firm.name, legal_representative=await home.person(), etag=firm.etag, request_id=request_id()
    )
    replaced = home.call(home.accounts.SetLegalRepresentative, request, resources_pb2.Organization, token)
    assert await reason_of(replaced) == "ACTING_ON_SELF"


async def test_it_ends_in_seconds_everywhere(home: Town, stand_ins: Substitutions) -> None:
    admin = (await home.administrators())[0]
    neighbour = Withdrawals(asking(home.neighbour("seal")))
    for how in ("revoked", "the post is taken"):
        away, substitute = await stand_ins.member("reviewing"), await stand_ins.member()
        made = await stand_ins.arrange(away, substitute, home.posts["reviewing"])
        token = await stand_ins.token(substitute, made.name)
        actor = await home.verifier().verify(token)
        await neighbour.look()
        neighbour.check(actor)
        assert await _departments(home, token) == ""
        if how == "revoked":
            assert (await stand_ins.revoke(made.name, admin)).state == resources_pb2.SUBSTITUTION_STATE_REVOKED
        else:
            take = pb.UnassignStaffRequest(name=away, post=home.posts["reviewing"], request_id=request_id())
            await home.call(home.offices.UnassignStaff, take, resources_pb2.Staff, admin)
        await home.service.process.withdrawals.look()  # what the process does every second by itself
        await neighbour.look()
        assert await _departments(home, token) == "TOKEN_INVALID"
        with pytest.raises(Exception, match="TOKEN_INVALID"):
            neighbour.check(actor)
        assert await stand_ins.refusal(substitute, made.name) == "SUBSTITUTION_NOT_ACTIVE"


async def test_only_the_substitute_gets_the_token(home: Town, stand_ins: Substitutions) -> None:
    away, substitute = await stand_ins.member("reviewing"), await stand_ins.member()
    made = await stand_ins.arrange(away, substitute, home.posts["reviewing"])
    for other in (away, home.staff["receiving"]):
        assert await stand_ins.refusal(other, made.name) == "TOKEN_INVALID"
    assert await stand_ins.refusal(await home.person(), made.name) == "FIELD_INVALID"
    for name in ("substitutions/00000000-0000-7000-8000-000000000001", "substitutions/x", "x"):
        assert await stand_ins.refusal(substitute, name) == "TOKEN_INVALID"
    async with home.service.process.database.transaction() as connection:
        key = away.removeprefix("staff/")
        await sql.execute(connection, f"UPDATE staff SET state = 'LEFT' WHERE id = '{key}'")
    assert await stand_ins.refusal(substitute, made.name) == "SUBSTITUTION_NOT_ACTIVE"


async def test_one_stands_in_for_several_and_wears_one_hat_at_a_time(home: Town, stand_ins: Substitutions) -> None:
    first, second = await stand_ins.member("reviewing"), await stand_ins.member("reviewing")
    substitute = await stand_ins.member("reviewing")
    for away in (first, second):
        made = await stand_ins.arrange(away, substitute, home.posts["reviewing"])
        assert (await home.verifier().verify(await stand_ins.token(substitute, made.name))).represented == away
    own = await home.verifier().verify(await home.human_token(substitute))
    assert (own.represented, own.claims.get("substitution")) == ("", None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def past(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Town, FakeClock]]:
    """A region whose business clock stands in 2024."""
    clock = FakeClock(LONG_AGO)
    async with town(ground, tmp_path_factory.mktemp("past"), LIUAN, clock) as found:
        await found.settle(("receiving", resources_pb2.DUTY_RECEIVING), ("reviewing", resources_pb2.DUTY_REVIEWING))
        yield found, clock


async def test_it_begins_and_ends_by_itself(past: tuple[Town, FakeClock]) -> None:
    there, clock = past
    stand_ins = Substitutions(there)
    away, substitute = await stand_ins.member("reviewing"), await stand_ins.member()
    made = await stand_ins.arrange(away, substitute, there.posts["reviewing"], start=600, seconds=300)
    assert made.start_time.ToDatetime(tzinfo=UTC) == LONG_AGO + timedelta(seconds=600)
    assert await stand_ins.refusal(substitute, made.name) == "SUBSTITUTION_NOT_ACTIVE"
    clock.advance(timedelta(seconds=600))
    token = await stand_ins.token(substitute, made.name)
    claims = (await there.verifier().verify(token)).claims
    assert 290 <= claims["exp"] - claims["iat"] <= 301, "no token outlives it"
    clock.advance(timedelta(seconds=300))
    assert await stand_ins.refusal(substitute, made.name) == "SUBSTITUTION_NOT_ACTIVE"
    admin = (await there.administrators())[0]
    assert (await stand_ins.get(made.name, admin)).state == resources_pb2.SUBSTITUTION_STATE_EXPIRED
    assert await reason_of(stand_ins.revoke(made.name, admin)) == "STATE_CONFLICT"
    assert await stand_ins.listed(admin, filter="state = SUBSTITUTION_STATE_EXPIRED") == [made.name]
    assert await stand_ins.listed(admin, filter="state = SUBSTITUTION_STATE_ACTIVE") == []
