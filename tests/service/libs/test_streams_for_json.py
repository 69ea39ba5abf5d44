"""What a stream that the gateway asked for a JSON caller ends with: told so that the gateway can pass it on (decision 0062)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import status_pb2

from libs.errors import reasons
from libs.rpc import json_edge, receipts, status
from tests.support.exchanging import PATH, VERIFICATION, Verifications, number_of, question
from tests.support.patience import PATIENCE
from tests.support.rpc_lab import ID, MATERIALS, Lab, Materials, make_lab
from tongban.common.v1 import common_pb2
from tongban.license.v1 import material_service_pb2 as materials

CAME_AS_JSON = (json_edge.TRANSCODED, "POST")
RECEIPT = common_pb2.Receipt(record="license/auditRecords/1", log="//341500/license", leaf_hash=b"\xff" * 31)
Metadata = Sequence[tuple[str, str]]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path)


def _metadata(lab: Lab, *more: tuple[str, str]) -> Metadata:
    return (("authorization", f"Bearer {lab.token()}"), *more)


async def _ended(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call.read()
    return ended.value


async def _silent(lab: Lab, *more: tuple[str, str]) -> grpc.aio.AioRpcError:
    """How a stream ends whose caller says nothing behind the first question."""
    async with lab.serving(Verifications(), VERIFICATION, stream_idle_seconds=0.5) as channel:
        call = channel.stream_stream(PATH)(metadata=_metadata(lab, *more), timeout=PATIENCE)
        await call.write(question(1))
        assert number_of(await call.read()) == "1"
        return await _ended(call)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_behind_an_answer_the_reason_is_a_text_that_the_gateway_writes_out(lab: Lab, language: str) -> None:
    ended = await _silent(lab, CAME_AS_JSON, ("accept-language", language))
    trailers = dict(ended.trailing_metadata() or ())
    told = json_format.Parse(str(trailers[json_edge.STREAM_ERROR]), status_pb2.Status())
    assert (ended.code(), status.from_status(told).reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert f'"locale":"{language}"' in trailers[json_edge.STREAM_ERROR]
    assert status.DETAILS_KEY not in trailers, "trailers have room for a reason once"


async def test_who_came_as_grpc_is_told_as_ever(lab: Lab) -> None:
    ended = await _silent(lab)
    assert status.from_rpc_error(ended, "license").reason == "STREAM_IDLE"
    assert json_edge.STREAM_ERROR not in dict(ended.trailing_metadata() or ())


class _OnRecord(Materials):
    """Refuses, and has a record of that."""

    async def download_material(self, request: Any, call: Any) -> Any:
        call.receipt = RECEIPT
        if request.name:
            raise reasons.resource_not_found("no such material", resource=request.name)
        yield materials.DownloadMaterialResponse()


@pytest.mark.parametrize("more", [(), (CAME_AS_JSON,)])
async def test_a_refusal_on_record_goes_to_json_in_one_block(lab: Lab, more: Metadata) -> None:
    """The transcoder sends 200 with headers that come alone; so the receipt comes with the status, and gRPC's comes first."""
    context = common_pb2.UseContext(purpose_code="ASSISTANCE", purpose="受理")
    request = materials.DownloadMaterialRequest(name=f"materials/{ID}", use_context=context).SerializeToString()
    async with lab.serving(_OnRecord(), MATERIALS) as channel:
        method = channel.unary_stream(f"/{MATERIALS.full_name}/DownloadMaterial")
        ended = await _ended(method(request, metadata=_metadata(lab, *more), timeout=PATIENCE))
    assert status.from_rpc_error(ended, "license").reason == "RESOURCE_NOT_FOUND"
    told = [receipts.received(each) for each in (ended.initial_metadata(), ended.trailing_metadata())]
    assert told == ([[], [RECEIPT]] if more else [[RECEIPT], []])
