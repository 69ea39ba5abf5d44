"""Entering resources in the catalogue and publishing them."""

from libs.db import paging, rows
from libs.db.command import command_of
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from services.sharing.caller import Caller, calling, key_of
from services.sharing.convert import entry_of, resource_message
from services.sharing.domain import catalog
from services.sharing.domain.catalog import ResourceState, SharingClass
from services.sharing.store.catalog import CatalogStore, ResourceFilter
from services.sharing.tables import resources
from tongban.sharing.v1 import catalog_service_pb2 as pb
from tongban.sharing.v1 import events_pb2 as events
from tongban.sharing.v1 import resources_pb2 as messages


def sees_resource(caller: Caller, row: Row) -> bool:
    """Tells whether the caller may know of an entry: everybody of a published one, else provider and authority."""
    return row.state == "PUBLISHED" or caller.publishes or caller.provides(row.provider_department)


class Catalog:
    """Use cases of CatalogService."""

    def __init__(self, uow: UnitOfWork, store: CatalogStore, home: str) -> None:
        self._uow = uow
        self._store = store
        self._home = home

    async def create(self, request: pb.CreateResourceRequest) -> messages.Resource:
        """Drafts an entry."""
        entry = request.entry
        calling(self._home).must_provide(entry.provider_department)
        rules = entry_of(entry)
        catalog.check_entry(rules)
        identifier = uuid7()

        async def work(tx: Transaction) -> messages.Resource:
            row = await rows.insert(
                tx.connection,
                resources,
                {
                    "id": identifier,
                    "code": entry.code,
                    "state": ResourceState.DRAFT.name,
                    "sharing_class": rules.sharing_class.name,
                    "provider_department": entry.provider_department,
                    "entry": entry.SerializeToString(),
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            return resource_message(row)

        return await self._uow.run(command_of(request), work)

    async def get(self, request: pb.GetResourceRequest) -> messages.Resource:
        """Reads an entry."""
        row = await self._store.resource(key_of(request.name))
        if not sees_resource(calling(self._home), row):
            raise not_found(request.name)
        return resource_message(row)

    async def list(self, request: pb.ListResourcesRequest) -> pb.ListResourcesResponse:
        """Lists entries by code."""
        caller = calling(self._home)
        position = paging.position(request, request.page_token)
        sees_all = caller.publishes or (caller.home and caller.whole_region)
        wanted = ResourceFilter(
            state=ResourceState(request.state).name if request.state else "",
            sharing_class=SharingClass(request.sharing_class).name if request.sharing_class else "",
            provider_department=request.provider_department,
            code=request.code,
            visible_to=None if sees_all else caller.department if caller.home else "",
        )
        size = paging.page_size(request.page_size)
        found = await self._store.list_resources(wanted, str(position[0]) if position else "", size + 1)
        return pb.ListResourcesResponse(
            resources=[resource_message(row) for row in found[:size]],
            next_page_token=paging.next_token(request, found[size - 1].code) if len(found) > size else "",
        )

    async def submit(self, request: pb.SubmitResourceRequest) -> messages.Resource:
        """Hands a draft in."""
        caller, key = calling(self._home), key_of(request.name)

        async def work(tx: Transaction) -> messages.Resource:
            row = await self._visible(tx, caller, key)
            caller.must_provide(row.provider_department)
            check_etag(request.name, row.version, request.etag)
            state = catalog.submitted(request.name, ResourceState[row.state])
            changes = {"state": state.name, "submit_time": tx.now, "update_time": tx.now}
            return resource_message(await rows.update(tx.connection, resources, key, changes))

        return await self._uow.run(command_of(request), work)

    async def publish(self, request: pb.PublishResourceRequest) -> messages.Resource:
        """Publishes an entry that was handed in."""
        caller, key = calling(self._home), key_of(request.name)

        async def work(tx: Transaction) -> messages.Resource:
            row = await self._visible(tx, caller, key)
            check_etag(request.name, row.version, request.etag)
            state = catalog.published(request.name, ResourceState[row.state])
            changes = {"state": state.name, "publish_time": tx.now, "update_time": tx.now}
            message = resource_message(await rows.update(tx.connection, resources, key, changes))
            tx.emit(request.name, _published(message))
            return message

        return await self._uow.run(command_of(request), work)

    async def _visible(self, tx: Transaction, caller: Caller, key: str) -> Row:
        row = await self._store.lock_resource(tx.connection, key)
        if not sees_resource(caller, row):
            raise not_found(f"resources/{key}")
        return row


def _published(resource: messages.Resource) -> events.ResourcePublished:
    entry = resource.entry
    return events.ResourcePublished(
        resource=resource.name,
        code=entry.code,
        title=entry.title,
        provider_department=entry.provider_department,
        sharing_class=entry.sharing_class,
        publish_time=resource.publish_time,
    )
