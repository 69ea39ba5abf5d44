"""How many calls wait for one neighbour to come back: counted by the channel to it, which a process has one of."""

import asyncio
from types import TracebackType
from typing import Any, Self

import grpc

_MOST = 512


class WaitingCalls:
    """The calls that wait to be sent again to one neighbour.

    Attributes:
        count: how many there are.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self.count = 0

    async def wait(self, seconds: float) -> bool:
        """Waits, and tells whether it did: False at once where too many wait already."""
        if self.count >= self._most:
            return False
        self.count += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.count -= 1
        return True


class _Rpc:
    """What a stub calls, and the calls that wait for the same neighbour."""

    __slots__ = ("_call", "waiting")

    def __init__(self, call: Any, waiting: WaitingCalls) -> None:
        self._call = call
        self.waiting = waiting

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)


class NeighbourChannel(grpc.aio.Channel):
    """A channel to a neighbour that knows how many calls wait for it.

    Attributes:
        waiting: those calls.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.waiting = WaitingCalls()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what calls a method, and says who waits for the same neighbour."""
        return _Rpc(self._channel.unary_unary(*args, **kwargs), self.waiting)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As ``unary_unary``."""
        return _Rpc(self._channel.unary_stream(*args, **kwargs), self.waiting)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        """As ``unary_unary``."""
        return _Rpc(self._channel.stream_unary(*args, **kwargs), self.waiting)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As ``unary_unary``."""
        return _Rpc(self._channel.stream_stream(*args, **kwargs), self.waiting)

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.__aexit__(kind, error, trace)

    async def close(self, grace: float | None = None) -> None:
        """Ends the calls that run after ``grace`` seconds, and closes the connection."""
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Tells whether there is a connection."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the state is another one."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until there is a connection."""
        await self._channel.channel_ready()


def waiting_for(function: Any) -> WaitingCalls:
    """Returns the calls that wait with that of ``function``, a stub's method; none where it is no neighbour's."""
    waiting = getattr(function, "waiting", None)
    return waiting if isinstance(waiting, WaitingCalls) else WaitingCalls()
