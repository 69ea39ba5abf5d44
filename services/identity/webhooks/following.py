"""What has changed, as a client may see it: ListChanges of each service, asked by identity with a token of the client's own.

So who is told of what is decided where it is decided for those who ask themselves, by the rights of the moment.
"""

from collections.abc import Callable
from typing import Protocol

import grpc

from libs.rpc.client import invoke
from tongban.events.v1 import change_service_pb2 as changes_pb
from tongban.events.v1 import change_service_pb2_grpc as changes_grpc


class ChangeLogs(Protocol):
    """The logs of public events of all services."""

    async def changes(self, token: str, request: changes_pb.ListChangesRequest) -> changes_pb.ListChangesResponse:
        """Asks the service that the request names; raises what it refuses with, or Unavailable."""
        ...


class NeighbourLogs:
    """The logs of the services of the region."""

    def __init__(self, channel: Callable[[str], grpc.aio.Channel]) -> None:
        """Takes what opens the channel to a service, identity among them."""
        self._channel = channel

    async def changes(self, token: str, request: changes_pb.ListChangesRequest) -> changes_pb.ListChangesResponse:
        """Asks a service."""
        stub = changes_grpc.ChangeServiceStub(self._channel(request.service))
        answer = changes_pb.ListChangesResponse
        return await invoke(stub.ListChanges, request, answer, to=request.service, token=token)
