"""A sandbox's client has no token where real affairs are, nor one of those in a sandbox, also where a backup was brought there."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.errors import InvalidArgument
from services.identity.config import Clients
from tests.service.identity.api_clients.clients import a_machine, asked_from, make, make_channel, own, speaking
from tests.service.identity.conftest import POSTS
from tests.support import sql
from tests.support.service import Ground
from tests.support.town import TIANNING, Town, town
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
PRODUCTION, SANDBOX = resources_pb2.CLIENT_ENVIRONMENT_PRODUCTION, resources_pb2.CLIENT_ENVIRONMENT_SANDBOX
OTHER = {"PRODUCTION": SANDBOX, "SANDBOX": PRODUCTION}
NO = "CLIENT_WRONG_ENVIRONMENT"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trial(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A region to try things in."""
    sandbox = Clients(environment="SANDBOX")
    async with town(ground, tmp_path_factory.mktemp("trial"), TIANNING, clients=sandbox) as found:
        await found.settle(*POSTS)
        yield found


async def _brought_from(region: Town, client: str, environment: str) -> None:
    """Makes a client one that a backup of another region brought."""
    async with region.service.process.database.transaction() as connection:
        await sql.execute(
            connection,
            f"UPDATE clients SET environment = '{environment}' WHERE id = '{client.removeprefix('clients/')}'",
        )


@pytest.mark.parametrize("name", ["PRODUCTION", "SANDBOX"])
async def test_each_region_gives_tokens_to_clients_of_its_own_kind(home: Town, trial: Town, name: str) -> None:
    region, other = (home, "SANDBOX") if name == "PRODUCTION" else (trial, "PRODUCTION")
    machine, channel, person = a_machine(), a_machine("app"), await region.person()
    made = await make(region, machine)
    assert resources_pb2.ClientEnvironment.Name(made.environment) == f"CLIENT_ENVIRONMENT_{name}"
    said = await make(region, a_machine(), environment=made.environment)
    assert said.environment == made.environment
    speaks = await make_channel(region, channel)
    forms = (own(region, machine), speaking(region, channel, person))
    assert [(await asked_from(region, None, **form))[1] for form in forms] == ["", ""]
    await _brought_from(region, made.name, other)
    await _brought_from(region, speaks.name, other)
    forms = (own(region, machine), speaking(region, channel, person))
    assert [await asked_from(region, None, **form) for form in forms] == [("", NO), ("", NO)]
    with pytest.raises(InvalidArgument) as refused:
        await make(region, a_machine(), environment=OTHER[name])
    assert [each.field for each in refused.value.violations] == ["client.environment"]
