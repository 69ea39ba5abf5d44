"""A region with an identity provider of others beside it, and browsers."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.identity.app import signing_keys
from tests.support.elsewhere import Believed
from tests.support.service import Ground
from tests.support.signing_in import Browser, relying_party
from tests.support.town import LIUAN, town
from tests.support.upstream_double import upstream_double
from tests.support.upstreams import LOCAL, agreed, described
from tongban.identity.v1 import resources_pb2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def believed(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Believed]:
    """All three."""
    with upstream_double() as provider:
        async with town(ground, tmp_path_factory.mktemp("there"), LIUAN, upstreams=LOCAL) as found:
            await found.settle(
                ("receiving", resources_pb2.DUTY_RECEIVING), ("administration", resources_pb2.DUTY_ADMINISTRATION)
            )
            provider.client_keys = signing_keys(found.service.process).public()
            upstream = await agreed(found, described(provider.issuer))
            yield Believed(found, provider, upstream, await relying_party(found))


@pytest_asyncio.fixture(loop_scope="module")
async def browser(believed: Believed) -> AsyncIterator[Browser]:
    """A browser without a memory."""
    found = Browser(believed.town, believed.party)
    yield found
    await found.close()
    believed.provider.refuses.clear()
