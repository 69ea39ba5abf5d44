"""Calls to other regions: gateway to gateway, with a token of theirs that our identity service's assertion was changed for.

How a call gets its token (RFC 8693): our own access token is exchanged at home for an assertion to the other region (at
most 60 seconds, used once), and that is exchanged there for an access token of theirs, because our region stands on
their trust list.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.errors import Unauthenticated, reasons
from libs.rpc.client import TellReceipt, invoke, invoke_recorded, nobody, stream
from libs.rpc.contract import method_of
from libs.rpc.gateways import gateway_channel
from libs.rpc.stages.trust import reads_only
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from libs.rpc.withdrawals import standing
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import region_service_pb2, region_service_pb2_grpc, resources_pb2, token_service_pb2_grpc
from tongban.identity.v1 import token_service_pb2 as tokens

Answer = TypeVar("Answer", bound=Message)

_KEEP_REGION_SECONDS = 5.0
_RENEW_BEFORE_SECONDS = 30.0


class Regions:
    """The other regions, as one of our services reaches them."""

    def __init__(self, identity: grpc.aio.Channel) -> None:
        self._tokens = token_service_pb2_grpc.TokenServiceStub(identity)
        self._regions = region_service_pb2_grpc.RegionServiceStub(identity)
        self._known: dict[str, tuple[resources_pb2.Region, float]] = {}
        self._access: dict[str, tuple[str, float]] = {}
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def invoke(
        self,
        region: str,
        method: Callable[[grpc.aio.Channel], Any],
        request: Message,
        answer: type[Answer],
        *,
        assertion: str = "",
        timeout: float = 10.0,
    ) -> Answer:
        """Calls another region's RPC.

        Args:
            region: its code.
            method: gives the stub's method for a channel.
            request: the request.
            answer: the class of the answer.
            assertion: a fresh assertion for a person, made at home; empty to call as the service itself.
            timeout: seconds.

        Raises:
            PermissionDenied: REGION_NOT_TRUSTED or REGION_READS_ONLY, here or there.
            TongbanError: what the callee meant, or DEPENDENCY_UNAVAILABLE.
        """
        response, _ = await self.invoke_recorded(region, method, request, answer, assertion=assertion, timeout=timeout)
        return response

    async def invoke_recorded(
        self,
        region: str,
        method: Callable[[grpc.aio.Channel], Any],
        request: Message,
        answer: type[Answer],
        *,
        assertion: str = "",
        timeout: float = 10.0,
    ) -> tuple[Answer, common_pb2.Receipt | None]:
        """Calls as ``invoke``; returns the answer and the other region's receipt, where it recorded the call."""
        channel = await self._channel(region, request)
        with self._speaking_for_ourselves(region, asserted=bool(assertion)):
            token = await self._token(region, channel, assertion)
            to = f"//{region}"
            return await invoke_recorded(method(channel), request, answer, to=to, timeout=timeout, token=token)

    async def assertion_for(self, actor: Actor, region: str) -> str:
        """Returns the assertion with which a person of this region asks in their own name; empty for all others.

        What belongs to a person is theirs in every region that trusts this one (一地认证、全网通办).
        """
        if not actor.person or actor.delegate:
            return ""
        with standing():
            return await self._assertion(actor.token, region)

    async def stream(
        self,
        region: str,
        method: Callable[[grpc.aio.Channel], Any],
        request: Message,
        answer: type[Answer],
        *,
        assertion: str = "",
        timeout: float = 60.0,
        tell: TellReceipt = nobody,
    ) -> AsyncIterator[Answer]:
        """Calls another region's RPC that streams its answer; arguments and errors as ``invoke``, ``tell`` as ``client.stream``."""
        channel = await self._channel(region, request)
        with self._speaking_for_ourselves(region, asserted=bool(assertion)):
            token = await self._token(region, channel, assertion)
            async for message in stream(
                method(channel), request, answer, to=f"//{region}", timeout=timeout, token=token, tell=tell
            ):
                yield message

    async def ask(
        self,
        region: str,
        method: Callable[[grpc.aio.Channel], Any],
        request: Message,
        answer: type[Answer],
        *,
        timeout: float = 5.0,
    ) -> Answer:
        """Calls another region's public RPC, without a token; arguments and errors as ``invoke``."""
        channel = await self._channel(region, request)
        return await invoke(method(channel), request, answer, to=f"//{region}", timeout=timeout, token="")

    @contextmanager
    def _speaking_for_ourselves(self, region: str, *, asserted: bool = False) -> Iterator[None]:
        """Turns "who are you?" into "the region does not take our word now".

        The word was ours, made for this call: it is no fault of whom we serve, whose own token holds. When they signed in is
        theirs, and passed on as it was meant: no other word of ours would be newer.
        """
        try:
            yield
        except Unauthenticated as error:
            if asserted and error.reason == "AUTHENTICATION_TOO_OLD":
                raise
            self._access.pop(region, None)
            raise reasons.dependency_unavailable(
                f"//{region} does not take our word now",
                retry_after=1.0,
                dependency=f"//{region}",
            ) from error

    async def trusted(self, region: str, direction: resources_pb2.TrustDirection.ValueType) -> resources_pb2.Region:
        """Returns a region if the trust holds in ``direction``; what was asked is kept for five seconds.

        Raises PermissionDenied REGION_NOT_TRUSTED.
        """
        key = f"{region}:{direction}"
        known = self._known.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        request = region_service_pb2.ResolveRegionRequest(name=f"regions/{region}", direction=direction)
        found = await invoke(self._regions.ResolveRegion, request, resources_pb2.Region, to="identity", token="")
        self._known[key] = (found, time.monotonic() + _KEEP_REGION_SECONDS)
        return found

    def narrowed(self, region: str) -> bool:
        """Says whether what comes from a region may only read, as far as identity has told last."""
        known = self._known.get(f"{region}:{resources_pb2.TRUST_DIRECTION_INBOUND}")
        return known is not None and known[0].inbound.grade == resources_pb2.TRUST_GRADE_READING

    async def _channel(self, region: str, request: Message) -> grpc.aio.Channel:
        found = await self.trusted(region, resources_pb2.TRUST_DIRECTION_OUTBOUND)
        method = method_of(request.DESCRIPTOR)
        if found.outbound.grade == resources_pb2.TRUST_GRADE_READING and (method is None or method.writes):
            raise reads_only(region, "OUTBOUND")
        url = found.anchor.gateway_url
        if url not in self._channels:
            self._channels[url] = gateway_channel(url)
        return self._channels[url]

    async def _token(self, region: str, channel: grpc.aio.Channel, assertion: str) -> str:
        if assertion:
            return (await self._exchange(region, channel, assertion))[0]
        return await self._own_token(region, channel)

    async def _own_token(self, region: str, channel: grpc.aio.Channel) -> str:
        known = self._access.get(region)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        token, seconds = await self._exchange(region, channel, await self._own_assertion(region))
        self._access[region] = (token, time.monotonic() + seconds - _RENEW_BEFORE_SECONDS)
        return token

    async def _own_assertion(self, region: str) -> str:
        mine = await invoke(
            self._tokens.IssueServiceToken,
            tokens.IssueServiceTokenRequest(),
            tokens.IssueServiceTokenResponse,
            to="identity",
            token="",
        )
        return await self._assertion(mine.access_token, region)

    async def _assertion(self, token: str, region: str) -> str:
        request = tokens.ExchangeTokenRequest(
            subject_token=token, subject_token_type=ACCESS_TOKEN, audience=f"//{region}"
        )
        made = await invoke(self._tokens.ExchangeToken, request, tokens.ExchangeTokenResponse, to="identity", token="")
        return made.access_token

    async def _exchange(self, region: str, channel: grpc.aio.Channel, assertion: str) -> tuple[str, float]:
        request = tokens.ExchangeTokenRequest(subject_token=assertion, subject_token_type=ASSERTION)
        theirs = token_service_pb2_grpc.TokenServiceStub(channel)
        got = await invoke(theirs.ExchangeToken, request, tokens.ExchangeTokenResponse, to=f"//{region}", token="")
        return got.access_token, float(got.expires_in)

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()
