"""A firm asks for a client in a sandbox and has it at once, within a trial's limits; whatever asks for more waits as elsewhere."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.identity.config import Clients
from tests.service.identity.api_clients.clients import (
    BY_KEY,
    CHANNEL,
    PARTNER,
    RIGHT,
    a_machine,
    asked_from,
    get,
    keys_of,
    own,
)
from tests.service.identity.conftest import POSTS
from tests.support import sql
from tests.support.client_keys import Machine
from tests.support.service import Ground
from tests.support.town import TIANNING, Town, reason_of, request_id, town
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTIVE, REQUESTED = resources_pb2.CLIENT_STATE_ACTIVE, resources_pb2.CLIENT_STATE_REQUESTED
READ, LIST = "identity.clients.get", "identity.departments.list"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trial(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A region to try things in."""
    sandbox = Clients(environment="SANDBOX")
    async with town(ground, tmp_path_factory.mktemp("asking"), TIANNING, clients=sandbox) as found:
        await found.settle(*POSTS)
        yield found


async def _acting(region: Town) -> str:
    """The token of somebody who acts for a firm of their own."""
    boss = await region.person()
    return await region.exchange(await region.human_token(boss), on_behalf_of=(await region.firm(boss)).name)


def _wanted(machine: Machine, **fields: Any) -> pb.RequestClientRequest:
    given = {
        "display_name": "试用系统",
        "kind": PARTNER,
        "auth_method": BY_KEY,
        "jwks": keys_of(machine),
        "scopes": [READ, LIST],
        "request_note": "试用接口",
        **fields,
    }
    return pb.RequestClientRequest(client=resources_pb2.Client(**given), request_id=request_id())


async def _ask(region: Town, token: str, request: pb.RequestClientRequest) -> resources_pb2.Client:
    return await region.call(region.clients.RequestClient, request, resources_pb2.Client, token)


async def _usage(region: Town, name: str, token: str) -> resources_pb2.Usage:
    request = pb.GetUsageRequest(name=f"{name}/usage")
    return await region.call(region.clients.GetUsage, request, resources_pb2.Usage, token)


async def test_it_asks_gets_a_token_and_sees_its_first_call_counted(trial: Town) -> None:
    token, key = await _acting(trial), a_machine()
    request = _wanted(key)
    made = await _ask(trial, token, request)
    assert (made.state, made.environment) == (ACTIVE, resources_pb2.CLIENT_ENVIRONMENT_SANDBOX)
    assert (made.quota.per_second, made.quota.per_day) == (10, 10_000)
    left = made.expire_time.ToDatetime(UTC) - trial.service.process.wall.now()
    assert timedelta(days=89) < left <= timedelta(days=90)
    assert await _ask(trial, token, request) == made
    machine = Machine(made.name.removeprefix("clients/"), key.key)
    mine, refused = await asked_from(trial, None, **own(trial, machine))
    assert refused == ""
    assert (await get(trial, made.name, mine)).name == made.name
    told = await _usage(trial, made.name, mine)
    assert (told.calls, told.refused_calls, list(told.scopes)) == (2, 0, [READ, LIST])


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": [READ, "identity.clients.create"]},
        {"scopes": [READ, "identity.persons.get"]},
        {"scopes": ["identity.clients.list"]},
        {"scopes": ["identity.clients.*"]},
        {"kind": CHANNEL, "assertion_right": RIGHT},
        {"sign_in": resources_pb2.ClientSignIn(redirect_uris=["https://partner.test/back"])},
        {"device_sign_in": True},
        {"backchannel_logout_uri": "https://partner.test/out"},
    ],
)
async def test_what_could_touch_others_waits_for_people(trial: Town, fields: dict[str, Any]) -> None:
    token, key = await _acting(trial), a_machine()
    asked = await _ask(trial, token, _wanted(key, **fields))
    assert (asked.state, asked.approvals) == (REQUESTED, 0)
    machine = Machine(asked.name.removeprefix("clients/"), key.key)
    assert await asked_from(trial, None, **own(trial, machine)) == ("", "CLIENT_NOT_ACTIVE")


async def test_a_region_of_real_affairs_gives_nothing_at_once(home: Town) -> None:
    asked = await _ask(home, await _acting(home), _wanted(a_machine()))
    assert (asked.state, asked.quota.per_day, asked.HasField("expire_time")) == (REQUESTED, 0, False)


async def test_less_may_be_asked_for_and_more_is_cut(trial: Town) -> None:
    token, soon = await _acting(trial), trial.service.process.wall.now() + timedelta(days=7)
    quota = resources_pb2.ClientQuota(per_second=2, per_day=10**9)
    request = _wanted(a_machine(), quota=quota)
    request.client.expire_time.FromDatetime(soon)
    made = await _ask(trial, token, request)
    assert (made.quota.per_second, made.quota.per_day) == (2, 10_000)
    assert made.expire_time.ToDatetime(UTC) == soon
    request = _wanted(a_machine())
    request.client.expire_time.FromDatetime(soon + timedelta(days=365))
    assert (await _ask(trial, token, request)).expire_time.ToDatetime(UTC) < soon + timedelta(days=84)


async def test_a_firm_has_ten_at_most_and_one_that_ended_makes_room(trial: Town) -> None:
    token = await _acting(trial)
    made = [await _ask(trial, token, _wanted(a_machine())) for _ in range(10)]
    assert await reason_of(_ask(trial, token, _wanted(a_machine()))) == "STATE_CONFLICT"
    async with trial.service.process.database.transaction() as connection:
        await sql.execute(
            connection,
            f"UPDATE clients SET expire_time = now() WHERE id = '{made[0].name.removeprefix('clients/')}'",
        )
    assert (await _ask(trial, token, _wanted(a_machine()))).state == ACTIVE
    assert await reason_of(_ask(trial, token, _wanted(a_machine()))) == "STATE_CONFLICT"
