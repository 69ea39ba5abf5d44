"""ItemService: drafts of service items, their publication, and the catalogue."""

from google.protobuf.empty_pb2 import Empty

from libs.access.actor import Actor
from libs.access.owners import OFFICIAL, require_official
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction, Work
from libs.errors import not_found
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.patches import patch_of
from services.cases.core.access import is_staff, not_owner
from services.cases.core.items import ItemRow, limits_of
from services.cases.core.materials import MaterialRule, check_rules
from services.cases.core.offers import ItemState
from services.cases.core.parts import Parts
from services.cases.items import store
from services.cases.items.convert import HANDLING_KINDS, check_form_fields, item_message, new_item, written
from services.cases.items.license_types import PublishingCheck
from services.cases.items.rules import HandlingKind, check_limits, next_version, publish, require_draft
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import item_service_pb2 as pb

_WRITE = "cases.serviceItems.update"


class ItemApi:
    """Keeps the catalogue of items."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._publishing = PublishingCheck(parts.licenses)

    async def create_service_item(self, request: pb.CreateServiceItemRequest, call: Call) -> pb.ServiceItem:
        """Writes a draft."""
        content = request.service_item.content
        _require_department(call.actor, content.department, "service_item.content.department")
        _check(content)

        async def work(tx: Transaction) -> pb.ServiceItem:
            number = next_version(content.task_code, await store.lock_code(tx.connection, content.task_code))
            return item_message(await store.ADD.add(tx.connection, new_item(content, number, tx.now)))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def update_service_item(self, request: pb.UpdateServiceItemRequest, call: Call) -> pb.ServiceItem:
        """Changes a draft."""
        patch = patch_of(request, pb.ServiceItem)

        async def work(tx: Transaction) -> pb.ServiceItem:
            row = await _draft(tx, patch.name, request.etag, call.actor)
            content = patch.over(item_message(row)).content
            _check(content)
            return item_message(await store.UPDATE.one(tx.connection, row.id, update_time=tx.now, **written(content)))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def delete_service_item(self, request: pb.DeleteServiceItemRequest, call: Call) -> Empty:
        """Throws a draft away."""

        async def work(tx: Transaction) -> Empty:
            row = await _draft(tx, request.name, request.etag, call.actor)
            await store.DELETE.gone(tx.connection, row.id)
            tx.about = row.name
            return Empty()

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def publish_service_item(self, request: pb.PublishServiceItemRequest, call: Call) -> pb.ServiceItem:
        """Publishes a draft; the version published before is superseded in the same moment."""
        command = command_of(request, call=call)
        answer = await self._parts.uow.prepared(command, lambda: self._publishing_of(request, call.actor))
        self._parts.items.forget()
        return answer

    async def _publishing_of(self, request: pb.PublishServiceItemRequest, actor: Actor) -> Work[pb.ServiceItem]:
        """Asks whether a draft can be published, and returns what does it."""
        draft = await self._parts.items.get(request.name)
        _require_department(actor, draft.department, request.name)
        if draft.state == ItemState.DRAFT:  # the etag says that it is still this; another state is refused below
            await self._publishing.check(pb.ItemContent.FromString(draft.content))

        async def work(tx: Transaction) -> pb.ServiceItem:
            row = await store.lock(tx.connection, request.name)
            _require_department(actor, row.department, request.name)
            check_etag(request.name, row.version, request.etag)
            state = publish(request.name, row.state)
            superseded = await _supersede(tx, row.task_code)
            row = await store.UPDATE.one(tx.connection, row.id, state=state, publish_time=tx.now, update_time=tx.now)
            return _tell_published(tx, row, superseded)

        return work

    async def get_service_item(self, request: pb.GetServiceItemRequest, call: Call) -> pb.ServiceItem:
        """Reads a version that was published once; who may write its drafts reads these, too."""
        row = await self._parts.items.get(request.name)
        if row.state == ItemState.DRAFT and not _writes(call.actor, row.department):
            raise not_found(request.name)
        return item_message(row)

    async def list_service_items(self, request: pb.ListServiceItemsRequest, call: Call) -> pb.ListServiceItemsResponse:
        """Lists versions."""
        parts, shown_states = self._parts, store.SHOWN if request.show_superseded else store.PUBLISHED
        scope = Scope({}, (shown_states, store.OPEN_TO_REGION) if request.open_to_region else (shown_states,))
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(
                connection, parts.pages, request, [scope], region=request.open_to_region
            )
        return pb.ListServiceItemsResponse(service_items=map(item_message, shown), next_page_token=token)


def _check(content: pb.ItemContent) -> None:
    check_limits(limits_of(content), HandlingKind(HANDLING_KINDS.name(content.handling_kind)))
    check_rules([MaterialRule(rule.code, rule.required, rule.tolerable) for rule in content.materials])
    check_form_fields(content)


async def _draft(tx: Transaction, name: str, etag: str, actor: Actor) -> ItemRow:
    row = await store.lock(tx.connection, name)
    _require_department(actor, row.department, name)
    require_draft(name, row.state)
    check_etag(name, row.version, etag)
    return row


def _writes(actor: Actor, department: str) -> bool:
    official = actor.standing in OFFICIAL and actor.may(_WRITE)
    return official and not (is_staff(actor) and actor.office != department)


async def _supersede(tx: Transaction, task_code: str) -> str:
    """Marks the version that is published as replaced; returns its name, or an empty string where there is none."""
    known = await store.lock_code(tx.connection, task_code)
    before = next((each for each in known if each.state is ItemState.PUBLISHED), None)
    if before is None:
        return ""
    await store.UPDATE.one(
        tx.connection, before.id, state=ItemState.SUPERSEDED, supersede_time=tx.now, update_time=tx.now
    )
    return f"serviceItems/{before.id}"


def _tell_published(tx: Transaction, row: ItemRow, superseded: str) -> pb.ServiceItem:
    message = item_message(row)
    told = events.ServiceItemPublished(
        item=message.name,
        task_code=message.content.task_code,
        display_name=message.content.display_name,
        superseded_item=superseded,
    )
    tx.emit(row.name, told)
    return message


def _require_department(actor: Actor, department: str, name: str) -> None:
    require_official(actor)
    if is_staff(actor) and actor.office != department:
        raise not_owner(name)
