"""The eighteen partner regions of 天宁, as the files that they hand over (`./run trust show`): synthetic, and nobody runs them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import region_file
from deploy.local.region_file import RegionFile
from tests.support.backends import HOST

FOLDER = Path(__file__).with_name("partners")
IDS = tuple(sorted(each.stem for each in FOLDER.glob("*.json")))


def partner_files() -> list[RegionFile]:
    """The files, by id. Their keys have no private halves anywhere."""
    return [region_file.read((FOLDER / f"{each}.json").read_bytes()) for each in IDS]


@dataclass
class DarkGateways:
    """Gateways that take connections and say nothing.

    Attributes:
        addresses: host and port of each, by region.
        most: how many connections each had at once, at most.
    """

    addresses: dict[str, str] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)
    _open: Counter[str] = field(default_factory=Counter)

    async def hold(self, region: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Holds a connection until the other side gives it up."""
        self._open[region] += 1
        self.most[region] = max(self.most[region], self._open[region])
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        finally:
            self._open[region] -= 1
            writer.close()


@asynccontextmanager
async def dark_gateways(*regions: str) -> AsyncIterator[DarkGateways]:
    """Runs one for each of ``regions``."""
    dark = DarkGateways()

    async def start(region: str) -> asyncio.Server:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await dark.hold(region, reader, writer)

        return await asyncio.start_server(hold, HOST, 0)

    async with AsyncExitStack() as stack:
        for each in regions:
            server = await stack.enter_async_context(await start(each))
            dark.addresses[each] = f"{HOST}:{server.sockets[0].getsockname()[1]}"
        yield dark
