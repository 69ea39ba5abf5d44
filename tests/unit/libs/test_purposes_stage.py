"""The stage that holds purposes to the table: wherever they stand, message by message, and of one's own callers alone."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from libs.errors import InvalidArgument
from libs.rpc.stages.purposes import purposes, purposes_in
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import consent_service_pb2
from tongban.license.v1 import license_service_pb2, presentation_service_pb2

HERE: Any = SimpleNamespace(actor=SimpleNamespace(region=""))
ABROAD: Any = SimpleNamespace(actor=SimpleNamespace(region="320402"))
GET = license_service_pb2.GetLicenseRequest.DESCRIPTOR


def method(request: Any, *, streams: bool = False, front: bool = True) -> Any:
    descriptor = SimpleNamespace(input_type=request, client_streaming=streams)
    return SimpleNamespace(for_fronts=front, descriptor=descriptor)


def get(code: str) -> license_service_pb2.GetLicenseRequest:
    return license_service_pb2.GetLicenseRequest(use_context=common_pb2.UseContext(purpose_code=code))


async def served(request: Any, _call: Any) -> Any:
    return request


async def drained(stream: AsyncIterator[Any], _call: Any) -> list[Any]:
    return [each async for each in stream]


async def stream_of(*codes: str) -> AsyncIterator[Any]:
    for code in codes:
        yield get(code)


def test_purposes_are_found_wherever_a_request_holds_them() -> None:
    assert purposes_in(GET) == (("use_context",),)
    assert purposes_in(presentation_service_pb2.CreatePresentationRequest.DESCRIPTOR) == (
        ("presentation", "use_context"),
    )
    assert purposes_in(consent_service_pb2.GrantConsentRequest.DESCRIPTOR) == (("consent", "purpose_code"),)
    assert purposes_in(consent_service_pb2.GetConsentRequest.DESCRIPTOR) == ()


async def test_one_of_ones_own_is_refused_and_another_regions_is_kept() -> None:
    handler = purposes(method(GET), served)
    assert await handler(get("LICENSE_CHECK"), HERE) == get("LICENSE_CHECK")
    with pytest.raises(InvalidArgument) as error:
        await handler(get("OF_A_LATER_TABLE"), HERE)
    assert (error.value.reason, error.value.metadata["field"]) == ("PURPOSE_UNKNOWN", "use_context.purpose_code")
    assert await handler(get("OF_A_LATER_TABLE"), ABROAD) == get("OF_A_LATER_TABLE")


async def test_each_message_of_a_stream_is_held_to_the_table() -> None:
    handler = purposes(method(GET, streams=True), drained)  # type: ignore[arg-type]
    assert len(await handler(stream_of("LICENSE_CHECK", "AUDIT"), HERE)) == 2  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        await handler(stream_of("LICENSE_CHECK", "OF_A_LATER_TABLE"), HERE)
    assert len(await handler(stream_of("OF_A_LATER_TABLE"), ABROAD)) == 1  # type: ignore[arg-type]


async def test_a_context_that_is_not_there_and_what_services_ask_each_other_is_let_through() -> None:
    assert await purposes(method(GET), served)(license_service_pb2.GetLicenseRequest(), HERE) is not None
    assert purposes(method(GET, front=False), served) is served
