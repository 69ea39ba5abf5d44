"""What ends tokens that were given before: each case is a token of a region, and what withdraws what it rests on."""

from collections.abc import Awaitable, Callable

from tests.support import sql
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.town import FIRST, JWT_BEARER, Town, request_id
from tongban.identity.v1 import (
    account_service_pb2,
    client_service_pb2,
    mandate_service_pb2,
    resources_pb2,
    staff_service_pb2,
)
from tongban.options.v1 import options_pb2

Withdrawn = tuple[str, Callable[[], Awaitable[None]]]
"""A token, and what withdraws what it rests on."""


async def make_machine(home: Town, name: str) -> Machine:
    """A client of the region that signs."""
    made = Machine(name, new_key(f"{name}-1"))
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_SYSTEM,
        scopes=["identity.departments.list"],
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(made.key)]),
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=request_id())
    await home.call(home.clients.CreateClient, create, resources_pb2.Client, await home.admin_token())
    return made


async def change_client(home: Town, verb: str, name: str) -> None:
    """Suspends a client, or resumes it."""
    fields = {"reason": "失窃"} if verb == "Suspend" else {}
    request = getattr(client_service_pb2, f"{verb}ClientRequest")(name=name, request_id=request_id(), **fields)
    await home.call(getattr(home.clients, f"{verb}Client"), request, resources_pb2.Client, await home.admin_token())


async def suspended_client(home: Town) -> Withdrawn:
    """A client's own token; the client is suspended."""
    name = f"m{request_id()[:8]}"
    token = await home.machine_token(await make_machine(home, name))
    return token, lambda: change_client(home, "Suspend", f"clients/{name}")


async def taken_post(home: Town) -> Withdrawn:
    """A clerk's token; the post is taken."""
    admin = await home.admin_token()
    member = (await home.make_staff(f"W-{request_id()[:8]}", admin)).name
    await home.assign(member, home.posts["receiving"], admin)
    request = staff_service_pb2.UnassignStaffRequest(name=member, post=home.posts["receiving"], request_id=request_id())

    async def take() -> None:
        await home.call(home.offices.UnassignStaff, request, resources_pb2.Staff, admin)

    return await home.human_token(member), take


async def a_second_later(home: Town, issued: int) -> None:
    """Goes on until the second is over in which a token was made: tokens tell whole seconds."""
    while int(home.service.process.wall.now().timestamp()) <= issued:
        await home.admin_token()


async def _replaced_keys(home: Town) -> Withdrawn:
    """Keys that leaked: replaced without an overlap."""
    name, admin = f"m{request_id()[:8]}", await home.admin_token()
    token = await home.machine_token(await make_machine(home, name))
    request = client_service_pb2.RotateClientKeyRequest(
        name=f"clients/{name}",
        etag=FIRST,
        request_id=request_id(),
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key(f"{name}-2"))]),
    )

    async def replace() -> None:
        await a_second_later(home, (await home.verifier().verify(token)).issued)
        await home.call(home.clients.RotateClientKey, request, resources_pb2.Client, admin)

    return token, replace


async def revoked_mandate(home: Town) -> Withdrawn:
    """A helper's token; the mandate is revoked."""
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


async def _revoked_parent(home: Town) -> Withdrawn:
    token, parent, _, own = await _passed_on(home)
    request = mandate_service_pb2.RevokeMandateRequest(name=parent, reason="不用了", request_id=request_id())

    async def revoke() -> None:
        await home.call(home.mandates.RevokeMandate, request, resources_pb2.Mandate, own)

    return token, revoke


async def _at_a_window(home: Town) -> Withdrawn:
    """What was exchanged from a token that acts under a mandate."""
    acting, revoke = await revoked_mandate(home)
    return await home.at_window(acting, await home.staff_token()), revoke


def _closing(home: Town, name: str) -> Callable[[], Awaitable[None]]:
    """What whoever closes an account writes in their transaction."""

    async def close() -> None:
        now = home.service.process.wall.now().isoformat()
        async with home.service.process.database.transaction() as connection:
            await sql.execute(connection, f"INSERT INTO withdrawals (party, change_time) VALUES ('{name}', '{now}')")

    return close


async def _closed_person(home: Town) -> Withdrawn:
    person = await home.person()
    return await home.human_token(person), _closing(home, person)


async def _closed_member_of_staff(home: Town) -> Withdrawn:
    admin = await home.admin_token()
    member = await home.make_staff(f"C-{request_id()[:8]}", admin)
    await home.assign(member.name, home.posts["receiving"], admin)
    return await home.human_token(member.name), _closing(home, member.person)


async def _closed_firm(home: Town) -> Withdrawn:
    boss = await home.person()
    firm = (await home.firm(boss)).name
    return await home.exchange(await home.human_token(boss), on_behalf_of=firm), _closing(home, firm)


async def _closed_between(home: Town) -> Withdrawn:
    token, _, between, _ = await _passed_on(home)
    return token, _closing(home, between)


async def _replaced_representative(home: Town) -> Withdrawn:
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


async def suspended_channel(home: Town) -> Withdrawn:
    """The token of a person who came through a channel; the channel is suspended."""
    channel = Machine(f"c{request_id()[:8]}", new_key("channel"))
    client = resources_pb2.Client(
        display_name="窗口系统",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(channel.key)]),
        assertion_right=resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=4),
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=channel.client_id, request_id=request_id())
    await home.call(home.clients.CreateClient, create, resources_pb2.Client, await home.admin_token())
    await home.approve(f"clients/{channel.client_id}")
    said = channel.sign(await home.person(), home.base, acr="4", auth_time=int(channel.now()))
    token = await home.granted(grant_type=JWT_BEARER, assertion=said)
    return token, lambda: change_client(home, "Suspend", f"clients/{channel.client_id}")


CASES: dict[str, Callable[[Town], Awaitable[Withdrawn]]] = {
    "a suspended client": suspended_client,
    "keys that leaked": _replaced_keys,
    "a post taken": taken_post,
    "a revoked mandate": revoked_mandate,
    "a revoked mandate, at a window": _at_a_window,
    "a mandate whose parent is revoked": _revoked_parent,
    "a mandate that somebody passed on whose account is closed": _closed_between,
    "a closed person": _closed_person,
    "a closed person who is staff": _closed_member_of_staff,
    "a closed firm": _closed_firm,
    "a representative replaced": _replaced_representative,
}
"""By what is withdrawn."""
