"""The wire by which the other tests cut a connection leaves nothing open itself."""

import asyncio
import gc
import socket
import warnings

import pytest

from tests.support.backends import HOST
from tests.support.wire import wire_to


@pytest.mark.parametrize("turns", range(5))
async def test_who_connects_at_the_wires_end_is_closed(turns: int) -> None:
    """Whatever is done with it: it waits, is accepted, has a transport, is carried."""
    with warnings.catch_warnings(record=True) as told, socket.create_server((HOST, 0)) as server:
        warnings.simplefilter("always")
        async with wire_to(f"tcp://{HOST}:{server.getsockname()[1]}") as wire:
            client = socket.create_connection((HOST, wire.port))
            for _ in range(turns):
                await asyncio.sleep(0)
        client.close()
        gc.collect()
    assert [str(each.message) for each in told] == []
