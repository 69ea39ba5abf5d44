"""``./run new`` writes what passes every check of form, and tests that fail until somebody has filled them.

In a copy of the project. mypy sees the new feature; import-linter, buf and the conformance tests that read contracts and
sources see all of it: they take seconds, and are what a new RPC of the wrong form fails.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_MADE = [
    line.strip("/") for line in _ROOT.joinpath(".gitignore").read_text(encoding="utf-8").split() if "/gen" not in line
]
_LEFT = shutil.ignore_patterns(".git", *_MADE)
"""What was made or fetched here: the copy makes its own."""
_CONFORMANCE = ("contracts", "registry", "handlers", "features", "permissions_have_holders", "client", "events")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a feature and an RPC more."""
    folder = tmp_path_factory.mktemp("scaffold") / "tongban"
    shutil.copytree(_ROOT, folder, ignore=_LEFT)
    _must(folder, "-m", "deploy.scaffold", "feature", "license/site_visits")
    _must(folder, "-m", "deploy.scaffold", "rpc", "license/site_visits", "BookSiteVisit")
    _must(folder, "proto/compile.py")
    return folder


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(folder), str(folder / "proto" / "gen")))
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = os.environ | {"PYTHONPATH": path, "PATH": programs}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _must(folder: Path, *arguments: str) -> None:
    done = _run(folder, sys.executable, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_what_is_written_passes_the_checks(copy: Path) -> None:
    _must(copy, "-m", "ruff", "check", ".")
    _must(copy, "-m", "ruff", "format", "--check", ".")
    _must(copy, "-m", "mypy", "-p", "services.license.site_visits", "-m", "services.license.app")
    linted = _run(copy, "lint-imports", "--no-cache")
    assert linted.returncode == 0, linted.stdout
    buf = _run(copy / "proto", "buf", "lint", "gen/tongban.binpb", "--path", "tongban")
    assert buf.returncode == 0, buf.stdout + buf.stderr
    _must(copy, "-m", "pytest", "-q", *(f"tests/conformance/test_{each}.py" for each in _CONFORMANCE))


@pytest.mark.timeout(300)
def test_its_tests_fail_until_they_are_filled(copy: Path) -> None:
    places = ("tests/unit/license/site_visits", "tests/service/license/site_visits")
    done = _run(copy, sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *places)
    assert done.returncode == 1, done.stdout
    assert "8 failed" in done.stdout
    assert "passed" not in done.stdout


def test_what_stands_already_is_left_alone(copy: Path) -> None:
    for arguments in (("feature", "license/site_visits"), ("rpc", "license/site_visits", "BookSiteVisit")):
        done = _run(copy, sys.executable, "-m", "deploy.scaffold", *arguments)
        assert (done.returncode, "stands already" in done.stderr) == (1, True)


@pytest.mark.parametrize("place", ["cases", "Cases/visits", "cases/core", "nobody/visits", "../cases/visits"])
def test_a_name_that_does_not_fit_changes_nothing(copy: Path, place: str) -> None:
    done = _run(copy, sys.executable, "-m", "deploy.scaffold", "feature", place)
    assert done.returncode == 1, done.stdout
    assert done.stderr
