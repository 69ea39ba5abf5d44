"""One authority for all tests of the seal core: nothing in it changes."""

import pytest

from tests.support.seals import SealKit, make_kit


@pytest.fixture(scope="session")
def kit() -> SealKit:
    """An authority with one seal."""
    return make_kit()
