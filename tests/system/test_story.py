"""The demo's part A, the cross-province case, told once by its own classes: every check it makes must come out."""

from datetime import datetime
from pathlib import Path

import pytest

from deploy.local.demo.application import Stage
from deploy.local.demo.case_story import CaseStory
from deploy.pki.region_root import ROOT_FILE
from tests.support.regions import OPENING, Regions

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_the_cross_province_case_comes_out(regions: Regions, tmp_path: Path) -> None:
    said: list[str] = []
    root = (regions.state / regions.home.gateway.id / "root" / ROOT_FILE).read_bytes()

    def set_clock(moment: datetime) -> None:
        regions.set_clock(moment)

    story = CaseStory(regions.home, regions.handling, regions.resource, Stage(set_clock, tmp_path, said.append, root))
    try:
        told = await story.tell()
    finally:
        regions.set_clock(OPENING)
    assert {name: measured for name, (_, measured) in told.checks.items()} == {
        name: wanted for name, (wanted, _) in told.checks.items()
    }
    assert all(path.stat().st_size for path in told.files.values())
    assert [line[0] for line in said if line[0].isdigit()] == ["1", "2", "3", "4", "5", "6", "7", "8"]
