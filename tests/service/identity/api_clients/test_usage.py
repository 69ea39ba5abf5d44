"""A client reads its own use, and who answers for it does; nobody else learns that there is such a client."""

from typing import Any

import pytest

from tests.service.identity.api_clients.clients import a_machine, asked_from, called, get, make, own
from tests.support.client_keys import Machine
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
READ = "identity.clients.get"


async def _usage(home: Town, name: str, token: str = "") -> resources_pb2.Usage:
    request = pb.GetUsageRequest(name=f"{name}/usage")
    return await home.call(home.clients.GetUsage, request, resources_pb2.Usage, token or await home.admin_token())


async def _partner(home: Town, per_second: int = 0, per_day: int = 0, **fields: Any) -> tuple[str, Machine, str]:
    machine = a_machine()
    quota = resources_pb2.ClientQuota(per_second=per_second, per_day=per_day)
    made = await make(home, machine, scopes=[READ], quota=quota, **fields)
    token, refused = await asked_from(home, None, **own(home, machine))
    assert refused == ""
    return made.name, machine, token


async def test_a_client_sees_each_of_its_calls_and_what_was_held_back(home: Town) -> None:
    name, machine, token = await _partner(home, per_day=4)
    for seen in (1, 2):
        # The call that asks is one of them.
        told = await _usage(home, name, token)
        assert (told.calls, told.refused_calls) == (seen, 0)
    assert (await get(home, name, token)).name == name
    assert list((await _usage(home, name, token)).warnings) == [resources_pb2.USAGE_WARNING_DAY_NEARLY_USED]
    for _ in range(3):
        assert await called(home.clients.GetClient, pb.GetClientRequest(name=name), token) == "RATE_LIMITED"
    # An administrator asks on, and takes nothing of it.
    for _ in range(2):
        told = await _usage(home, name)
        assert (told.calls, told.refused_calls, told.quota.per_day) == (4, 3, 4)
    assert [(each.kid, each.replaced) for each in told.credentials] == [(machine.key.kid, False)]
    assert list(told.scopes) == [READ]


async def test_a_quota_of_seconds_counts_the_day_too(home: Town) -> None:
    name, _, token = await _partner(home, per_second=1000)
    for seen in (1, 2, 3):
        assert (await _usage(home, name, token)).calls == seen


async def test_who_has_no_quota_is_not_counted(home: Town) -> None:
    name, _, token = await _partner(home)
    told = await _usage(home, name, token)
    assert (told.HasField("calls"), told.HasField("refused_calls"), told.client_state) == (
        False,
        False,
        resources_pb2.CLIENT_STATE_ACTIVE,
    )


async def test_others_do_not_learn_of_it(home: Town) -> None:
    name, _, _ = await _partner(home, per_day=9)
    _, _, other = await _partner(home, per_day=9)
    assert await reason_of(_usage(home, name, other)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_usage(home, f"clients/n{request_id()[:8]}", other)) == "RESOURCE_NOT_FOUND"
    person = await home.human_token(await home.person())
    assert await reason_of(_usage(home, name, person)) == "RESOURCE_NOT_FOUND"


async def test_who_acts_for_the_firm_sees_what_its_clients_use(home: Town) -> None:
    boss, other = await home.person(), await home.person()
    firm, foreign = (await home.firm(boss)).name, (await home.firm(other)).name
    name, _, token = await _partner(home, per_day=9, owner=firm)
    await _usage(home, name, token)
    acting = await home.exchange(await home.human_token(boss), on_behalf_of=firm)
    assert (await _usage(home, name, acting)).calls == 1
    elsewhere = await home.exchange(await home.human_token(other), on_behalf_of=foreign)
    assert await reason_of(_usage(home, name, elsewhere)) == "RESOURCE_NOT_FOUND"
