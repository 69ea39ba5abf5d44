"""What the token issuer's absence does at the edge: what was valid stays valid, what can't be judged is 503."""

from pathlib import Path

import httpx

from tests.support.edge import Edge, reason_of, running_edge, token_of


def _get(edge: Edge) -> httpx.Response:
    headers = {"authorization": f"Bearer {token_of(edge.url)}"}
    return httpx.get(f"{edge.url}/v1/audit/identity/auditHead", headers=headers, timeout=20, trust_env=False)


def test_what_was_valid_stays_valid(tmp_path: Path) -> None:
    with running_edge(tmp_path, renew="1s") as edge:
        while _get(edge).status_code != 200:
            pass  # the first keys are on their way
        edge.keys.going.clear()
        assert edge.keys.asked_while_frozen.wait(30)
        assert [_get(edge).status_code for _ in range(3)] == [200] * 3


def test_what_can_t_be_judged_is_503_with_the_time_to_come_again(tmp_path: Path) -> None:
    with running_edge(tmp_path, frozen=True) as edge:
        answer = _get(edge)
        assert (answer.status_code, reason_of(answer)) == (503, "DEPENDENCY_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        edge.keys.going.set()
        while (answer := _get(edge)).status_code != 200:
            assert answer.status_code == 503
