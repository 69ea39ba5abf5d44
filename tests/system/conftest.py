"""Two regions of two provinces for all system tests: started once, reached through their gateways only."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.launch import Cluster
from tests.support.ports import free_port
from tests.support.regions import OPENING, Regions, open_both, set_clocks


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Cluster]]:
    """Both regions' processes."""
    folder = tmp_path_factory.mktemp("regions")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    state = folder / "state"
    with Cluster(state, (free_port(), free_port()), replay=True) as cluster:
        yield state, cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def regions(running_cluster: tuple[Path, Cluster]) -> AsyncIterator[Regions]:
    """Both regions, set up."""
    state, cluster = running_cluster
    set_clocks(state, OPENING)
    found = await open_both(state, cluster)
    yield found
    await found.close()
