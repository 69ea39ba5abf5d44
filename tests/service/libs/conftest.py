"""What the tests of the libraries stand on: a line between two services, with short pauses."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.events import consumer as consumer_module
from tests.support.line import Line
from tests.support.process import process_of
from tests.support.service import Ground


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds."""
    monkeypatch.setattr(consumer_module, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(consumer_module, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(consumer_module, "_BLOCK_MS", 50)
    monkeypatch.setattr("libs.db.leader._TRY_AGAIN_SECONDS", 0.05)


@pytest_asyncio.fixture
async def line(ground: Ground, quickly: None) -> AsyncIterator[Line]:
    """A producer and a consumer."""
    async with process_of(ground) as producer, process_of(ground) as consumer:
        yield Line(producer, consumer)
