"""One running seal service a module: tests make their own seals in it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.seal_office import SealOffice, seal_office
from tests.support.service import Ground


@pytest_asyncio.fixture
async def office(ground: Ground) -> AsyncIterator[SealOffice]:
    """The seal service on a fresh database."""
    async with seal_office(ground) as running:
        yield running
