"""What is asked of the cases services of other regions, gateway to gateway."""

from collections.abc import Callable
from functools import cached_property

import grpc
from google.protobuf.message import Message

from libs.rpc.regions import Regions
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from tongban.identity.v1 import resources_pb2 as identity


class OtherRegions:
    """The cases services of other regions, and whether they are trusted."""

    def __init__(self, identity_channel: Callable[[], grpc.aio.Channel]) -> None:
        self._identity = identity_channel

    @cached_property
    def known(self) -> Regions:
        """The regions, made at the first use."""
        return Regions(self._identity())

    async def check_outbound(self, region: str) -> None:
        """Raises REGION_NOT_TRUSTED unless this region may send to another."""
        await self.known.trusted(region, identity.TRUST_DIRECTION_OUTBOUND)

    async def deliver(self, region: str, rpc: str, request: Message, assertion: str = "") -> pb.TransferReceipt:
        """Calls an RPC of another region's ExchangeService; ``assertion`` is that of the person whom it is about.

        Without it the service calls as itself. Raises what ``Regions.invoke`` does.
        """
        return await self.known.invoke(
            region,
            lambda channel: getattr(ExchangeServiceStub(channel), rpc),
            request,
            pb.TransferReceipt,
            assertion=assertion,
        )

    async def close(self) -> None:
        """Closes the channels to their gateways."""
        if "known" in self.__dict__:
            await self.known.close()
