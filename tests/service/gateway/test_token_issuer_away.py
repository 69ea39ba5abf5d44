"""The token issuer's keys at the edge: kept while it is away, and changed as it changes them."""

from pathlib import Path

import httpx
from joserfc.jwk import ECKey

from tests.support.edge import KEY, Edge, reason_of, running_edge, token_of
from tests.support.patience import PATIENCE


def _get(edge: Edge, key: ECKey = KEY) -> httpx.Response:
    headers = {"authorization": f"Bearer {token_of(edge.url, key=key)}"}
    return httpx.get(f"{edge.url}/v1/audit/identity/auditHead", headers=headers, timeout=PATIENCE, trust_env=False)


def test_what_was_valid_stays_valid(tmp_path: Path) -> None:
    with running_edge(tmp_path) as edge:
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


def _key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


def test_a_rotation_is_never_noticed(tmp_path: Path) -> None:
    """The next key is published before it signs, and the last one stays published: neither is refused once."""
    following = _key("next")
    with running_edge(tmp_path) as edge:
        edge.keys.change(KEY, following)
        assert edge.keys.told.wait(20)
        while _get(edge, following).status_code != 200:
            pass  # what was read is being handed to the workers
        edge.keys.change(following, KEY, _key("after"))
        assert edge.keys.told.wait(20)
        assert {_get(edge, key).status_code for key in (KEY, following) for _ in range(20)} == {200}


def test_after_an_emergency_the_new_key_is_taken_and_the_leaked_one_refused(tmp_path: Path) -> None:
    """Both published keys leaked: the new one signs before anybody could know it, and no token of theirs passes."""
    new = _key("new")
    with running_edge(tmp_path) as edge:
        while _get(edge).status_code != 200:
            pass
        edge.keys.change(new)
        assert edge.keys.told.wait(20), "the edge did not ask again"
        while (answer := _get(edge, new)).status_code != 200:
            assert reason_of(answer) == "TOKEN_INVALID"
        answer = _get(edge)
        assert (answer.status_code, reason_of(answer)) == (401, "TOKEN_INVALID")
