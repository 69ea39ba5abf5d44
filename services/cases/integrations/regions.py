"""What is asked of the cases services of other regions, gateway to gateway."""

import asyncio
import time
from collections.abc import Callable
from functools import cached_property

import grpc
from google.protobuf.message import Message

from libs.errors import TongbanError, reasons
from libs.rpc.regions import Regions
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from tongban.identity.v1 import resources_pb2 as identity

_KEPT_SECONDS, _ASK_SECONDS = 300.0, 5.0


class OtherRegions:
    """The cases services of other regions, and whether they are trusted."""

    def __init__(self, identity_channel: Callable[[], grpc.aio.Channel]) -> None:
        self._identity = identity_channel
        self._said: dict[str, pb.Capabilities] = {}
        self._asked: dict[str, float] = {}
        self._asking: set[asyncio.Task[None]] = set()

    @cached_property
    def known(self) -> Regions:
        """The regions, made at the first use."""
        return Regions(self._identity())

    async def check_outbound(self, region: str) -> None:
        """Raises REGION_NOT_TRUSTED unless this region may send to another."""
        await self.known.trusted(region, identity.TRUST_DIRECTION_OUTBOUND)

    async def check_inbound(self, region: str) -> None:
        """Raises REGION_NOT_TRUSTED unless another region may send to this one now."""
        await self.known.trusted(region, identity.TRUST_DIRECTION_INBOUND)

    def check_takes(self, region: str, payload: str) -> None:
        """Raises TRANSFER_PAYLOAD_UNSUPPORTED where a region has said that it doesn't understand such a message.

        Nobody waits for what it says: it is asked aside, at most every five minutes, and what it said last holds. Where it
        never answered it may be sent anything: what it does not understand it keeps.
        """
        if self._asked.get(region, 0.0) <= time.monotonic():
            self._asked[region] = time.monotonic() + _KEPT_SECONDS
            task = asyncio.ensure_future(self.ask(region))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        said = self._said.get(region)
        if said is not None and payload not in said.payload_types:
            raise reasons.transfer_payload_unsupported(
                f"//{region} runs {said.release} and does not understand {payload}", region=region, payload=payload
            )

    async def ask(self, region: str) -> None:
        """Asks a region what it understands, and keeps it; keeps what it said before where it doesn't answer."""
        try:
            self._said[region] = await self.known.ask(
                region,
                lambda channel: ExchangeServiceStub(channel).GetCapabilities,
                pb.GetCapabilitiesRequest(),
                pb.Capabilities,
                timeout=_ASK_SECONDS,
            )
        except TongbanError:
            return

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
        for task in tuple(self._asking):
            task.cancel()
        if "known" in self.__dict__:
            await self.known.close()
