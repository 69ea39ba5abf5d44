"""The Python client as partners install it: alone, with little besides, the same bytes from the same sources."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from proto import client_wheel
from services.gateway.contracts import client_paths

_ALONE = """
import sys
wheel, allowed, entries = sys.argv[1], set(sys.argv[2].split(",")), sys.argv[3:]
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"a partner has no {name}", name=name)
sys.meta_path.insert(0, Nothing())
sys.path.insert(0, wheel)
for entry in entries:
    __import__(entry)
"""
_LIGHT = 15
"""How many distributions, with all that they need themselves, a partner's machine takes for it at most."""


@pytest.fixture(scope="module")
def wheel() -> Path:
    (path,) = client_paths()
    return path


def _closure(names: tuple[str, ...]) -> set[str]:
    """The distributions that these need, however far; as they are called here."""
    found, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        wanted = map(Requirement, metadata.requires(name) or ())
        waiting += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def _imports(distributions: set[str]) -> Iterator[str]:
    """The top-level modules of these, and Python's own."""
    yield from (*sys.stdlib_module_names, "tongban", "tongban_client", "buf")
    for module, names in metadata.packages_distributions().items():
        if {each.lower().replace("_", "-") for each in names} & distributions:
            yield module


def _import(wheel: Path, needs: tuple[str, ...], *entries: str) -> subprocess.CompletedProcess[str]:
    """Imports from the wheel alone, where nothing but what it says it needs can be found."""
    allowed = ",".join(_imports(_closure(needs)))
    command = [sys.executable, "-I", "-c", _ALONE, str(wheel), allowed, *entries]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=wheel.parent)


def test_it_is_imported_with_what_it_says_it_needs_alone(wheel: Path) -> None:
    entries = (
        "tongban_client",
        "tongban_client.codes",
        "tongban_client.values",
        "tongban.cases.v1.case_service_pb2_grpc",
    )
    done = _import(wheel, client_wheel.NEEDS, *entries)
    assert done.returncode == 0, done.stderr
    assert len(_closure(client_wheel.NEEDS)) <= _LIGHT


def test_receipts_are_verified_by_what_its_extra_brings(wheel: Path) -> None:
    done = _import(wheel, client_wheel.NEEDS, "tongban_client.verifying")
    assert "a partner has no" in done.stderr
    done = _import(wheel, (*client_wheel.NEEDS, *client_wheel.RECEIPTS), "tongban_client.verifying")
    assert done.returncode == 0, done.stderr


def test_it_holds_its_own_names_alone(wheel: Path) -> None:
    """Whoever has a folder called ``libs`` loses nothing by it."""
    with zipfile.ZipFile(wheel) as archive:
        sources = {each: archive.read(each).decode() for each in archive.namelist() if each.endswith(".py")}
    assert {each.partition("/")[0] for each in sources} == {"tongban_client", "tongban", "buf"}
    naming = [
        name
        for name, text in sources.items()
        for line in text.splitlines()
        if line.startswith(("from libs", "import libs"))
    ]
    assert naming == []


def test_what_lies_ready_is_of_these_sources_and_they_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    made = [client_wheel.make(tmp_path / name).read_bytes() for name in ("one", "two")]
    assert made[0] == made[1]
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == hashlib.sha256(made[0]).hexdigest()
