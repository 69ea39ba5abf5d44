"""Two regions of which one has an id that is no code (decision 0044), and runs a later release (0047): a case and licences cross, and
so do people, both ways.

芜湖县, 340221, became 湾沚区, 340210: its id is `wanzhi`, and stands in every name, token, QR code and certificate of it. All its
processes run by tomorrow's contracts (`tests.support.tomorrow`), which have a state, a payload and fields more than 六安's.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.demo.application import Stage
from deploy.local.demo.case_story import CaseStory
from deploy.local.demo.office import Office
from deploy.local.launch import Cluster
from deploy.local.regions import LIUAN, WANZHI
from deploy.pki.region_root import ROOT_FILE
from libs.rpc.editions import own_release
from libs.rpc.images import image_path
from tests.support import tomorrow
from tests.support.later_release import lay_out, running_by
from tests.support.ports import free_port
from tests.support.process import until
from tests.support.regions import OPENING, Regions, open_both, owner, set_clocks
from tongban.identity.v1 import region_service_pb2, resources_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
_BOTH = (LIUAN, WANZHI)
_SWEPT_WITHIN = 90.0
"""Seconds: two looks of the sweep, on a machine that has other things to do."""


@dataclass(frozen=True)
class Running:
    """Both regions' processes; ``state`` is the first one's state folder, and the second one's folder is in it too."""

    state: Path
    contracts: Path
    today: Cluster
    later: Cluster


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("wanzhi")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    states = folder / "today", folder / "later"
    contracts = lay_out(folder / "contracts")
    with running_by(contracts):
        later = Cluster(states[1], (free_port(),), replay=True, regions=(WANZHI,))
        later.start()
    try:
        with Cluster(states[0], (free_port(),), replay=True, regions=(LIUAN,)) as today:
            (states[0] / WANZHI.id).symlink_to(states[1] / WANZHI.id)
            yield Running(states[0], contracts, today, later)
    finally:
        later.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(running: Running) -> AsyncIterator[Regions]:
    set_clocks(running.state, OPENING, _BOTH)
    found = await open_both(running.state, running.today, WANZHI, running.later)
    yield found
    await found.close()


async def test_each_runs_by_contracts_of_its_own(pair: Regions) -> None:
    images = [(await office.gateway.http.get("/tongban.binpb")).content for office in (pair.home, pair.handling)]
    assert images == [image_path().read_bytes(), tomorrow.image()]


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
    assert await _sent(pair, pair.home) == {own_release()}
    assert await _sent(pair, pair.handling) == {tomorrow.RELEASE}


async def _sent(pair: Regions, office: Office) -> set[str]:
    """The releases under which a region has sent its messages; each was receipted."""
    async with owner(pair.state, office.gateway.id, "cases") as connection:
        sent = await connection.fetch("SELECT release, state FROM transfer_messages WHERE NOT incoming")
    assert {row["state"] for row in sent} == {"RECEIPTED"}
    return {row["release"] for row in sent}


_KEPT = "SELECT release, doubts FROM transfer_messages WHERE incoming AND state <> 'APPLIED' ORDER BY sequence"
"""What came to a region that it does not understand: of which release, and what of it."""


async def test_what_only_the_later_release_says_is_kept_until_the_other_is_upgraded(
    pair: Regions, running: Running
) -> None:
    """湾沚区 has told the case's progress with a field and a state of tomorrow; 六安's application lacked what is required there."""
    field = f"{tomorrow.REQUIRED_FIELD}: protobuf.unknown_field"
    async with owner(pair.state, WANZHI.id, "cases") as connection:
        assert await connection.fetch(_KEPT) == []
    async with owner(pair.state, LIUAN.id, "cases") as connection:
        assert [(row["release"], set(row["doubts"])) for row in await connection.fetch(_KEPT)] == [
            (tomorrow.RELEASE, {field}),
            (tomorrow.RELEASE, {field, "state: protobuf.unknown_value"}),
        ]
    running.today.stop()
    with running_by(running.contracts):
        running.today.start()
    async with owner(pair.state, LIUAN.id, "cases") as connection:

        async def all_is_understood() -> bool:
            return not await connection.fetch(_KEPT)

        await until(all_is_understood, _SWEPT_WITHIN)


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
