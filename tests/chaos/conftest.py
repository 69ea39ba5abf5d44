"""The chaos tests run on the same two regions as the system tests, in a start of their own."""

from tests.system.conftest import regions, running_cluster

__all__ = ["regions", "running_cluster"]
