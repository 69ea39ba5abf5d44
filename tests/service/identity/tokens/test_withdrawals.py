"""Tokens given before end within seconds once what they rest on is withdrawn (issue 5, B8)."""

from typing import Any

import pytest
import pytest_asyncio

from libs.rpc.token_types import ASSERTION
from libs.rpc.withdrawals import asking
from libs.security.withdrawals import Withdrawals
from tests.service.identity.conftest import Federation
from tests.support.town import Town, reason_of, request_id
from tests.support.withdrawing import (
    CASES,
    a_second_later,
    change_client,
    make_machine,
    suspended_client,
    taken_post,
)
from tongban.identity.v1 import (
    region_service_pb2,
    resources_pb2,
    staff_service_pb2,
)
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _list(home: Town, token: str) -> str:
    request = staff_service_pb2.ListDepartmentsRequest()
    try:
        await home.call(home.offices.ListDepartments, request, staff_service_pb2.ListDepartmentsResponse, token)
    except Exception as error:  # noqa: BLE001 - its reason is what is looked at
        return str(getattr(error, "reason", repr(error)))
    return "OK"


@pytest_asyncio.fixture(loop_scope="module")
async def neighbour(home: Town) -> Withdrawals:
    """What another service of the region knows."""
    return Withdrawals(asking(home.neighbour("seal")))


@pytest.mark.parametrize("case", CASES)
async def test_its_tokens_are_refused_here_and_at_the_neighbours(home: Town, neighbour: Withdrawals, case: str) -> None:
    token, withdraw = await CASES[case](home)
    await neighbour.look()
    principal = await home.verifier().verify(token)
    neighbour.check(principal)
    assert await _list(home, token) == "OK"
    await withdraw()
    await home.service.process.withdrawals.look()  # what the process does every second by itself
    await neighbour.look()
    assert await _list(home, token) == "TOKEN_INVALID"
    with pytest.raises(Exception, match="TOKEN_INVALID"):
        neighbour.check(principal)
    # After a restart it is known before anything is judged.
    fresh = Withdrawals(asking(home.neighbour("cases")))
    await fresh.be_ready()
    with pytest.raises(Exception, match="TOKEN_INVALID"):
        fresh.check(principal)


async def test_the_process_asks_by_itself(home: Town) -> None:
    token, withdraw = await suspended_client(home)
    await withdraw()
    for _ in range(2):  # its next two turns, the first may have begun before
        before = home.service.process.withdrawals._told_at
        while home.service.process.withdrawals._told_at == before:
            await _list(home, await home.admin_token())
    assert await _list(home, token) == "TOKEN_INVALID"


async def test_a_resumed_client_gets_new_tokens_and_keeps_no_old_ones(home: Town) -> None:
    name = f"m{request_id()[:8]}"
    machine = await make_machine(home, name)
    old: Any = await home.verifier().verify(await home.machine_token(machine))
    await change_client(home, "Suspend", f"clients/{name}")
    await change_client(home, "Resume", f"clients/{name}")
    await home.service.process.withdrawals.look()
    assert await _list(home, await home.machine_token(machine)) == "OK"
    known = home.service.process.withdrawals._known[f"clients/{name}"]
    assert old.issued <= known < float("inf")


async def test_a_token_of_before_is_exchanged_for_no_fresh_one(home: Town) -> None:
    """A clerk's token that was stolen before their post was taken buys nothing once they have the post again."""
    person = await home.human_token(await home.person())
    old, take = await taken_post(home)
    clerk = await home.verifier().verify(old)
    await take()
    await a_second_later(home, clerk.issued)
    await home.assign(clerk.subject, home.posts["receiving"], await home.admin_token())
    await home.service.process.withdrawals.look()
    assert await reason_of(home.at_window(person, old)) == "TOKEN_INVALID"
    await home.at_window(person, await home.human_token(clerk.subject))


async def test_only_services_are_told(home: Town) -> None:
    stub = type(home.tokens)(home.neighbour("cases"))
    request = pb.ReadWithdrawalsRequest()
    token = await home.admin_token()
    assert await reason_of(home.call(stub.ReadWithdrawals, request, pb.ReadWithdrawalsResponse, token)) == (
        "ACTOR_NOT_ALLOWED"
    )
    assert (await home.call(stub.ReadWithdrawals, request, pb.ReadWithdrawalsResponse, "")).HasField("read_time")


async def test_a_suspended_regions_guests_are_refused_from_memory(federation: Federation) -> None:
    home, away = federation.home, federation.away
    person = await home.human_token(await home.person())
    guest = await away.exchange(await home.exchange(person, audience="//320402"), ASSERTION)
    neighbour = Withdrawals(asking(away.neighbour("cases")))
    await neighbour.be_ready()
    principal = await away.verifier().verify(guest)
    neighbour.check(principal)
    suspend = region_service_pb2.SuspendRegionRequest(
        name="regions/341500",
        directions=[resources_pb2.TRUST_DIRECTION_INBOUND],
        reason="失密",
        request_id=request_id(),
    )
    await away.call(away.regions.SuspendRegion, suspend, resources_pb2.Region, await away.admin_token())
    await neighbour.look()
    with pytest.raises(Exception, match="TOKEN_INVALID"):
        neighbour.check(principal)
    for token in await away.administrators():
        resume = region_service_pb2.ResumeRegionRequest(
            name="regions/341500",
            directions=[resources_pb2.TRUST_DIRECTION_INBOUND],
            reason="查清",
            request_id=request_id(),
        )
        await away.call(away.regions.ResumeRegion, resume, resources_pb2.Region, token)
    await neighbour.look()
    fresh = await away.exchange(await home.exchange(person, audience="//320402"), ASSERTION)
    neighbour.check(await away.verifier().verify(fresh))


async def test_a_post_that_ends_ends_the_token(home: Town) -> None:
    admin = await home.admin_token()
    member = (await home.make_staff(f"E-{request_id()[:8]}", admin)).name
    end = int(home.service.process.clock.now().timestamp()) + 120
    request = staff_service_pb2.AssignStaffRequest(name=member, post=home.posts["receiving"], request_id=request_id())
    request.end_time.FromSeconds(end)
    await home.call(home.offices.AssignStaff, request, resources_pb2.Staff, admin)
    principal = await home.verifier().verify(await home.human_token(member))
    assert abs(principal.claims["exp"] - end) <= 1  # by the clock of tokens, which is the same here
