"""The client's calls: tried again as their contract allows, with one request_id, one token at a time, errors as meant."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from libs.client import Bearer, ClientSecret, RegionsUnreachable, Tongban
from libs.client.calls import CHUNK_BYTES
from libs.errors import FailedPrecondition, ResourceExhausted, TongbanError, Unauthenticated, Unavailable, reasons
from tests.support.region_stub import RegionStub, region_stub
from tongban.cases.v1 import case_service_pb2, resources_pb2
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import token_service_pb2
from tongban.license.v1 import material_service_pb2
from tongban.sharing.v1 import data_service_pb2

CASE = "cases/0190c0de-0000-7000-8000-000000000001"
SECRET = ClientSecret("clients/desk", "s3cret")


@pytest_asyncio.fixture
async def region() -> AsyncIterator[RegionStub]:
    async with region_stub() as stub:
        stub.answers["SubmitCase"] = lambda request: resources_pb2.Case(name=request.name)
        yield stub


def failing(times: int, error: TongbanError, answer: Any) -> Any:
    """Refuses some times, then answers."""
    left = [error] * times

    def serve(request: Any) -> Any:
        if left:
            raise left.pop()
        return answer

    return serve


AWAY = reasons.dependency_unavailable("away", dependency="license")


async def test_a_mutation_is_repeated_with_the_same_request_id(region: RegionStub) -> None:
    region.answers["SubmitCase"] = failing(2, AWAY, resources_pb2.Case(name=CASE))
    async with region.client(Bearer("t")) as client:
        case = await client.cases.submit_case(name=CASE)
    assert case.name == CASE
    keys = {request.request_id for _, request, _ in region.seen}
    assert len(region.seen) == 3
    assert len(keys) == 1
    assert uuid.UUID(keys.pop())


async def test_two_calls_have_two_keys_and_a_given_key_is_kept(region: RegionStub) -> None:
    given = str(uuid.uuid4())
    request = case_service_pb2.SubmitCaseRequest(name=CASE)
    async with region.client(Bearer("t")) as client:
        await client.call(request, resources_pb2.Case)
        await client.call(request, resources_pb2.Case)
        await client.cases.submit_case(name=CASE, request_id=given)
    keys = [request.request_id for _, request, _ in region.seen]
    assert len(set(keys)) == 3
    assert keys[2] == given
    assert request.request_id == ""


async def test_pauses_grow_and_a_delay_that_is_named_is_kept(region: RegionStub) -> None:
    told = reasons.dependency_unavailable("away", dependency="license", retry_after=3.0)
    region.answers["SubmitCase"] = failing(2, AWAY, resources_pb2.Case())
    async with region.client(Bearer("t")) as client:
        await client.cases.submit_case(name=CASE)
        region.answers["SubmitCase"] = failing(1, told, resources_pb2.Case())
        await client.cases.submit_case(name=CASE)
    assert region.paused == [0.1, 0.2, 3.0]


async def test_no_try_and_no_pause_goes_beyond_the_deadline(region: RegionStub) -> None:
    told = reasons.dependency_unavailable("away", dependency="license", retry_after=3.0)
    region.answers["SubmitCase"] = failing(99, told, resources_pb2.Case())
    async with region.client(Bearer("t")) as client:
        with pytest.raises(Unavailable) as caught:
            await client.cases.submit_case(name=CASE, timeout=7.0)
    assert caught.value.reason == "DEPENDENCY_UNAVAILABLE"
    assert region.paused == [3.0, 3.0]


async def test_what_may_not_be_repeated_is_not(region: RegionStub) -> None:
    """DownloadMaterial is recorded at each call: its contract calls it not idempotent."""
    region.answers["DownloadMaterial"] = failing(1, AWAY, [])
    async with region.client(Bearer("t")) as client:
        with pytest.raises(Unavailable):
            await client.license.download_material(name="materials/x", use_context=common_pb2.UseContext())
    assert len(region.seen) == 1


async def test_a_quota_is_waited_for_whatever_the_call(region: RegionStub) -> None:
    limited = reasons.rate_limited("too many", retry_after=2.0)
    region.answers["ExchangeToken"] = failing(1, limited, token_service_pb2.ExchangeTokenResponse())
    async with region.client() as client:
        await client.identity.exchange_token(subject_token="t", subject_token_type="jwt")
    assert region.paused == [2.0]
    region.answers["SubmitCase"] = failing(1, ResourceExhausted("REQUEST_TOO_LARGE", "large"), None)
    async with region.client() as client:
        with pytest.raises(ResourceExhausted):
            await client.cases.submit_case(name=CASE)


async def test_a_refusal_is_the_error_that_was_meant(region: RegionStub) -> None:
    refusal = reasons.state_conflict("it is CLOSED", resource=CASE, state="CLOSED", allowed="DRAFT")
    region.answers["SubmitCase"] = failing(1, refusal, None)
    async with region.client(Bearer("t")) as client:
        with pytest.raises(FailedPrecondition) as caught:
            await client.cases.submit_case(name=CASE)
    assert (caught.value.reason, caught.value.metadata["state"]) == ("STATE_CONFLICT", "CLOSED")
    assert len(region.seen) == 1


async def test_a_refused_token_is_got_anew_once(region: RegionStub) -> None:
    over = reasons.token_invalid("withdrawn", rule="withdrawn")
    region.answers["SubmitCase"] = failing(1, over, resources_pb2.Case(name=CASE))
    async with region.client(SECRET) as client:
        await client.cases.submit_case(name=CASE)
        assert [bearer for _, _, bearer in region.seen] == ["token-1", "token-2"]
        region.answers["SubmitCase"] = failing(9, over, None)
        with pytest.raises(Unauthenticated):
            await client.cases.submit_case(name=CASE)
    assert len(region.seen) == 4
    assert len(region.forms) == 3


async def test_a_given_token_is_not_tried_twice(region: RegionStub) -> None:
    region.answers["SubmitCase"] = failing(9, reasons.token_invalid("over", rule="exp"), None)
    async with region.client(Bearer("t")) as client:
        with pytest.raises(Unauthenticated):
            await client.cases.submit_case(name=CASE)
    assert len(region.seen) == 1


async def test_many_calls_share_one_grant(region: RegionStub) -> None:
    async with region.client(SECRET) as client:
        await asyncio.gather(*(client.cases.submit_case(name=CASE) for _ in range(20)))
    assert len(region.forms) == 1
    assert region.forms[0]["client_secret"] == "s3cret"


async def test_a_token_endpoint_that_is_away_is_asked_again_for_any_call(region: RegionStub) -> None:
    region.refusals = [httpx.Response(503, headers={"retry-after": "2"})]
    async with region.client(SECRET) as client:
        await client.cases.submit_case(name=CASE)
    assert region.paused == [2.0]
    region.refusals = [httpx.Response(401, json={"error": "invalid_client", "error_description": "no such client"})]
    async with region.client(SECRET) as client:
        with pytest.raises(Unauthenticated) as caught:
            await client.cases.submit_case(name=CASE)
    assert caught.value.metadata["rule"] == "invalid_client"


async def test_acting_for_somebody_is_an_exchange_of_both_tokens(region: RegionStub) -> None:
    region.answers["ExchangeToken"] = lambda request: token_service_pb2.ExchangeTokenResponse(
        access_token=f"{request.subject_token}>{request.on_behalf_of or request.actor_token}", expires_in=600
    )
    async with region.client() as client:
        acting = client.as_bearer("person").on_behalf_of("organizations/o", "mandates/m")
        at_window = acting.at_window_of(client.as_bearer("clerk"))
        await at_window.cases.submit_case(name=CASE)
        await at_window.cases.submit_case(name=CASE)
    assert region.seen[-1][2] == "person>organizations/o>clerk"
    assert region.calls() == {"ExchangeToken": 2, "SubmitCase": 2}


async def test_receipts_are_handed_out(region: RegionStub) -> None:
    """The region's own, and that of the region whose data it is; of what was refused and is on record, too."""
    mine = common_pb2.Receipt(record="sharing/auditRecords/1", log="//341500/sharing")
    theirs = common_pb2.Receipt(record="sharing/auditRecords/2", log="//320402/sharing")
    refused = common_pb2.Receipt(record="cases/auditRecords/3", log="//341500/cases")
    region.answers["Query"] = lambda _: data_service_pb2.QueryResponse()
    region.receipts = {"Query": [mine, theirs]}
    got: list[common_pb2.Receipt] = []
    async with region.client(Bearer("t"), on_receipt=got.append) as client:
        await client.sharing.query(
            resource="dataResources/x", fields=["a"], conditions=[], use_context=common_pb2.UseContext()
        )
        await client.cases.submit_case(name=CASE)
        assert got == [mine, theirs]
        region.receipts["SubmitCase"] = [refused]
        region.answers["SubmitCase"] = failing(
            1, reasons.state_conflict("no", resource=CASE, state="A", allowed="B"), None
        )
        with pytest.raises(FailedPrecondition):
            await client.cases.submit_case(name=CASE)
    assert got == [mine, theirs, refused]


async def test_all_pages_are_read(region: RegionStub) -> None:
    def page(request: case_service_pb2.ListCasesRequest) -> case_service_pb2.ListCasesResponse:
        number = int(request.page_token or "0")
        following = str(number + 1) if number < 2 else ""
        cases = [resources_pb2.Case(name=f"cases/{number}")] * (number != 1)
        return case_service_pb2.ListCasesResponse(cases=cases, next_page_token=following)

    region.answers["ListCases"] = page
    async with region.client(Bearer("t")) as client:
        assert [case.name async for case in client.cases.iterate_cases()] == ["cases/0", "cases/2"]


async def test_who_reads_all_pages_is_told_of_regions_that_are_missing(region: RegionStub) -> None:
    def page(request: case_service_pb2.ListCasesRequest) -> case_service_pb2.ListCasesResponse:
        following = "" if request.page_token else "next"
        cases, away = [resources_pb2.Case(name=CASE)], ["320402"] * bool(following)
        return case_service_pb2.ListCasesResponse(cases=cases, next_page_token=following, unreachable=away)

    region.answers["ListCases"] = page
    async with region.client(Bearer("t")) as client:
        found = client.cases.iterate_cases(regions=["320402"])
        assert [(await anext(found)).name for _ in range(2)] == [CASE, CASE]
        with pytest.raises(RegionsUnreachable) as told:
            await anext(found)
    assert told.value.regions == ("320402",)


async def test_files_go_both_ways(region: RegionStub) -> None:
    content = bytes(range(256)) * (CHUNK_BYTES // 256) + b"end"
    kept: list[bytes] = []

    def take(parts: list[Any]) -> material_service_pb2.Material:
        kept.append(b"".join(part.chunk for part in parts[1:]))
        assert uuid.UUID(parts[0].metadata.request_id)
        return material_service_pb2.Material(name="materials/1")

    material, receipt = material_service_pb2.Material(name="materials/1"), common_pb2.Receipt(record="r")
    region.receipts = {"DownloadMaterial": [receipt]}
    kind = material_service_pb2.DownloadMaterialResponse
    region.answers["UploadMaterial"] = take
    region.answers["DownloadMaterial"] = lambda _: [
        kind(material=material),
        kind(chunk=kept[0][:9]),
        kind(chunk=kept[0][9:]),
    ]
    got: list[common_pb2.Receipt] = []
    async with region.client(Bearer("t"), on_receipt=got.append) as client:
        metadata = material_service_pb2.MaterialMetadata(category="M3", file_name="a.png")
        await client.license.upload_material(metadata, content)
        file = await client.license.download_material(name="materials/1", use_context=common_pb2.UseContext())
        assert await file.read() == content == kept[0]
    assert got == [receipt]


async def test_the_blocking_client_does_the_same(region: RegionStub) -> None:
    region.answers["ListCases"] = lambda _: case_service_pb2.ListCasesResponse(cases=[resources_pb2.Case(name=CASE)])
    refusal = reasons.state_conflict("it is CLOSED", resource=CASE, state="CLOSED", allowed="DRAFT")

    def program() -> list[str]:
        with Tongban(region.url, Bearer("t")) as client:
            client.cases.submit_case(name=CASE)
            region.answers["SubmitCase"] = failing(1, refusal, None)
            with pytest.raises(FailedPrecondition):
                client.cases.submit_case(name=CASE)
            return [case.name for case in client.cases.iterate_cases()]

    assert await asyncio.to_thread(program) == [CASE]
    assert "tongban-client" not in {thread.name for thread in threading.enumerate()}
