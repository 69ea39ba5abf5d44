"""How a partner outside of the administration comes to have a client (申请接入): asked for, seen, granted in part, or refused."""

import asyncio
from typing import Any

import pytest

from libs.errors import InvalidArgument, TongbanError
from tests.service.identity.api_clients.clients import (
    BY_KEY,
    CHANNEL,
    PARTNER,
    RIGHT,
    SYSTEM,
    a_machine,
    approve,
    asked_from,
    get,
    keys_of,
    make,
    own,
    speaking,
    suspend,
    update,
)
from tests.support import sql
from tests.support.client_keys import Machine
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTIVE, REQUESTED, REFUSED, SUSPENDED = (
    resources_pb2.CLIENT_STATE_ACTIVE,
    resources_pb2.CLIENT_STATE_REQUESTED,
    resources_pb2.CLIENT_STATE_REFUSED,
    resources_pb2.CLIENT_STATE_SUSPENDED,
)
READ, LIST = "identity.clients.get", "identity.departments.list"


async def _acting(home: Town, boss: str) -> tuple[str, str]:
    """A firm that somebody represents, and their token to act for it."""
    firm = (await home.firm(boss)).name
    return firm, await home.exchange(await home.human_token(boss), on_behalf_of=firm)


def _wanted(machine: Machine, **fields: Any) -> pb.RequestClientRequest:
    given = {
        "display_name": "不动产系统",
        "kind": PARTNER,
        "auth_method": BY_KEY,
        "jwks": keys_of(machine),
        "scopes": [READ, LIST],
        "request_note": "对接不动产登记业务",
        **fields,
    }
    return pb.RequestClientRequest(client=resources_pb2.Client(**given), request_id=request_id())


async def _ask(home: Town, token: str, machine: Machine, **fields: Any) -> resources_pb2.Client:
    return await home.call(home.clients.RequestClient, _wanted(machine, **fields), resources_pb2.Client, token)


async def _refuse(home: Town, client: resources_pb2.Client, token: str = "") -> resources_pb2.Client:
    request = pb.RefuseClientRequest(name=client.name, reason="材料不全", etag=client.etag, request_id=request_id())
    return await home.call(home.clients.RefuseClient, request, resources_pb2.Client, token or await home.admin_token())


def _named(client: resources_pb2.Client, machine: Machine) -> Machine:
    """The machine under the id that the service chose."""
    return Machine(client.name.removeprefix("clients/"), machine.key)


async def test_a_firm_asks_an_administrator_narrows_and_lets_it_in(home: Town) -> None:
    boss, key = await home.person(), a_machine()
    firm, token = await _acting(home, boss)
    asked = await _ask(home, token, key)
    machine = _named(asked, key)
    assert (asked.state, asked.owner, asked.applicant, asked.approvals) == (REQUESTED, firm, boss, 0)
    assert asked.secret == ""
    assert await asked_from(home, None, **own(home, machine)) == ("", "CLIENT_NOT_ACTIVE")
    first, _ = await home.administrators()
    assert await reason_of(approve(home, asked, await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    less = await update(home, asked, first, scopes=[READ])
    assert (less.state, list(less.scopes)) == (REQUESTED, [READ])
    assert await reason_of(approve(home, asked, first)) == "ETAG_MISMATCH"
    stands = await approve(home, less, first)
    assert (stands.state, stands.request_note) == (ACTIVE, "对接不动产登记业务")
    mine = await home.machine_token(machine)
    assert (await home.verifier().verify(mine)).scopes == {READ}


async def test_the_firm_sees_its_own_and_nobody_else_does(home: Town) -> None:
    boss, other = await home.person(), await home.person()
    firm, token = await _acting(home, boss)
    _, stranger = await _acting(home, other)
    asked = await _ask(home, token, a_machine())
    given = await make(home, a_machine(), owner=firm)
    assert await get(home, asked.name, token) == asked
    listed = pb.ListClientsRequest()
    answer = pb.ListClientsResponse
    mine = await home.call(home.clients.ListClients, listed, answer, token)
    assert {each.name for each in mine.clients} == {asked.name, given.name}
    assert [each.name for each in mine.clients] == sorted(each.name for each in mine.clients)
    assert list((await home.call(home.clients.ListClients, listed, answer, stranger)).clients) == []
    narrowed = pb.ListClientsRequest(filter=f'owner = "{firm}"')
    assert list((await home.call(home.clients.ListClients, narrowed, answer, stranger)).clients) == []
    for nobody in (stranger, await home.human_token(boss), await home.human_token(other)):
        assert await reason_of(get(home, asked.name, nobody)) == "RESOURCE_NOT_FOUND"
        assert await reason_of(get(home, "clients/not-there", nobody)) == "RESOURCE_NOT_FOUND"
    alone = home.call(home.clients.ListClients, listed, answer, await home.human_token(boss))
    assert await reason_of(alone) == "NOT_OWNER"


async def test_a_request_is_refused_for_good(home: Town) -> None:
    key = a_machine()
    _, token = await _acting(home, await home.person())
    asked = await _ask(home, token, key)
    refused = await _refuse(home, asked)
    assert (refused.state, refused.refuse_reason) == (REFUSED, "材料不全")
    assert (await get(home, asked.name, token)).refuse_reason == "材料不全"
    assert await asked_from(home, None, **own(home, _named(asked, key))) == ("", "CLIENT_NOT_ACTIVE")
    first, _ = await home.administrators()
    assert await reason_of(approve(home, refused, first)) == "STATE_CONFLICT"
    assert await reason_of(_refuse(home, refused)) == "STATE_CONFLICT"
    assert await reason_of(suspend(home, refused.name)) == "STATE_CONFLICT"
    nobody = resources_pb2.Client(name="clients/not-there", etag=refused.etag)
    assert await reason_of(_refuse(home, nobody)) == "RESOURCE_NOT_FOUND"


async def test_a_request_that_was_put_off_is_approved_before_it_comes_back(home: Town) -> None:
    key = a_machine()
    _, token = await _acting(home, await home.person())
    asked = await _ask(home, token, key)
    assert (await suspend(home, asked.name)).state == SUSPENDED
    resume = pb.ResumeClientRequest(name=asked.name, request_id=request_id())
    back = await home.call(home.clients.ResumeClient, resume, resources_pb2.Client, await home.admin_token())
    assert back.state == REQUESTED
    first, _ = await home.administrators()
    assert (await approve(home, back, first)).state == ACTIVE
    assert await home.machine_token(_named(asked, key))


async def test_a_channel_that_is_asked_for_takes_two_as_every_channel(home: Town) -> None:
    key = a_machine()
    _, token = await _acting(home, await home.person())
    asked = await _ask(home, token, key, kind=CHANNEL, scopes=[], assertion_right=RIGHT)
    first, second = await home.administrators()
    half = await approve(home, asked, first)
    assert (half.state, half.approvals) == (REQUESTED, 1)
    assert await reason_of(approve(home, half, first)) == "ACTING_ON_SELF"
    assert (await approve(home, half, second)).state == ACTIVE
    assert (await asked_from(home, None, **speaking(home, _named(asked, key), home.staff["auditing"])))[0]


async def test_nobody_grants_from_outside_what_they_do_not_hold(home: Town) -> None:
    _, token = await _acting(home, await home.person())
    asked = await _ask(home, token, a_machine(), scopes=["cases.*"])
    first, _ = await home.administrators()
    assert await reason_of(approve(home, asked, first)) == "SCOPE_NOT_GRANTED"


async def test_only_who_acts_for_a_firm_in_all_its_affairs_asks(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm, token = await _acting(home, boss)
    own_token = await home.human_token(boss)
    other = (await home.firm(await home.person())).name
    assert await reason_of(_ask(home, own_token, a_machine())) == "NOT_OWNER"
    assert await reason_of(_ask(home, token, a_machine(), owner=other)) == "NOT_OWNER"
    assert (await _ask(home, token, a_machine(), owner=firm)).owner == firm
    some = (await home.mandate(firm, agent, own_token)).name
    part = await home.exchange(await home.human_token(agent), on_behalf_of=firm, mandate=some)
    assert await reason_of(_ask(home, part, a_machine())) == "MANDATE_OUT_OF_SCOPE"
    listed = home.call(home.clients.ListClients, pb.ListClientsRequest(), pb.ListClientsResponse, part)
    assert await reason_of(listed) == "MANDATE_OUT_OF_SCOPE"
    scope = resources_pb2.MandateScope(all_items=True, powers=[options_pb2.MANDATE_POWER_APPLY])
    every = (await home.mandate(firm, agent, own_token, scope=scope)).name
    whole = await home.exchange(await home.human_token(agent), on_behalf_of=firm, mandate=every)
    asked = await _ask(home, whole, a_machine())
    assert (asked.owner, asked.applicant) == (firm, agent)
    # People who help one another are no firm.
    helper = (await home.mandate(boss, agent, own_token, scope=scope)).name
    helping = await home.exchange(await home.human_token(agent), on_behalf_of=boss, mandate=helper)
    assert await reason_of(_ask(home, helping, a_machine())) == "NOT_OWNER"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": SYSTEM}, "client.kind"),
        ({"auth_method": resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET, "jwks": None}, "client.auth_method"),
        ({"jwks": None}, "client.jwks"),
        ({"request_note": ""}, "client.request_note"),
        ({"environment": resources_pb2.CLIENT_ENVIRONMENT_SANDBOX}, "client.environment"),
        ({"assertion_right": RIGHT}, "client.assertion_right"),
        ({"kind": CHANNEL}, "client.assertion_right"),
        ({"ip_ranges": ["203.0.113.1/24"]}, "client.ip_ranges[0]"),
    ],
)
async def test_what_can_t_be_asked_for_is_named(home: Town, fields: dict[str, Any], field: str) -> None:
    _, token = await _acting(home, await home.person())
    with pytest.raises(InvalidArgument) as refused:
        await _ask(home, token, a_machine(), **fields)
    assert [each.field for each in refused.value.violations] == [field]


async def test_a_repeat_asks_once_and_is_answered_whatever_has_become_since(home: Town) -> None:
    _, token = await _acting(home, await home.person())
    request = _wanted(a_machine())
    asked = await home.call(home.clients.RequestClient, request, resources_pb2.Client, token)
    await _refuse(home, asked)
    assert await home.call(home.clients.RequestClient, request, resources_pb2.Client, token) == asked


async def test_ten_requests_of_a_firm_wait_and_no_more(home: Town) -> None:
    """Also of those that come at the same time."""
    firm, token = await _acting(home, await home.person())
    found = await asyncio.gather(*(_ask(home, token, a_machine()) for _ in range(12)), return_exceptions=True)
    refused = [each for each in found if isinstance(each, TongbanError)]
    assert [each.reason for each in refused] == ["STATE_CONFLICT"] * 2
    first = next(each for each in found if isinstance(each, resources_pb2.Client))
    await _refuse(home, first)
    await _ask(home, token, a_machine())
    async with home.service.process.database.read() as connection:
        rows = await sql.execute(connection, f"SELECT count(*) FROM clients WHERE owner = '{firm}'")
        assert [row[0] for row in rows] == [11]


async def test_a_closed_firm_asks_for_nothing(home: Town) -> None:
    boss = await home.person()
    firm = await home.firm(boss)
    token = await home.exchange(await home.human_token(boss), on_behalf_of=firm.name)
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE organizations SET state = 'CLOSED' WHERE id = '{firm.name[14:]}'")
    assert await reason_of(_ask(home, token, a_machine())) == "ORGANIZATION_NOT_ACTIVE"


async def test_nobody_approves_what_they_asked_for_themselves(home: Town) -> None:
    """An administrator who represents a firm has another's word for its client."""
    first, _ = await home.administrators()
    human = (await home.verifier().verify(first)).human
    _, token = await _acting(home, human)
    asked = await _ask(home, token, a_machine())
    mine, another = await home.administrators()
    assert await reason_of(approve(home, asked, mine)) == "ACTING_ON_SELF"
    assert (await approve(home, asked, another)).state == ACTIVE
