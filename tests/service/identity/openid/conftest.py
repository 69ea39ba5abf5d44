"""Somebody with a password, a client that people sign in to, and a browser."""

import pytest_asyncio

from tests.support.client_keys import Machine
from tests.support.signing_in import Browser, Opened, enrolled, relying_party
from tests.support.town import Town


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def person(home: Town) -> str:
    """Somebody who has set a password."""
    return await enrolled(home)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def party(home: Town) -> Machine:
    """A client that people sign in to."""
    return await relying_party(home)


@pytest_asyncio.fixture(loop_scope="module")
async def browser(party: Machine, opened: Opened) -> Browser:
    """A browser without a memory."""
    return opened(party)
