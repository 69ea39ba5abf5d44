"""What a call to a neighbour carries along, and what it tells of one that fails."""

import inspect
from typing import Any

import grpc
import pytest

from libs.errors import (
    FailedPrecondition,
    InvalidArgument,
    Unauthenticated,
    Unavailable,
    Violation,
    state_conflict,
)
from libs.rpc.call import served
from libs.rpc.client import invoke, neighbour_channel, stream
from tests.support.backends import HOST, free_port
from tests.support.patience import PATIENCE
from tests.support.rpc_lab import (
    FIRM,
    ID,
    PERSON,
    Accounts,
    Lab,
    get_person,
    refused_person,
)
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub


async def _ask_on(channel: grpc.aio.Channel) -> resources.Organization:
    """Asks another service on behalf of whom this one serves."""
    call = served()
    assert call is not None
    stub = AccountServiceStub(channel)
    return await invoke(stub.GetOrganization, FIRM, resources.Organization, to="identity", token=call.actor.token)


async def test_error_details_survive_a_hop(lab: Lab) -> None:
    meant = [
        state_conflict("cases/1", "CLOSED", "DRAFT", "SUBMITTED"),
        InvalidArgument("FIELD_INVALID", "no", violations=(Violation("a.b[0]", "string.max_len", "too long"),)),
        Unavailable("DEPENDENCY_UNAVAILABLE", "away", retry_after=1.25, dependency="seal"),
    ]

    async def fail(request: Any) -> Any:
        raise meant[0]

    async def ask_on(request: Any) -> Any:
        return await _ask_on(inner[0])

    inner: list[grpc.aio.Channel] = []
    async with lab.serving(Accounts(person=ask_on, organization=fail)) as channel:
        inner.append(channel)
        while meant:
            with pytest.raises(type(meant[0])) as error:
                await get_person(channel, lab.token())
            expected = meant.pop(0)
            got = error.value
            assert (got.reason, got.message, got.metadata) == (expected.reason, expected.message, expected.metadata)
            assert (got.violations, got.retry_after) == (expected.violations, expected.retry_after)


async def test_the_chinese_sentence_comes_with_the_error(lab: Lab) -> None:
    async with lab.serving() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await AccountServiceStub(channel).GetPerson(PERSON, timeout=PATIENCE)
    details = dict(raised.value.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    assert "缺少访问令牌".encode() in details


async def test_caller_and_trace_go_along(lab: Lab) -> None:
    seen: list[tuple[str, str]] = []

    async def note(request: Any) -> resources.Organization:
        call = served()
        assert call is not None
        seen.append((call.trace_id, call.actor.subject))
        return resources.Organization()

    async def ask_on(request: Any) -> resources.Person:
        await note(request)
        await _ask_on(inner[0])
        return resources.Person()

    inner: list[grpc.aio.Channel] = []
    async with lab.serving(Accounts(person=ask_on, organization=note)) as channel:
        inner.append(channel)
        await get_person(channel, lab.token())
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert seen[0][1] == f"persons/{ID}"


@pytest.mark.parametrize("call", [invoke, stream])
def test_whose_call_it_is_is_always_said(call: Any) -> None:
    """Neither the caller's word nor the service's own goes along because nobody thought of it."""
    token = inspect.signature(call).parameters["token"]
    assert (token.kind, token.default) == (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty)


async def test_a_neighbour_that_is_away_is_a_dependency_that_does_not_answer(lab: Lab) -> None:
    async with neighbour_channel(f"{HOST}:{free_port()}", lab.ground.tls("gateway")) as channel:
        with pytest.raises(Unavailable) as error:
            await get_person(channel, "x")
    assert error.value.metadata == {"dependency": "identity"}


async def test_a_reused_connection_does_not_keep_the_caller(lab: Lab) -> None:
    async def who(request: Any) -> resources.Person:
        call = served()
        assert call is not None
        return resources.Person(name=call.actor.subject)

    async with lab.serving(Accounts(person=who)) as channel:
        assert (await get_person(channel, lab.token())).name == f"persons/{ID}"
        with pytest.raises(Unauthenticated):
            await get_person(channel, "")


async def test_the_same_error_object_may_be_raised_twice(lab: Lab) -> None:
    once = FailedPrecondition("REQUEST_ID_REUSED", "used", request_id="x")

    async def fail(request: Any) -> Any:
        raise once

    async with lab.serving(Accounts(person=fail)) as channel:
        errors = [await refused_person(channel, PERSON.SerializeToString(), lab.token()) for _ in range(2)]
    assert [error.metadata for error in errors] == [{"request_id": "x"}] * 2
