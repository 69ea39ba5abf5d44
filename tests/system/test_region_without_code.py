"""Two regions of which one has an id that is no code (decision 0044): a case and licences cross, and so do people, both ways.

芜湖县, 340221, became 湾沚区, 340210: its id is `wanzhi`, and stands in every name, token, QR code and certificate of it.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.demo.application import Stage
from deploy.local.demo.case_story import CaseStory
from deploy.local.launch import Cluster
from deploy.local.regions import LIUAN, WANZHI
from deploy.pki.region_root import ROOT_FILE
from tests.support.ports import free_port
from tests.support.regions import OPENING, Regions, open_both, set_clocks
from tongban.identity.v1 import region_service_pb2, resources_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
_BOTH = (LIUAN, WANZHI)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Cluster]]:
    folder = tmp_path_factory.mktemp("wanzhi")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    state = folder / "state"
    with Cluster(state, (free_port(), free_port()), replay=True, regions=_BOTH) as cluster:
        yield state, cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(running: tuple[Path, Cluster]) -> AsyncIterator[Regions]:
    state, cluster = running
    set_clocks(state, OPENING, _BOTH)
    found = await open_both(state, cluster, WANZHI)
    yield found
    await found.close()


async def test_a_case_and_its_licences_cross(pair: Regions, tmp_path: Path) -> None:
    """The demo's part A: 六安's window, 湾沚区 decides and licenses, both look at each other's licences and data."""
    said: list[str] = []
    root = (pair.state / LIUAN.id / "root" / ROOT_FILE).read_bytes()

    def set_clock(moment: datetime) -> None:
        set_clocks(pair.state, moment, _BOTH)

    told = await CaseStory(
        pair.home, pair.handling, pair.resource, Stage(set_clock, tmp_path, said.append, root)
    ).tell()
    assert {name: measured for name, (_, measured) in told.checks.items()} == {
        name: wanted for name, (wanted, _) in told.checks.items()
    }
    assert pair.handling.gateway.id == "wanzhi"


async def test_its_people_are_people_here_and_its_codes_change(pair: Regions) -> None:
    token = await pair.handling.token_in(pair.home.gateway, "receiving")
    regions = pair.home.gateway.using(token).identity
    there = await regions.get_region(name="regions/wanzhi")
    assert (there.display_name, list(there.codes)) == (WANZHI.name, [])
    administrator = pair.home.gateway.using(await pair.home.admin_token())
    request = region_service_pb2.SetRegionCodesRequest(
        name=there.name, etag=there.etag, codes=[resources_pb2.RegionCode(code="340210")]
    )
    changed = await administrator.call(request, resources_pb2.Region)
    assert [each.code for each in changed.codes] == ["340210"]
    assert await pair.home.token_in(pair.handling.gateway, "receiving"), "and the other way, under the same id"
