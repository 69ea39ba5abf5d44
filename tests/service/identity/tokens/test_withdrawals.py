"""Tokens given before end within seconds once what they rest on is withdrawn (issue 5, B8)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from libs.rpc.token_types import ASSERTION
from libs.rpc.withdrawals import asking
from libs.security.withdrawals import Withdrawals
from tests.service.identity.conftest import Federation
from tests.support import sql
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.town import FIRST, Town, reason_of, request_id
from tongban.identity.v1 import (
    account_service_pb2,
    client_service_pb2,
    mandate_service_pb2,
    region_service_pb2,
    resources_pb2,
    staff_service_pb2,
)
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _machine(home: Town, name: str) -> Machine:
    machine = Machine(name, new_key(f"{name}-1"))
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_SYSTEM,
        scopes=["identity.departments.list"],
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=request_id())
    await home.call(home.clients.CreateClient, create, resources_pb2.Client, await home.admin_token())
    return machine


async def _list(home: Town, token: str) -> str:
    request = staff_service_pb2.ListDepartmentsRequest()
    try:
        await home.call(home.offices.ListDepartments, request, staff_service_pb2.ListDepartmentsResponse, token)
    except Exception as error:  # noqa: BLE001 - its reason is what is looked at
        return str(getattr(error, "reason", repr(error)))
    return "OK"


async def _client(home: Town, verb: str, name: str) -> None:
    fields = {"reason": "失窃"} if verb == "Suspend" else {}
    request = getattr(client_service_pb2, f"{verb}ClientRequest")(name=name, request_id=request_id(), **fields)
    await home.call(getattr(home.clients, f"{verb}Client"), request, resources_pb2.Client, await home.admin_token())


async def _suspended_client(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    name = f"m{request_id()[:8]}"
    token = await home.machine_token(await _machine(home, name))
    return token, lambda: _client(home, "Suspend", f"clients/{name}")


async def _taken_post(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    admin = await home.admin_token()
    member = (await home.make_staff(f"W-{request_id()[:8]}", admin)).name
    await home.assign(member, home.posts["receiving"], admin)
    request = staff_service_pb2.UnassignStaffRequest(name=member, post=home.posts["receiving"], request_id=request_id())

    async def take() -> None:
        await home.call(home.offices.UnassignStaff, request, resources_pb2.Staff, admin)

    return await home.human_token(member), take


async def _a_second_later(home: Town, issued: int) -> None:
    """Goes on until the second is over in which a token was made: tokens tell whole seconds."""
    while int(home.service.process.wall.now().timestamp()) <= issued:
        await home.admin_token()


async def _replaced_keys(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    """Keys that leaked: replaced without an overlap."""
    name, admin = f"m{request_id()[:8]}", await home.admin_token()
    token = await home.machine_token(await _machine(home, name))
    request = client_service_pb2.RotateClientKeyRequest(
        name=f"clients/{name}",
        etag=FIRST,
        request_id=request_id(),
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key(f"{name}-2"))]),
    )

    async def replace() -> None:
        await _a_second_later(home, (await home.verifier().verify(token)).issued)
        await home.call(home.clients.RotateClientKey, request, resources_pb2.Client, admin)

    return token, replace


async def _revoked_mandate(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    giver, agent = await home.person(), await home.person()
    own = await home.human_token(giver)
    mandate = (await home.mandate(giver, agent, own)).name
    token = await home.exchange(await home.human_token(agent), on_behalf_of=giver, mandate=mandate)
    request = mandate_service_pb2.RevokeMandateRequest(name=mandate, reason="不用了", request_id=request_id())

    async def revoke() -> None:
        await home.call(home.mandates.RevokeMandate, request, resources_pb2.Mandate, own)

    return token, revoke


async def _passed_on(home: Town) -> tuple[str, str, str, str]:
    """A token under a mandate that was passed on, what it comes from, who passed it on, and the principal's token."""
    giver, between, agent = [await home.person() for _ in range(3)]
    own = await home.human_token(giver)
    parent = (await home.mandate(giver, between, own, sub_delegable=True, seconds=90_000)).name
    child = await home.mandate(giver, agent, await home.human_token(between), parent=parent)
    token = await home.exchange(await home.human_token(agent), on_behalf_of=giver, mandate=child.name)
    return token, parent, between, own


async def _revoked_parent(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    token, parent, _, own = await _passed_on(home)
    request = mandate_service_pb2.RevokeMandateRequest(name=parent, reason="不用了", request_id=request_id())

    async def revoke() -> None:
        await home.call(home.mandates.RevokeMandate, request, resources_pb2.Mandate, own)

    return token, revoke


async def _at_a_window(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    """What was exchanged from a token that acts under a mandate."""
    acting, revoke = await _revoked_mandate(home)
    return await home.at_window(acting, await home.staff_token()), revoke


def _closing(home: Town, name: str) -> Callable[[], Awaitable[None]]:
    """What whoever closes an account writes in their transaction."""

    async def close() -> None:
        now = home.service.process.wall.now().isoformat()
        async with home.service.process.database.transaction() as connection:
            await sql.execute(connection, f"INSERT INTO withdrawals (party, change_time) VALUES ('{name}', '{now}')")

    return close


async def _closed_person(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    person = await home.person()
    return await home.human_token(person), _closing(home, person)


async def _closed_member_of_staff(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    admin = await home.admin_token()
    member = await home.make_staff(f"C-{request_id()[:8]}", admin)
    await home.assign(member.name, home.posts["receiving"], admin)
    return await home.human_token(member.name), _closing(home, member.person)


async def _closed_firm(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    boss = await home.person()
    firm = (await home.firm(boss)).name
    return await home.exchange(await home.human_token(boss), on_behalf_of=firm), _closing(home, firm)


async def _closed_between(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    token, _, between, _ = await _passed_on(home)
    return token, _closing(home, between)


async def _replaced_representative(home: Town) -> tuple[str, Callable[[], Awaitable[None]]]:
    old, new = await home.person(), await home.person()
    made = await home.firm(old)
    firm = made.name
    token = await home.exchange(await home.human_token(old), on_behalf_of=firm)
    request = account_service_pb2.SetLegalRepresentativeRequest(
        name=firm, legal_representative=new, etag=made.etag, request_id=request_id()
    )

    async def replace() -> None:
        method = home.accounts.SetLegalRepresentative
        await home.call(method, request, resources_pb2.Organization, await home.staff_token())

    return token, replace


CASES: dict[str, Callable[[Town], Awaitable[tuple[str, Callable[[], Awaitable[None]]]]]] = {
    "a suspended client": _suspended_client,
    "keys that leaked": _replaced_keys,
    "a post taken": _taken_post,
    "a revoked mandate": _revoked_mandate,
    "a revoked mandate, at a window": _at_a_window,
    "a mandate whose parent is revoked": _revoked_parent,
    "a mandate that somebody passed on whose account is closed": _closed_between,
    "a closed person": _closed_person,
    "a closed person who is staff": _closed_member_of_staff,
    "a closed firm": _closed_firm,
    "a representative replaced": _replaced_representative,
}


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
    token, withdraw = await _suspended_client(home)
    await withdraw()
    for _ in range(2):  # its next two turns, the first may have begun before
        before = home.service.process.withdrawals._told_at
        while home.service.process.withdrawals._told_at == before:
            await _list(home, await home.admin_token())
    assert await _list(home, token) == "TOKEN_INVALID"


async def test_a_resumed_client_gets_new_tokens_and_keeps_no_old_ones(home: Town) -> None:
    name = f"m{request_id()[:8]}"
    machine = await _machine(home, name)
    old: Any = await home.verifier().verify(await home.machine_token(machine))
    await _client(home, "Suspend", f"clients/{name}")
    await _client(home, "Resume", f"clients/{name}")
    await home.service.process.withdrawals.look()
    assert await _list(home, await home.machine_token(machine)) == "OK"
    known = home.service.process.withdrawals._known[f"clients/{name}"]
    assert old.issued <= known < float("inf")


async def test_a_token_of_before_is_exchanged_for_no_fresh_one(home: Town) -> None:
    """A clerk's token that was stolen before their post was taken buys nothing once they have the post again."""
    person = await home.human_token(await home.person())
    old, take = await _taken_post(home)
    clerk = await home.verifier().verify(old)
    await take()
    await _a_second_later(home, clerk.issued)
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
