"""CatalogService: entering resources in the catalogue and publishing them."""

from datetime import datetime
from typing import Any

from google.protobuf.empty_pb2 import Empty

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.patches import patch_of, standing_in
from services.sharing.catalogue.convert import published_event, resource_message
from services.sharing.catalogue.rules import check_entry, published, require_draft, require_unmounted, submitted
from services.sharing.catalogue.store import ADD, DELETE, LISTED, UPDATE
from services.sharing.core.catalogue import ResourceState
from services.sharing.core.ids import key_of
from services.sharing.core.messages import entry_of
from services.sharing.core.participants import Participant, participant
from services.sharing.core.parts import Parts
from services.sharing.core.resources import CatalogueResource, lock_seen
from tongban.sharing.v1 import catalog_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


class CatalogueApi:
    """Keeps the catalogue."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_data_resource(self, request: pb.CreateDataResourceRequest, call: Call) -> messages.DataResource:
        """Drafts an entry."""
        entry, key = request.data_resource.entry, uuid7()
        participant(call.actor, self._parts.home).must_provide(entry.provider_department)
        _check(entry)

        async def work(tx: Transaction) -> messages.DataResource:
            return resource_message(await ADD.add(tx.connection, _drafted(key, entry, tx.now)))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def update_data_resource(self, request: pb.UpdateDataResourceRequest, call: Call) -> messages.DataResource:
        """Changes a draft."""
        patch, caller = patch_of(request, messages.DataResource), participant(call.actor, self._parts.home)

        async def work(tx: Transaction) -> messages.DataResource:
            row = await _draft(tx, patch.name, request.etag, caller)
            entry = patch.over(resource_message(row)).entry
            _check(entry)
            changed = entry_of(entry)
            if (changed.form, changed.fields) != (row.facts.form, row.facts.fields):
                require_unmounted(row.name, row.mount)
            return resource_message(await UPDATE.one(tx.connection, row.id, update_time=tx.now, **_written(entry)))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def delete_data_resource(self, request: pb.DeleteDataResourceRequest, call: Call) -> Empty:
        """Throws a draft away."""
        caller = participant(call.actor, self._parts.home)

        async def work(tx: Transaction) -> Empty:
            row = await _draft(tx, request.name, request.etag, caller)
            require_unmounted(row.name, row.mount)
            await DELETE.gone(tx.connection, row.id)
            tx.about = row.name
            return Empty()

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_data_resource(self, request: pb.GetDataResourceRequest, call: Call) -> messages.DataResource:
        """Gets an entry."""
        row = await self._parts.resources.get(request.name)
        if not row.is_seen_by(participant(call.actor, self._parts.home)):
            raise not_found(request.name)
        return resource_message(row)

    async def list_data_resources(
        self, request: pb.ListDataResourcesRequest, call: Call
    ) -> pb.ListDataResourcesResponse:
        """Lists entries by code."""
        parts = self._parts
        scopes = _seen(participant(call.actor, parts.home))
        async with parts.database.read() as connection:
            shown, token = await LISTED.page(connection, parts.pages, request, scopes)
        return pb.ListDataResourcesResponse(data_resources=map(resource_message, shown), next_page_token=token)

    async def submit_data_resource(self, request: pb.SubmitDataResourceRequest, call: Call) -> messages.DataResource:
        """Hands a draft in."""
        caller, key = participant(call.actor, self._parts.home), key_of(request.name)

        async def work(tx: Transaction) -> messages.DataResource:
            row = await lock_seen(tx.connection, key, caller)
            caller.must_provide(row.provider_department)
            check_etag(request.name, row.version, request.etag)
            state = submitted(request.name, row.state)
            changes = {"state": state, "submit_time": tx.now, "update_time": tx.now}
            return resource_message(await UPDATE.one(tx.connection, key, **changes))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def publish_data_resource(self, request: pb.PublishDataResourceRequest, call: Call) -> messages.DataResource:
        """Publishes an entry that was handed in."""
        caller, key = participant(call.actor, self._parts.home), key_of(request.name)

        async def work(tx: Transaction) -> messages.DataResource:
            row = await lock_seen(tx.connection, key, caller)
            check_etag(request.name, row.version, request.etag)
            state = published(request.name, row.state)
            changes = {"state": state, "publish_time": tx.now, "update_time": tx.now}
            message = resource_message(await UPDATE.one(tx.connection, key, **changes))
            tx.emit(request.name, published_event(message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)


def _check(entry: messages.CatalogEntry) -> None:
    with standing_in("data_resource"):
        check_entry(entry_of(entry))


async def _draft(tx: Transaction, name: str, etag: str, caller: Participant) -> CatalogueResource:
    row = await lock_seen(tx.connection, key_of(name), caller)
    caller.must_provide(row.provider_department)
    require_draft(name, row.state)
    check_etag(name, row.version, etag)
    return row


def _drafted(key: str, entry: messages.CatalogEntry, now: datetime) -> CatalogueResource:
    return CatalogueResource(
        id=key, provider_department=entry.provider_department, create_time=now, update_time=now, **_written(entry)
    )


def _written(entry: messages.CatalogEntry) -> dict[str, Any]:
    """Returns what can be written of a draft more than once, by column."""
    return {
        "code": entry.code,
        "sharing_class": entry_of(entry).sharing_class.name,
        "entry": entry.SerializeToString(),
    }


def _seen(caller: Participant) -> list[Scope]:
    """Returns what a caller may know of: what is published, and its own department's; the competent authority all."""
    if caller.publishes or (caller.home and caller.whole_region):
        return [Scope({})]
    published = Scope({"state": ResourceState.PUBLISHED.value})
    if caller.home and caller.department:
        return [published, Scope({"provider_department": caller.department})]
    return [published]
