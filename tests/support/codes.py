"""Personal codes as people show them and scanners scan them."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import grpc
from google.protobuf.message import Message

from libs.clock import FakeClock
from libs.crypto.envelope import FieldCipher
from libs.rpc import status
from services.identity.app import signing_keys
from services.identity.codes.service import CodeMint
from services.identity.core.signing_keys import CODES
from tests.support.patience import PATIENCE
from tests.support.town import Town, request_id
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import code_service_pb2 as pb
from tongban.identity.v1 import code_service_pb2_grpc

SCENES: dict[str, tuple[type[Message], type[Message]]] = {
    "Transport": (pb.ScanTransportCodeRequest, pb.ScanTransportCodeResponse),
    "Pharmacy": (pb.ScanPharmacyCodeRequest, pb.ScanPharmacyCodeResponse),
    "Visit": (pb.ScanVisitCodeRequest, pb.ScanVisitCodeResponse),
    "Office": (pb.ScanOfficeCodeRequest, pb.ScanOfficeCodeResponse),
}
VOUCHER = pb.CREDENTIAL_KIND_MEDICAL_INSURANCE_VOUCHER


@dataclass(frozen=True)
class Codes:
    """The personal codes of a region."""

    town: Town

    @cached_property
    def stub(self) -> Any:
        return code_service_pb2_grpc.CodeServiceStub(self.town.service.channel)

    def mint(self, *, later: float = 0.0) -> CodeMint:
        """Makes and opens this region's codes by its own keys, as its service does; by a clock that is ``later`` by so many seconds."""
        process = self.town.service.process
        wall = FakeClock(datetime.now(UTC) + timedelta(seconds=later))
        handles = FieldCipher.open(process.keys, process.provider, "codes")
        return CodeMint(signing_keys(process, CODES), handles, wall, self.town.region.id)

    async def issue(self, token: str) -> pb.IssueCodeResponse:
        return await self.town.call(self.stub.IssueCode, pb.IssueCodeRequest(), pb.IssueCodeResponse, token)

    async def shown(self, person: str) -> str:
        """The code that a person shows."""
        return (await self.issue(await self.town.human_token(person))).code

    async def scanner(self, *scenes: str) -> str:
        """The token of a machine that scans in these scenes."""
        return await self.town.machine_token(self.town.admin, " ".join(f"identity.codes.scan{each}" for each in scenes))

    async def scan(self, scene: str, code: str, token: str = "", scan: str = "") -> Any:
        request, answer = SCENES[scene]
        asked: Any = request
        return await self.town.call(
            getattr(self.stub, f"Scan{scene}Code"),
            asked(code=code, scan=scan or str(uuid.uuid4())),
            answer,
            token or await self.scanner(scene),
        )

    async def stream(
        self, messages: Iterable[pb.ScanTransportCodesRequest], token: str = ""
    ) -> list[pb.ScanTransportCodesResponse]:
        """Sends messages over one stream; returns the answers."""
        metadata = (("authorization", f"Bearer {token or await self.scanner('Transport')}"),)
        call = self.stub.ScanTransportCodes(iter(messages), metadata=metadata, timeout=PATIENCE)
        try:
            return [each async for each in call]
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error, "identity") from error

    async def bind(
        self,
        person: str,
        number: str,
        kind: "pb.CredentialKind.ValueType" = VOUCHER,
        token: str = "",
        asked: str = "",
    ) -> pb.CredentialBinding:
        request = pb.BindCredentialRequest(person=person, kind=kind, number=number, request_id=asked or request_id())
        return await self.town.call(
            self.stub.BindCredential, request, pb.CredentialBinding, token or await self.town.staff_token()
        )

    async def unbind(self, name: str, token: str, etag: str = "") -> pb.CredentialBinding:
        request = pb.UnbindCredentialRequest(name=name, etag=etag, request_id=request_id())
        return await self.town.call(self.stub.UnbindCredential, request, pb.CredentialBinding, token)

    async def listed(self, token: str, **asked: Any) -> list[pb.CredentialBinding]:
        request = pb.ListCredentialBindingsRequest(**asked)
        answer = pb.ListCredentialBindingsResponse
        found = await self.town.call(self.stub.ListCredentialBindings, request, answer, token)
        return list(found.credential_bindings)

    async def statistics(self, days: int = 1) -> pb.QueryCodeStatisticsResponse:
        """The counts of ``days`` days around today, as the region's clock has it."""
        now = self.town.service.process.clock.now()
        first, last = now - timedelta(days=days), now + timedelta(days=days)
        dates = [common_pb2.Date(year=each.year, month=each.month, day=each.day) for each in (first, last)]
        request = pb.QueryCodeStatisticsRequest(start_date=dates[0], end_date=dates[1])
        answer = pb.QueryCodeStatisticsResponse
        return await self.town.call(self.stub.QueryCodeStatistics, request, answer, await self.town.staff_token())


def gate(*codes: str) -> pb.ScanTransportCodesRequest:
    """Codes that were scanned at gates, each once."""
    scans = [pb.ScanTransportCodeRequest(code=code, scan=str(uuid.uuid4())) for code in codes]
    return pb.ScanTransportCodesRequest(scans=scans)
