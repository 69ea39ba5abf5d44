"""The laboratory of the stages."""

from pathlib import Path

import pytest

from tests.support.rpc_lab import Lab, make_lab


@pytest.fixture(scope="module")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture
def lab(lab_folder: Path) -> Lab:
    return make_lab(lab_folder)
