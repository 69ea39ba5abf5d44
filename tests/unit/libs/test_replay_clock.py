"""The replay clock runs beside the machine's, by the offset in its file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.clock.replay import ReplayClock, set_replay

MAY = datetime(2024, 5, 6, 8, tzinfo=UTC)
_SOON = timedelta(seconds=30)


def test_it_shows_the_moment_that_was_set_and_runs_on(tmp_path: Path) -> None:
    file = tmp_path / "replay"
    set_replay(file, MAY)
    clock = ReplayClock(file)
    first, second = clock.now(), clock.now()
    assert MAY <= first <= second < MAY + _SOON
    assert first.tzinfo is UTC


def test_a_new_moment_holds_from_the_next_call(tmp_path: Path) -> None:
    file = tmp_path / "replay"
    set_replay(file, MAY)
    clocks = ReplayClock(file), ReplayClock(file)
    clocks[0].now()
    set_replay(file, MAY + timedelta(days=30))
    for clock in clocks:
        assert timedelta(days=30) <= clock.now() - MAY < timedelta(days=30) + _SOON


def test_it_may_go_back(tmp_path: Path) -> None:
    file = tmp_path / "replay"
    set_replay(file, MAY)
    clock = ReplayClock(file)
    clock.now()
    set_replay(file, MAY - timedelta(days=365))
    assert clock.now() < MAY


def test_without_its_file_it_does_not_guess(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ReplayClock(tmp_path / "none").now()


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    set_replay(tmp_path / "replay", MAY)
    assert [path.name for path in tmp_path.iterdir()] == ["replay"]
