"""The laboratory of the stages; each service in turn, for what every RPC is asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.process import Process
from libs.security.withdrawals import Withdrawals
from tests.support import contracts, unchanged
from tests.support.calls import Caller
from tests.support.matrix import one_suspended
from tests.support.rpc_lab import Lab, make_lab
from tests.support.service import Ground, serving
from tests.support.trusting import identity_that_trusts, trust


@pytest.fixture(scope="module")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture
def lab(lab_folder: Path) -> Lab:
    return make_lab(lab_folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=contracts.OWNERS)
async def serving_caller(request: pytest.FixtureRequest, ground: Ground) -> AsyncIterator[Caller]:
    """Each of the five services in turn; its neighbours are away, but for the question whom the region trusts."""
    neighbours = {name: "127.0.0.1:1" for name in contracts.OWNERS if name != request.param}
    async with identity_that_trusts() as identity:

        def prepare(process: Process) -> None:
            process._channels["identity"] = identity
            process.withdrawals = Withdrawals(one_suspended)

        async with serving(ground, request.param, prepare=prepare, neighbours=neighbours) as service:
            if request.param == "identity":
                await trust(service.process)
            found = Caller(service)
            yield found
            await found.close()


@pytest_asyncio.fixture(loop_scope="module")
async def caller(serving_caller: Caller) -> AsyncIterator[Caller]:
    """The same, for tests in which every call is refused: afterwards nothing that the service keeps is changed."""
    before = await unchanged.kept(serving_caller.service)
    yield serving_caller
    assert unchanged.changed(before, await unchanged.kept(serving_caller.service)) == []
