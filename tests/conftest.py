"""What all tests share: one PostgreSQL and one Redis a session."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.backends import Backends, backends
from tests.support.emitting import Emitting
from tests.support.emitting import recording as emitting_recording
from tests.support.provoked import Provoked, recording
from tests.support.service import Ground

_TESTS = Path(__file__).parent
_WHOLE_REGIONS = ("deploy", "gateway")
"""Folders whose tests start processes: nothing can be noted there."""

# How long an example takes is the machine's business; time limits stand in ./run bench.
settings.register_profile("tongban", deadline=None)
settings.load_profile("tongban")


@pytest.fixture(scope="session")
def provoked(request: pytest.FixtureRequest) -> Iterator[Provoked]:
    """What the RPCs of all services are refused with; after all service tests, what none of them provokes."""
    with recording() as found:
        yield found
    _write(found)
    if _all_of(request.session):
        assert found.missing() == []


@pytest.fixture(scope="session")
def emitting(request: pytest.FixtureRequest) -> Iterator[Emitting]:
    """What the RPCs of all services emit; after all service tests, what of that none of them has emitted."""
    with emitting_recording() as found:
        yield found
    if path := os.environ.get("TONGBAN_EMITTED"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{rpc} {kind}\n" for rpc, kind in sorted(found.seen))
    if _all_of(request.session):
        assert found.missing() == []


def pytest_collection_finish() -> None:
    """Leaves what lives as long as the suite to itself: to look through all of it again and again stops every loop for a second."""
    gc.collect()
    gc.freeze()


def _write(found: Provoked) -> None:
    if path := os.environ.get("TONGBAN_PROVOKED"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{rpc} {reason}\n" for rpc, reason in sorted(found.seen))


def _all_of(session: pytest.Session) -> bool:
    """Whether all tests of services ran through, so that what they leave out is left out."""
    there = {path for path in (_TESTS / "service").rglob("test_*.py") if path.parent.name not in _WHOLE_REGIONS}
    there |= {_TESTS / "conformance" / f"test_{name}.py" for name in ("refusals", "bad_input", "request_ids")}
    taken = {item.path for item in session.items}
    return there <= taken and not session.config.option.keyword and not session.testsfailed


@pytest.fixture(autouse=True)
def only_declared_reasons(provoked: Provoked) -> Iterator[None]:
    """No RPC is refused with what its contract does not tell (`refuses` of the RPC)."""
    yield
    assert provoked.take_undeclared() == []


@pytest.fixture(autouse=True)
def only_declared_events(emitting: Emitting) -> Iterator[None]:
    """No RPC emits what its contract does not tell (`emits` of the RPC)."""
    yield
    assert emitting.take_undeclared() == []


@pytest.fixture(scope="session")
def running_backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """PostgreSQL and Redis."""
    folder: Path = tmp_path_factory.mktemp("backends")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    with backends(folder) as found:
        yield found


@pytest.fixture(scope="session")
def ground(running_backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """What services under test stand on."""
    return Ground(running_backends, tmp_path_factory.mktemp("ground"))
