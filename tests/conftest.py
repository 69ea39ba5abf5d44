"""What all tests share: one PostgreSQL and one Redis a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.backends import Backends, backends
from tests.support.service import Ground

# How long an example takes is the machine's business; time limits stand in ./run bench.
settings.register_profile("tongban", deadline=None)
settings.load_profile("tongban")


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
