"""The token issuer's keys at the edge: kept while it is away, and changed as it changes them."""

from pathlib import Path
from typing import Any

import grpc
import httpx
from google.rpc import status_pb2
from joserfc.jwk import ECKey

from libs.rpc import status
from tests.support.edge import HEAD, KEY, Edge, reason_of, running_edge, token_of
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2


def _get(edge: Edge, key: ECKey = KEY) -> httpx.Response:
    headers = {"authorization": f"Bearer {token_of(edge.url, key=key)}"}
    return httpx.get(f"{edge.url}/v1/audit/identity/auditHead", headers=headers, timeout=PATIENCE, trust_env=False)


def _called(edge: Edge, key: ECKey, token: str = "") -> str:
    """The reason with which a call by gRPC is refused; empty where it is not."""
    given = token or token_of(edge.url, key=key)
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary(HEAD)
        request = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
        try:
            call(request, timeout=PATIENCE, metadata=[("authorization", f"Bearer {given}")])
        except grpc.RpcError as error:
            raised: Any = error
            details = dict(raised.trailing_metadata())[status.DETAILS_KEY]
            return str(status.from_status(status_pb2.Status.FromString(details)).reason)
    return ""


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
    """Both published keys leaked: the new one signs before anybody could know it, and is never refused."""
    new = _key("new")
    with running_edge(tmp_path) as edge:
        while _get(edge).status_code != 200:
            pass
        edge.keys.change(new)
        assert _get(edge, new).status_code == 200
        assert edge.keys.told.wait(20), "the edge did not ask again"
        assert {_get(edge, new).status_code for _ in range(20)} == {200}


def test_a_key_that_the_edge_could_not_ask_for_is_judged_behind_it(tmp_path: Path) -> None:
    """The service asks for the key itself; what it says is what the caller is told, in JSON and in gRPC alike."""
    new = _key("new")
    with running_edge(tmp_path) as edge:
        while _get(edge).status_code != 200:
            pass
        edge.keys.going.clear()
        assert edge.keys.asked_while_frozen.wait(30)
        assert [_get(edge, new).status_code for _ in range(3)] == [200] * 3
        assert [_called(edge, new) for _ in range(3)] == [""] * 3
        # What can be told to be wrong without the key is refused here all the same.
        old = token_of(edge.url, key=new, lifetime=-3600)
        assert _called(edge, KEY, old) == "TOKEN_INVALID"
        forged = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
        answer = _get(edge, forged)
        assert (answer.status_code, reason_of(answer)) == (401, "TOKEN_INVALID")
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert _called(edge, forged) == "TOKEN_INVALID"
