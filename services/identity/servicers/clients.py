"""ClientService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.identity.usecases.clients import Clients
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.client_service_pb2_grpc import ClientServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class ClientServicer(ClientServiceServicer):
    """Serves ``tongban.identity.v1.ClientService``."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def CreateClient(self, request: pb.CreateClientRequest, context: Context) -> resources.Client:
        """Makes a client."""
        return await self._clients.create(command_of(request), request.client, request.client_id)

    async def GetClient(self, request: pb.GetClientRequest, context: Context) -> resources.Client:
        """Gets a client."""
        return await self._clients.get(request.name)

    async def ListClients(self, request: pb.ListClientsRequest, context: Context) -> pb.ListClientsResponse:
        """Lists clients."""
        return await self._clients.list(request)

    async def RotateClientKey(self, request: pb.RotateClientKeyRequest, context: Context) -> resources.Client:
        """Replaces a client's keys or secret."""
        return await self._clients.rotate(command_of(request), request)

    async def ApproveClient(self, request: pb.ApproveClientRequest, context: Context) -> resources.Client:
        """Stands behind what waits for approval."""
        return await self._clients.approve(command_of(request), request)

    async def SuspendClient(self, request: pb.SuspendClientRequest, context: Context) -> resources.Client:
        """Suspends a client."""
        return await self._clients.suspend(command_of(request), request)

    async def ResumeClient(self, request: pb.ResumeClientRequest, context: Context) -> resources.Client:
        """Resumes a client."""
        return await self._clients.resume(command_of(request), request)
