"""Which process a certificate speaks for: the whole name counts, not how it begins."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.errors import PermissionDenied
from libs.rpc.call import Call
from libs.rpc.stages.peer import peer

REGION = "341500.tongban.internal"


async def peers(*names: bytes) -> frozenset[str]:
    """What the stage lets through for a certificate with these names."""
    method: Any = SimpleNamespace(service="tongban.seal.v1.SealService", name="GetSeal")
    context = SimpleNamespace(auth_context=lambda: {"x509_subject_alternative_name": names})
    call = Call(method, cast("Any", context))

    async def handler(_request: object, seen: Call) -> Any:
        return seen.peers

    stage = peer({"tongban.seal.v1.SealService": ["cases", "gateway"]}, REGION)
    return cast("frozenset[str]", await stage(method, handler)(None, call))


async def test_a_process_of_the_region_is_known_by_its_name() -> None:
    assert await peers(b"cases.341500.tongban.internal", b"localhost", b"127.0.0.1") == {"cases"}


@pytest.mark.parametrize(
    "name",
    [
        b"cases",
        b"cases.example",
        b"cases.110101.tongban.internal",
        b"cases.341500.tongban.internal.example",
        b"a.cases.341500.tongban.internal",
        b"cases.x341500.tongban.internal",
        b"cases341500.tongban.internal",
        b".341500.tongban.internal",
        b"341500.tongban.internal",
        b"license.341500.tongban.internal",
    ],
)
async def test_a_name_that_only_begins_so_is_somebody_elses(name: bytes) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await peers(name, b"localhost")
    assert caught.value.reason == "PEER_NOT_ALLOWED"
