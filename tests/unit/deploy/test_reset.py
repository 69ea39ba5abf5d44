"""`reset` empties sandboxes alone, asks first, and brings back what was there before: as many regions, at their ports, by the operator's settings."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.local import cli, own_settings
from deploy.local.settings import ENVIRONMENT, SANDBOX
from deploy.local.state import RegionSnapshot, Snapshot, StateFolder


class Runs:
    """What `reset` has started."""

    def __init__(self) -> None:
        self.ups: list[dict[str, Any]] = []

    def up(self, **options: Any) -> None:
        self.ups.append(options)


def _up(state: Path, regions: int, port: int, port2: int | None) -> dict[str, Any]:
    """What `up --sandbox --detach` is told."""
    told = {"regions": regions, "detach": True, "state": state, "port": port, "port2": port2}
    return told | {"replicas": None, "sandbox": True}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()
    monkeypatch.setattr(cli, "up", made.up)
    return made


def _state(tmp_path: Path, **kinds: str) -> Path:
    """A state folder of regions, each made for something; an empty word where nothing was said."""
    folder = StateFolder(tmp_path / "state")
    regions = []
    with folder.lock():
        for number, (region, kind) in enumerate(kinds.items()):
            place = folder.folder / region.removeprefix("r")
            place.mkdir()
            (place / "data").write_text("x", encoding="utf-8")
            if kind:
                (place / ENVIRONMENT).write_text(kind, encoding="ascii")
            regions.append(RegionSnapshot(place.name, "甲", f"http://127.0.0.1:{9000 + number}", str(place)))
        folder.write(Snapshot(1, False, "", regions, []))
    return folder.folder


def _reset(state: Path, *options: str, typed: str = "") -> tuple[int, str]:
    answer = CliRunner().invoke(cli.app, ["reset", "--state", str(state), *options], input=typed)
    return answer.exit_code, answer.output


def test_a_sandbox_is_emptied_and_furnished_anew_as_it_was_set_up(tmp_path: Path, runs: Runs) -> None:
    state = _state(tmp_path, r341500=SANDBOX, r320402=SANDBOX)
    (state / own_settings.FILE).write_text("[services]", encoding="utf-8")
    assert _reset(state, "--yes")[0] == 0
    assert runs.ups == [_up(state, 2, 9000, 9001)]
    assert [each.name for each in state.iterdir()] == [own_settings.FILE]
    assert (state / own_settings.FILE).read_text(encoding="utf-8") == "[services]"


def test_one_region_comes_back_alone(tmp_path: Path, runs: Runs) -> None:
    state = _state(tmp_path, r341500=SANDBOX)
    assert _reset(state, "--yes")[0] == 0
    assert runs.ups == [_up(state, 1, 9000, None)]
    assert not state.exists()


@pytest.mark.parametrize("kind", ["", "PRODUCTION"])
def test_a_region_of_real_affairs_is_not_touched_nor_its_neighbour(tmp_path: Path, runs: Runs, kind: str) -> None:
    state = _state(tmp_path, r341500=SANDBOX, r320402=kind)
    code, said = _reset(state, "--yes")
    assert code == 1
    assert "region 320402 is for real affairs: only a sandbox is emptied" in said
    assert (state / "341500" / "data").exists()
    assert (state / "320402" / "data").exists()
    assert runs.ups == []


def test_a_region_of_real_affairs_that_is_not_up_is_not_deleted_with_the_others(tmp_path: Path, runs: Runs) -> None:
    state = _state(tmp_path, r341500=SANDBOX)
    (state / "320402").mkdir()
    (state / "320402" / ENVIRONMENT).write_text("PRODUCTION", encoding="ascii")
    code, said = _reset(state, "--yes")
    assert code == 1
    assert "region 320402 is for real affairs: only a sandbox is emptied" in said
    assert (state / "341500" / "data").exists()
    assert (state / "320402" / ENVIRONMENT).exists()
    assert runs.ups == []


def test_settings_are_never_away(tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    state = _state(tmp_path, r341500=SANDBOX)
    (state / own_settings.FILE).write_text("[services]", encoding="utf-8")
    before = (state / own_settings.FILE).stat().st_ino

    def killed(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.local.state.shutil.rmtree", killed)
    assert _reset(state, "--yes")[0] != 0
    assert (state / own_settings.FILE).stat().st_ino == before
    assert runs.ups == []


def test_it_asks_first(tmp_path: Path, runs: Runs) -> None:
    state = _state(tmp_path, r341500=SANDBOX)
    assert _reset(state, typed="n\n")[0] == 1
    assert (state / "341500" / "data").exists()
    assert runs.ups == []


def test_where_nothing_was_started_nothing_is_made(tmp_path: Path, runs: Runs) -> None:
    code, said = _reset(tmp_path / "none", "--yes")
    assert code == 1
    assert "no region was started from here" in said
    assert runs.ups == []
