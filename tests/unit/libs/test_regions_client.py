"""What another region says of our word is no fault of the caller whom we serve."""

import contextlib
from typing import Any

import grpc
import pytest

from libs.errors import Internal, PermissionDenied, Unauthenticated, Unavailable
from libs.rpc.regions import Regions
from libs.rpc.status import from_rpc_error


async def _regions() -> Regions:
    return Regions(grpc.aio.insecure_channel("127.0.0.1:1"))


async def test_a_token_that_is_not_taken_there_is_forgotten_and_told_as_away() -> None:
    regions = await _regions()
    regions._access["110000"] = ("stale", 1e12)
    with pytest.raises(Unavailable) as told, regions._speaking_for_ourselves("110000"):
        raise Unauthenticated("TOKEN_INVALID", "no", rule="kid")
    assert (told.value.reason, told.value.metadata) == ("DEPENDENCY_UNAVAILABLE", {"dependency": "//110000"})
    assert told.value.retry_after
    assert regions._access == {}
    with pytest.raises(PermissionDenied), regions._speaking_for_ourselves("110000"):
        raise PermissionDenied("REGION_NOT_TRUSTED", "no", region="110000")


async def test_a_sign_in_that_is_too_old_there_is_the_persons_own_and_nobody_elses() -> None:
    """No other word of ours makes it newer; of a service, which signs in nowhere, it is no answer."""
    regions, old = await _regions(), Unauthenticated("AUTHENTICATION_TOO_OLD", "no", max_auth_age="300")
    with pytest.raises(Unauthenticated) as told, regions._speaking_for_ourselves("110000", asserted=True):
        raise old
    assert told.value is old
    with pytest.raises(Unavailable), regions._speaking_for_ourselves("110000"):
        raise old
    with pytest.raises(Unavailable), regions._speaking_for_ourselves("110000", asserted=True):
        raise Unauthenticated("TOKEN_INVALID", "no", rule="kid")


@pytest.mark.parametrize(("dependency", "kind"), [("//110000", Unavailable), ("seal", Internal)])
def test_an_answer_outside_of_the_contract_is_the_other_region_s_state(dependency: str, kind: type[Exception]) -> None:
    error: Any = grpc.aio.AioRpcError(
        grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata(), "metadata too large", None
    )
    assert type(from_rpc_error(error, dependency)) is kind


async def test_whatever_ends_the_block_ends_it() -> None:
    regions = await _regions()
    with contextlib.suppress(RuntimeError), regions._speaking_for_ourselves("110000"):
        raise RuntimeError
