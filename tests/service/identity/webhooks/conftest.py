"""A region whose webhooks nobody serves but the test."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.identity.webhooks.worker import WebhookWorker
from tests.service.identity.conftest import POSTS
from tests.support import sql
from tests.support.service import Ground
from tests.support.town import LIUAN, Town, town
from tests.support.webhooks import LOCAL, Post, Receiver, receiving


async def _idle(_worker: WebhookWorker) -> None:
    await asyncio.Event().wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """The region."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WebhookWorker, "run", _idle)
        async with town(ground, tmp_path_factory.mktemp("post"), LIUAN, webhooks=LOCAL) as found:
            await found.settle(*POSTS)
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def post(place: Town) -> AsyncIterator[Post]:
    """Its webhooks, all of them new."""
    found = Post(place)
    async with place.service.process.database.transaction() as connection:
        await sql.execute(connection, "UPDATE webhook_turns SET turn_time = NULL")
    yield found
    await found.close()


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver."""
    async with receiving() as found:
        yield found
