"""ItemService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.cases.usecases.catalogue import Items
from tongban.cases.v1 import item_service_pb2 as pb
from tongban.cases.v1.item_service_pb2_grpc import ItemServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class ItemServicer(ItemServiceServicer):
    """Serves ``tongban.cases.v1.ItemService``."""

    def __init__(self, items: Items) -> None:
        self._items = items

    async def CreateItem(self, request: pb.CreateItemRequest, context: Context) -> pb.Item:
        """Writes a draft."""
        return await self._items.create(command_of(request), request.content)

    async def PublishItem(self, request: pb.PublishItemRequest, context: Context) -> pb.Item:
        """Publishes a draft."""
        return await self._items.publish(command_of(request), request)

    async def GetItem(self, request: pb.GetItemRequest, context: Context) -> pb.Item:
        """Gets a version."""
        return await self._items.get(request.name)

    async def ListItems(self, request: pb.ListItemsRequest, context: Context) -> pb.ListItemsResponse:
        """Lists versions."""
        return await self._items.list(request)
