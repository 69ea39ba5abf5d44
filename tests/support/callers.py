"""Callers of one RPC, CreateCase, who keep what they were told: by it the tables are judged."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import grpc

from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredFirm, Registry
from libs.errors import TongbanError
from libs.rpc.client import invoke
from libs.rpc.gateways import gateway_channel
from tests.support.case_runs import PASSING, application, token_of, until_done
from tests.support.regions import YIELDING, Regions
from tongban.cases.v1 import case_service_pb2_grpc
from tongban.cases.v1 import resources_pb2 as pb


@dataclass
class Callers:
    """Creates cases of a firm, and remembers how each was answered.

    Attributes:
        office: whose gateway is called.
        firm: the applicant.
        acknowledged: the names of the cases that were answered OK.
        open: the requests of those whose callers don't know.
        refused: the reasons of failures.
        leaving: the connection of those who hang up.
    """

    office: Office
    firm: RegisteredFirm
    acknowledged: list[str] = field(default_factory=list)
    open: list[Any] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    leaving: grpc.aio.Channel | None = None

    async def create(self, seconds: float, request: Any = None) -> None:
        """Creates one case within a deadline."""
        request = request or application(self.office, YIELDING, self.firm)
        stub = case_service_pb2_grpc.CaseServiceStub(self.office.gateway.channel)
        token = await token_of(self.office, "receiving")
        try:
            case = await invoke(stub.CreateCase, request, pb.Case, to="gateway", timeout=seconds, token=token)
        except TongbanError as error:
            if error.code not in PASSING:
                raise
            self.open.append(request)
            self.refused.append(error.reason)
        else:
            self.acknowledged.append(case.name)

    async def hang_up(self, draw: random.Random, longest: float) -> None:
        """Creates one case and goes before the answer is there, at whatever point that may be.

        Over connections of their own: the gateway cuts one over which too many calls are given up.
        """
        self.leaving = self.leaving or gateway_channel(self.office.gateway.url)
        stub = case_service_pb2_grpc.CaseServiceStub(self.leaving)
        metadata = (("authorization", f"Bearer {await token_of(self.office, 'receiving')}"),)
        call: Any = stub.CreateCase(application(self.office, YIELDING, self.firm), timeout=20, metadata=metadata)
        await asyncio.wait([asyncio.ensure_future(_ended(call))], timeout=draw.random() * longest)
        call.cancel()

    async def ask_again(self) -> None:
        """Repeats, with the same request_id, what is not known, until it is."""
        if self.leaving is not None:
            await self.leaving.close()
        while self.open:
            await self.create(20.0, self.open.pop())


async def callers_of(regions: Regions, seed: int) -> Callers:
    """Callers of the handling region for a firm of its own, drawn by ``seed``."""
    registry = Registry(regions.handling, seed)
    person, _ = await until_done(registry.person)
    firm, _ = await until_done(lambda: registry.firm(person))
    return Callers(regions.handling, firm)


async def _ended(call: Any) -> None:
    try:
        await call
    except (grpc.aio.AioRpcError, asyncio.CancelledError):
        return
