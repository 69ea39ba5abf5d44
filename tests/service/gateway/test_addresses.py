"""Anonymous callers from two addresses are two callers to whatever stands behind the real Envoy, and no header makes one the other."""

from typing import Any, cast

import httpx
import pytest

from libs.rpc.call import Call
from libs.rpc.stages.rate_limit import TokenBuckets, caller_key
from tests.support.edge import Edge
from tests.support.patience import PATIENCE

_PATH = "/v1/audit/identity/auditHead"
_ONE, _OTHER = "127.0.0.2", "127.0.0.3"


def _asked(edge: Edge, address: str, headers: dict[str, str] | None = None) -> str:
    """Asks from an address of this machine; returns under which name the services count the caller."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=edge.url, transport=transport, timeout=PATIENCE) as client:
        assert client.get(_PATH, headers=headers).status_code == 200
    seen = edge.seen.metadata[-1]
    return caller_key(Call(cast("Any", None), cast("Any", None), metadata=seen))


def test_each_address_has_a_bucket_of_its_own(edge: Edge) -> None:
    one, other = _asked(edge, _ONE), _asked(edge, _OTHER)
    assert (one, other) == (f"address {_ONE}", f"address {_OTHER}")
    buckets, now = TokenBuckets(1), 0.0
    assert buckets.take(one, now) == 0
    assert buckets.take(one, now) > 0, "it is spent"
    assert buckets.take(other, now) == 0, "and not for anybody else"


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "forwarded", "x-envoy-external-address"])
def test_nobody_spends_anothers_nor_gets_a_new_one_by_a_header(edge: Edge, header: str) -> None:
    for claimed in (_OTHER, "203.0.113.9", f"203.0.113.9, {_OTHER}"):
        assert _asked(edge, _ONE, {header: claimed}) == f"address {_ONE}"
