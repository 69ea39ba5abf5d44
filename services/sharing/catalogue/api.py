"""CatalogService: entering resources in the catalogue and publishing them."""

from datetime import datetime

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.sharing.catalogue.convert import published_event, resource_message
from services.sharing.catalogue.rules import check_entry, published, submitted
from services.sharing.catalogue.store import ADD, LISTED, UPDATE
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
        participant(call.actor, self._parts.home).must_provide(request.entry.provider_department)
        rules, key = entry_of(request.entry), uuid7()
        check_entry(rules)

        async def work(tx: Transaction) -> messages.DataResource:
            made = _drafted(key, request.entry, rules.sharing_class.name, tx.now)
            return resource_message(await ADD.add(tx.connection, made))

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


def _drafted(key: str, entry: messages.CatalogEntry, sharing_class: str, now: datetime) -> CatalogueResource:
    return CatalogueResource(
        id=key,
        code=entry.code,
        sharing_class=sharing_class,
        provider_department=entry.provider_department,
        entry=entry.SerializeToString(),
        create_time=now,
        update_time=now,
    )


def _seen(caller: Participant) -> list[Scope]:
    """Returns what a caller may know of: what is published, and its own department's; the competent authority all."""
    if caller.publishes or (caller.home and caller.whole_region):
        return [Scope({})]
    published = Scope({"state": ResourceState.PUBLISHED.value})
    if caller.home and caller.department:
        return [published, Scope({"provider_department": caller.department})]
    return [published]
