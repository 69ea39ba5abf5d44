"""The real Envoy, once a module."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.edge import Edge, running_edge, token_of
from tests.support.patience import PATIENCE


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge")) as running:
        yield running


@pytest.fixture
def client(edge: Edge) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=edge.url, timeout=PATIENCE, trust_env=False) as opened:
        yield opened


@pytest.fixture
def bearer(edge: Edge) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(edge.url)}"}
