"""A region with its office, and two regions that trust each other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.support.client_keys import Machine
from tests.support.service import Ground
from tests.support.signing_in import Browser, Opened
from tests.support.town import LIUAN, TIANNING, Town, town, trusted
from tongban.identity.v1 import resources_pb2 as pb

POSTS = (
    ("receiving", pb.DUTY_RECEIVING),
    ("reviewing", pb.DUTY_REVIEWING),
    ("administration", pb.DUTY_ADMINISTRATION),
    ("auditing", pb.DUTY_AUDITING),
)


@dataclass(frozen=True)
class Federation:
    """Two regions that trust each other."""

    home: Town
    away: Town


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A region with a department, posts and staff, and a channel."""
    async with town(ground, tmp_path_factory.mktemp("home"), LIUAN) as found:
        await found.settle(*POSTS)
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def federation(home: Town, ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Federation]:
    """The region and another one, each on the other's trust list."""
    async with town(ground, tmp_path_factory.mktemp("away"), TIANNING) as away:
        await away.settle(*POSTS)
        await home.trust(away)
        await away.trust(home, trusted(3))
        yield Federation(home, away)


@pytest_asyncio.fixture(loop_scope="module")
async def opened(home: Town) -> AsyncIterator[Opened]:
    """Opens browsers without a memory, and closes them."""
    made: list[Browser] = []

    def another(party: Machine) -> Browser:
        made.append(Browser(home, party))
        return made[-1]

    yield another
    for each in made:
        await each.close()
