"""No caller holds what others share: calls under way, streams, sizes of headers and answers, work of validation."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import protovalidate
import pytest
from google.protobuf.descriptor import FieldDescriptor

from libs.errors import InvalidArgument, ResourceExhausted
from libs.rpc.call import Call
from libs.rpc.contract import Method
from libs.rpc.stages.rate_limit import MOST_CALLS, MOST_STREAMS, caller_key, rate_limit
from libs.rpc.stages.validation import check
from tests.support import contracts, requests
from tests.support.rpc_lab import ACCOUNTS, ID, MATERIALS, PERSON, Accounts, Lab, get_person, refused_person
from tongban.common.v1.party_pb2 import Party
from tongban.identity.v1 import resources_pb2 as resources
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1.license_service_pb2 import IssueLicenseRequest


@dataclass
class _Context:
    remaining: float | None

    def time_remaining(self) -> float | None:
        return self.remaining


async def test_one_person_s_limit_is_not_that_of_the_others_at_the_same_client(lab: Lab) -> None:
    async with lab.serving(calls_per_second_per_caller=1.0) as channel:
        tokens = [
            lab.issuer.token(f"persons/{ID[:-1]}{place}", "PERSON", "*", client_id="clients/a") for place in "abc"
        ]
        for token in tokens:
            await get_person(channel, token)
        with pytest.raises(ResourceExhausted):
            await get_person(channel, tokens[0])


def _public_call(address: str) -> Call:
    return Call(Method(ACCOUNTS.methods_by_name["GetPerson"]), _Context(None), {"x-forwarded-for": address})  # type: ignore[arg-type]


def test_callers_without_a_token_are_told_apart_by_the_address_that_the_gateway_saw() -> None:
    keys = [caller_key(_public_call(f"1.2.3.4, 10.0.0.{place}")) for place in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]


async def test_a_caller_has_so_many_calls_under_way_and_no_more(lab: Lab) -> None:
    go, under_way = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(request: Any) -> resources.Person:
        under_way.release()
        await go.wait()
        return resources.Person(name=request.name)

    async with lab.serving(Accounts(person=wait)) as channel:
        holding, other = lab.token(client_id="clients/a"), lab.token(client_id="clients/b")
        held = [asyncio.ensure_future(get_person(channel, holding, timeout=60)) for _ in range(MOST_CALLS)]
        for _ in held:
            await under_way.acquire()
        with pytest.raises(ResourceExhausted) as refused:
            await get_person(channel, holding)
        honest = asyncio.ensure_future(get_person(channel, other, timeout=60))
        await under_way.acquire()
        go.set()
        assert (await honest).name
        assert len(await asyncio.gather(*held)) == MOST_CALLS
        assert (await get_person(channel, holding)).name, "the places were left"
    assert refused.value.reason == "RATE_LIMITED"


async def test_a_stream_keeps_its_place_until_it_is_read() -> None:
    method = Method(MATERIALS.methods_by_name["DownloadMaterial"])

    async def handler(_request: object, _call: Call) -> Any:
        return _two()

    serve = rate_limit(5000.0)(method, handler)
    call = Call(method, _Context(None))  # type: ignore[arg-type]
    reading: list[Any] = [await serve(None, call) for _ in range(MOST_STREAMS)]
    with pytest.raises(ResourceExhausted) as refused:
        await serve(None, call)
    assert refused.value.reason == "RATE_LIMITED"
    for stream in reading:
        assert len([message async for message in stream]) == 2
    assert await serve(None, call)


async def _two() -> AsyncIterator[Any]:
    yield materials.DownloadMaterialResponse()
    yield materials.DownloadMaterialResponse()


async def test_an_answer_too_large_to_send_is_typed(lab: Lab) -> None:
    async def huge(request: Any) -> resources.Person:
        return resources.Person(name="x" * (17 * 1024 * 1024))

    async with lab.serving(Accounts(person=huge)) as channel:
        error = await refused_person(channel, PERSON.SerializeToString(), lab.token())
    assert error.reason == "MESSAGE_TOO_LARGE"


def test_a_list_past_its_limit_is_refused_before_its_elements_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protovalidate, "collect_violations", lambda message: pytest.fail("looked at"))
    with pytest.raises(InvalidArgument) as refused:
        check(IssueLicenseRequest(holders=[Party() for _ in range(100_000)]))
    assert [v.field for v in refused.value.violations] == ["holders"]


async def test_headers_that_the_gateway_takes_are_taken(lab: Lab) -> None:
    """The gateway adds the original path to what it took: gRPC must not cut that off with words of its own."""
    async with lab.serving() as channel:
        long = {"x-envoy-original-path": "/" + "x" * 15_000, "x-more": "y" * 14_000}
        assert (await refused_person(channel, b"", lab.token(), **long)).reason == "FIELD_INVALID"


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 253_402_300_800, 253_402_300_799, -62_135_596_801])
def test_a_time_that_can_t_be_written_is_refused_wherever_it_stands(seconds: int) -> None:
    """Every Timestamp of every request, whatever the RPC: a converter would fail on it, and call that a fault of ours."""
    seen = 0
    for method in contracts.methods():
        request = requests.full(method.descriptor.input_type)
        for path, stamp in _stamps(request, ""):
            good = stamp.seconds
            stamp.seconds = seconds
            with pytest.raises(InvalidArgument) as refused:
                check(request)
            assert path in [v.field for v in refused.value.violations], method.name
            stamp.seconds = good
            seen += 1
    assert seen > 5


def _stamps(message: Any, inside: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for place, each in enumerate(value if field.is_repeated else [value]):
            path = f"{inside}{field.name}" + (f"[{place}]" if field.is_repeated else "")
            if field.message_type.full_name == "google.protobuf.Timestamp":
                found.append((path, each))
            else:
                found += _stamps(each, f"{path}.")
    return found


def test_the_values_that_an_enum_takes_are_named_in_the_refusal() -> None:
    """Every enum of every request: who sends a number that means nothing hears what means something."""
    seen = 0
    for method in contracts.methods():
        request = requests.full(method.descriptor.input_type)
        for owner, field in _enums(request):
            good = getattr(owner, field.name)
            setattr(owner, field.name, 99)
            with pytest.raises(InvalidArgument) as refused:
                check(request)
            said = [v.description for v in refused.value.violations if v.field.endswith(field.name)]
            assert any(contracts.enum_of(field).values_by_number[good].name in words for words in said), method.name
            setattr(owner, field.name, good)
            seen += 1
    assert seen > 20


def _enums(message: Any) -> list[tuple[Any, FieldDescriptor]]:
    found: list[tuple[Any, FieldDescriptor]] = []
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else [value]:
                found += _enums(each)
        elif field.enum_type is not None and not field.is_repeated:
            found.append((message, field))
    return found
