"""The real Envoy gives no call to a service whose circuit is open, and tells so at once."""

import time
from collections.abc import Iterator

import httpx
import pytest

from services.gateway import circuits
from tests.support.edge import Edge, reason_of, running_edge
from tests.support.patience import PATIENCE

_PATH = "/v1/audit/identity/auditHead"
_OF_THE_SAME_PROCESS = "/.well-known/jwks.json"
_PATIENCE = 20.0


@pytest.fixture
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge")) as running:
        yield running


def _answers(client: httpx.Client, edge: Edge, code: int) -> httpx.Response:
    """Asks until the answer has this code."""
    end = time.monotonic() + _PATIENCE
    while (answer := client.get(_PATH)).status_code != code:
        assert time.monotonic() < end, answer.text
    return answer


def test_an_open_circuit_is_told_and_closed_again(edge: Edge) -> None:
    with httpx.Client(base_url=edge.url, timeout=PATIENCE, trust_env=False) as client:
        _answers(client, edge, 200)
        circuits.write(edge.config, {"identity"})
        answer = _answers(client, edge, 503)
        assert reason_of(answer) == "DEPENDENCY_UNAVAILABLE"
        assert float(answer.headers["retry-after"]) > 0
        assert reason_of(client.get(_OF_THE_SAME_PROCESS)) == "DEPENDENCY_UNAVAILABLE"
        circuits.write(edge.config, ())
        _answers(client, edge, 200)
