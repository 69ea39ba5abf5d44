"""Two regions with their case services: identity and the gateways between them are faked at the contract."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest_asyncio
from google.protobuf.message import Message

from libs.ids.uuid7 import uuid7
from libs.rpc.editions import own_release
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DEPARTMENT,
    FIRM,
    LICENSE_TYPE,
    MANDATE,
    MONDAY,
    TASK_CODE,
    TIANNING,
    Town,
    agent,
    firm,
    morning,
    request_id,
    running,
)
from tests.support.service import Ground
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

HOME, HANDLING = "//341500/", "//320402/"
SHOWN = f"{HOME}presentations/00000000-0000-7000-8000-000000000001"
PLAN = f"{HOME}materials/00000000-0000-7000-8000-000000000002"
ITEM: dict[str, Any] = {
    "materials": [
        item_service_pb2.MaterialRule(code="M1", display_name="营业执照", required=True),
        item_service_pb2.MaterialRule(code="M2", display_name="平面图", required=True),
    ],
    "cross_region": item_service_pb2.CrossRegion(mode=pb.CROSS_REGION_MODE_COLLECTED, regions=["341500"]),
    "license_type": LICENSE_TYPE,
}


def enveloped(content: Message, **more: Any) -> rpc.TransferMessage:
    """A message that says ``content``, as 六安 would send it first in an exchange."""
    values: dict[str, Any] = {
        "exchange_id": str(uuid.uuid4()),
        "sequence": 1,
        "sender_region": "341500",
        "transaction_id": str(uuid.uuid4()),
        "format_version": 1,
        "release": own_release(),
        "payload_type": str(content.DESCRIPTOR.full_name),
        "payload": content.SerializeToString(),
        **more,
    }
    values.setdefault("previous_sequence", max(values["sequence"] - 1, 0))
    return rpc.TransferMessage(**values)


@dataclass
class Pair:
    """六安, whose window takes applications in, and 天宁, which decides."""

    home: Town
    handling: Town
    item: item_service_pb2.ServiceItem

    def materials(self) -> list[pb.MaterialReference]:
        known = self.handling.known
        license_digest = known.add_license(SHOWN, b"licence")
        plan_digest = known.add_file(PLAN, b"plan 1", f"{HOME}{FIRM}")
        return [
            pb.MaterialReference(code="M1", presentation=SHOWN, digest=license_digest),
            pb.MaterialReference(code="M2", material=PLAN, digest=plan_digest),
        ]

    def request(self, **more: Any) -> rpc.SendCaseTransferRequest:
        request = rpc.SendCaseTransferRequest(
            handling_region="320402",
            task_code=TASK_CODE,
            mode=pb.CROSS_REGION_MODE_COLLECTED,
            case_id=uuid7(),
            applicant=firm(),
            agent=agent(),
            materials=self.materials(),
            request_id=request_id(),
            identity_check=rpc.IdentityCheck(assurance=4, method="核验身份证"),
        )
        request.identity_check.check_time.FromDatetime(morning(MONDAY))
        request.MergeFrom(rpc.SendCaseTransferRequest(**more))
        return request

    async def send(self, request: rpc.SendCaseTransferRequest | None = None, token: str = "") -> rpc.CaseTransfer:
        wanted = request or self.request()
        return await self.home.call(
            self.home.exchange.SendCaseTransfer, wanted, rpc.CaseTransfer, token or self.home.window
        )

    async def transfer(self, town: Town, name: str) -> rpc.CaseTransfer:
        return await town.call(
            town.exchange.GetCaseTransfer, rpc.GetCaseTransferRequest(name=name), rpc.CaseTransfer, town.clerk
        )

    async def carry(self, times: int = 4) -> None:
        """Lets both deliverers work until nothing is due."""
        for _ in range(times):
            for town in (self.home, self.handling):
                while await town.part("MessageDeliverer").deliver_due():
                    pass

    def application(self, request: rpc.SendCaseTransferRequest) -> rpc.TransferApplication:
        """An application as 六安 would write it."""
        application = rpc.TransferApplication(
            task_code=request.task_code,
            mode=request.mode,
            case_id=request.case_id,
            applicant=firm(HOME),
            agent=agent(HOME),
            identity_check=request.identity_check,
            materials=request.materials,
            department=DEPARTMENT,
            operator=CLERK,
        )
        application.receive_time.FromDatetime(morning(MONDAY))
        return application

    def message(self, request: rpc.SendCaseTransferRequest, **more: Any) -> rpc.TransferMessage:
        """An application as 六安 would send it, made by hand."""
        return enveloped(self.application(request), **more)

    def guest(self, **claims: Any) -> str:
        """The token of 六安's service for its agent, as 天宁's identity makes it; or of another region's."""
        home = f"//{claims.get('region', '341500')}/"
        values = {"region": "341500", "org": home + FIRM, "mandate": home + MANDATE, **claims}
        return self.handling.service.issuer.token(home + AGENT, "REGION", **values)

    async def receive(self, message: rpc.TransferMessage, token: str = "") -> rpc.TransferReceipt:
        request = rpc.ReceiveCaseTransferRequest(message=message)
        return await self.handling.call(
            self.handling.exchange.ReceiveCaseTransfer, request, rpc.TransferReceipt, token or self.guest()
        )


@pytest_asyncio.fixture
async def pair(ground: Ground) -> AsyncIterator[Pair]:
    """Two regions that trust each other."""
    async with running(ground) as home, running(ground, TIANNING) as handling:
        for one, other in ((home, handling), (handling, home)):
            one.known.others[other.known.code] = other.known
            one.known.trusted.add(other.known.code)
        yield Pair(home, handling, await handling.item(**ITEM))
