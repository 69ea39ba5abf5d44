"""The chaos tests run on the same two regions as the system tests, in a start of their own, with one replica of each service.

What a service does alone when it is killed or hangs is what they measure; with two, the other would hide it.
"""

import pytest

from tests.system.conftest import partners_door, regions, running_cluster, verifier

__all__ = ["partners_door", "regions", "running_cluster", "verifier"]


@pytest.fixture(scope="session")
def replicas() -> dict[str, int]:
    """One of each service."""
    return {}
