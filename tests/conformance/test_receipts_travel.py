"""Every recorded call answers with its receipt first, and what must be recorded can't be answered without."""

import asyncio
from typing import Any

import grpc
import pytest

from libs.errors import reasons
from libs.rpc import receipts
from libs.rpc.call import Call
from libs.rpc.stages.disclosure import UnrecordedDisclosure, discloses, disclosure
from tests.support import contracts
from tests.support.patience import PATIENCE
from tests.support.rpc_lab import ID, MATERIALS, PERSON, Accounts, Lab, Materials
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1.material_service_pb2_grpc import MaterialServiceStub

RECEIPT = common_pb2.Receipt(record="identity/auditRecords/1", log="//341500/identity", leaf_hash=b"x" * 32)
_NOBODY: Any = None
ABROAD = common_pb2.Receipt(record="identity/auditRecords/2", log="//320402/identity", leaf_hash=b"y" * 32)


class _Recorded(Accounts):
    """Records each reading; refuses where it is told to."""

    refusing = False

    async def get_person(self, request: Any, call: Call) -> Any:
        call.receipt, call.receipt_abroad = RECEIPT, ABROAD
        if self.refusing:
            raise reasons.not_owner("it is somebody else's")
        return resources.Person(name=request.name)

    async def get_organization(self, request: Any, call: Call) -> Any:
        return resources.Organization(name=request.name)


class _RecordedMaterials(Materials):
    """Records a download before the first byte; the second one waits."""

    def __init__(self) -> None:
        super().__init__()
        self.going = asyncio.Event()

    async def download_material(self, request: Any, call: Call) -> Any:
        call.receipt = RECEIPT
        yield materials.DownloadMaterialResponse(chunk=b"1")
        await self.going.wait()
        raise reasons.dependency_unavailable("away", dependency="store")


def _headers(lab: Lab) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {lab.token()}")]


async def test_the_receipt_goes_before_the_answer(lab: Lab) -> None:
    async with lab.serving(_Recorded()) as channel:
        call = AccountServiceStub(channel).GetPerson(PERSON, metadata=_headers(lab), timeout=PATIENCE)
        assert (await call).name == PERSON.name
        assert receipts.received(await call.initial_metadata()) == [RECEIPT, ABROAD]
        assert receipts.held(await call.initial_metadata()) == ABROAD


async def test_a_refusal_that_is_on_record_has_its_receipt(lab: Lab) -> None:
    servicer = _Recorded()
    servicer.refusing = True
    async with lab.serving(servicer) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await AccountServiceStub(channel).GetPerson(PERSON, metadata=_headers(lab), timeout=PATIENCE)
    assert receipts.received(refused.value.initial_metadata()) == [RECEIPT, ABROAD]
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_of_a_stream_it_is_there_before_the_bytes(lab: Lab) -> None:
    servicer = _RecordedMaterials()
    async with lab.serving(servicer, MATERIALS) as channel:
        request = materials.DownloadMaterialRequest(
            name=f"materials/{ID}", use_context=common_pb2.UseContext(purpose_code="LICENSE_CHECK", purpose="reading")
        )
        call: Any = MaterialServiceStub(channel).DownloadMaterial(request, metadata=_headers(lab), timeout=PATIENCE)
        assert receipts.received(await call.initial_metadata()) == [RECEIPT]
        assert (await call.read()).chunk == b"1"
        servicer.going.set()
        with pytest.raises(grpc.aio.AioRpcError) as broken:
            await call.read()
    assert broken.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_what_is_the_callers_own_has_none(lab: Lab) -> None:
    async with lab.serving(Accounts()) as channel:
        call = AccountServiceStub(channel).GetPerson(PERSON, metadata=_headers(lab), timeout=PATIENCE)
        await call
        assert receipts.received(await call.initial_metadata()) == []


async def test_a_change_without_a_record_is_not_answered() -> None:
    """The stage that holds data back holds changes back too, also where they tell of nobody."""

    async def changed(request: object, call: Call) -> Any:
        return method.response_type()

    changes = [method for method in contracts.methods() if method.writes and not discloses(method)]
    assert len(changes) > 10
    for method in changes:
        call = Call(method, _NOBODY)
        with pytest.raises(UnrecordedDisclosure):
            await disclosure(method, changed)(None, call)
        call.receipt = RECEIPT
        assert await disclosure(method, changed)(None, call) == method.response_type()


def test_what_is_no_receipt_is_left_out() -> None:
    """The call was done all the same."""
    assert receipts.received([(receipts.RECEIPT, b"\xff"), (receipts.RECEIPT_ABROAD, b"")]) == [common_pb2.Receipt()]
    assert receipts.held(None) is None


_KEPT = {
    "tongban.cases.v1.ExchangeService": "the receipt of a message, which both regions keep",
    "tongban.identity.v1.CodeService": "of each message of a stream, whose metadata has gone before it",
    "tongban.license.v1.VerificationService": "of each answer of a stream, whose metadata has gone before it",
    "tongban.seal.v1.SealingService": "the record of the intent, which stood before the key was used; the call's own is another",
}


def test_answers_hold_no_receipt_but_what_is_kept() -> None:
    """What the metadata says already needs no message around the thing; a case's materials keep theirs, being evidence."""
    found = {
        method.service
        for method in contracts.methods()
        for field in method.descriptor.output_type.fields
        if field.message_type is not None and field.message_type.full_name == "tongban.common.v1.Receipt"
    }
    assert found == _KEPT.keys()
