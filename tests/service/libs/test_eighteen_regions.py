"""What a service knows of eighteen regions: each is asked for once in a while, reached over one connection, and what was told last holds."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.errors import PermissionDenied, Unavailable
from libs.rpc.regions import Regions
from tests.support.backends import HOST
from tests.support.partners import IDS
from tongban.cases.v1 import exchange_service_pb2, exchange_service_pb2_grpc
from tongban.identity.v1 import region_service_pb2 as pb
from tongban.identity.v1 import region_service_pb2_grpc, resources_pb2

pytestmark = pytest.mark.asyncio
INBOUND, OUTBOUND = resources_pb2.TRUST_DIRECTION_INBOUND, resources_pb2.TRUST_DIRECTION_OUTBOUND
READS = resources_pb2.TRUST_GRADE_READING


@dataclass
class Identity(region_service_pb2_grpc.RegionServiceServicer):
    """An identity service that trusts all of them, some of them to read alone."""

    reading: set[str] = field(default_factory=set)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def ResolveRegion(self, request: pb.ResolveRegionRequest, context: Any) -> resources_pb2.Region:  # noqa: N802
        region = request.name.removeprefix("regions/")
        self.asked[region, request.direction] += 1
        grade = READS if region in self.reading else resources_pb2.TRUST_GRADE_FULL
        terms = resources_pb2.RegionTrust(state=resources_pb2.TRUST_STATE_OPEN, grade=grade)
        anchor = resources_pb2.RegionAnchor(gateway_url=f"http://{HOST}:1")
        return resources_pb2.Region(name=request.name, anchor=anchor, inbound=terms, outbound=terms)


@dataclass
class Served:
    """The regions as one service reaches them, and the identity that it asks."""

    regions: Regions
    identity: Identity
    server: grpc.aio.Server


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    identity, server = Identity(), grpc.aio.server()  # type: ignore[abstract]
    region_service_pb2_grpc.add_RegionServiceServicer_to_server(identity, server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"{HOST}:{port}") as channel:
        regions = Regions(channel)
        yield Served(regions, identity, server)
        await regions.close()
    await server.stop(None)


async def test_each_is_asked_for_once_however_many_calls_come_from_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.rpc.regions._KEEP_REGION_SECONDS", 3600.0)
    for _ in range(20):
        for region in IDS:
            await served.regions.trusted(region, INBOUND)
    assert served.identity.asked == {(region, INBOUND): 1 for region in IDS}


async def test_what_was_told_last_of_each_holds_while_identity_is_away(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.rpc.regions._KEEP_REGION_SECONDS", 0.0)
    served.identity.reading = set(IDS[::2])
    for region in IDS:
        await served.regions.trusted(region, INBOUND)
    await served.server.stop(None)
    with pytest.raises(Unavailable):
        await served.regions.trusted(IDS[0], INBOUND)
    assert [region for region in IDS if served.regions.narrowed(region)] == list(IDS[::2])


async def test_nothing_that_changes_goes_where_only_reads_pass(served: Served) -> None:
    served.identity.reading = {IDS[3]}
    change, read = exchange_service_pb2.ReceiveCaseTransferRequest(), exchange_service_pb2.GetCapabilitiesRequest()

    async def send(region: str, request: Any, name: str) -> None:
        def method(channel: grpc.aio.Channel) -> Any:
            return getattr(exchange_service_pb2_grpc.ExchangeServiceStub(channel), name)

        await served.regions.invoke(region, method, request, resources_pb2.Region, assertion="x")

    with pytest.raises(PermissionDenied) as refused:
        await send(IDS[3], change, "ReceiveCaseTransfer")
    told = {"region": IDS[3], "direction": "OUTBOUND", "rule": "grade"}
    assert (refused.value.reason, refused.value.metadata) == ("REGION_READS_ONLY", told)
    # The others' gateways are called, and are away; so is this one's by a read.
    for region, request, name in ((IDS[4], change, "ReceiveCaseTransfer"), (IDS[3], read, "GetCapabilities")):
        with pytest.raises(Unavailable):
            await send(region, request, name)
