"""DeliveryService: how the result of a closed case reaches the applicant (送达)."""

from collections.abc import Sequence

from libs import names
from libs.access.actor import Actor
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, state_conflict
from libs.rpc.call import Call
from libs.rpc.patches import standing_in
from services.cases.core.access import (
    actor_of,
    is_party,
    made_by,
    not_owner,
    of_department,
    of_parties,
    own_or_office,
    require_applicant_side,
)
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction, CaseState
from services.cases.core.workflow import CaseChange, move
from services.cases.deliveries import store
from services.cases.deliveries.convert import METHODS, delivery_message, new_delivery
from services.cases.deliveries.store import DeliveryRow
from tongban.cases.v1 import delivery_service_pb2 as pb
from tongban.cases.v1 import events_pb2 as events

_TRACKED = {"POST", "LOCKER"}


class DeliveryApi:
    """Delivers results."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_case_delivery(self, request: pb.CreateCaseDeliveryRequest, call: Call) -> pb.CaseDelivery:
        """Begins the delivery of a closed case's result."""
        actor, parts, wanted = call.actor, self._parts, request.case_delivery
        method, side = METHODS.name(wanted.method), self._parts.agents.side(actor)

        async def work(tx: Transaction) -> pb.CaseDelivery:
            record = await parts.cases.lock(tx.connection, wanted.case)
            require_applicant_side(actor, record)
            await side.require(record)
            _require_deliverer(actor, record, method)
            if record.state != CaseState.CLOSED:
                raise state_conflict(record.name, record.state, CaseState.CLOSED)
            if wanted.recipient_name:
                names.check(wanted.recipient_name, "case_delivery.recipient_name")
            with standing_in("case_delivery"):
                _check_delivery(wanted, method, await parts.items.version(record.item))
            row = await store.ADD.add(tx.connection, new_delivery(record, wanted, parts.cipher, tx.now))
            record.delivery, record.update_time = row.id, tx.now
            await parts.steps.write(tx.connection, record)
            tx.emit(row.name, events.CaseDeliveryCreated(name=row.name, case=record.name, method=wanted.method))
            return delivery_message(row, parts.cipher)

        return await parts.uow.run(command_of(request, call=call), work)

    async def confirm_case_delivery(self, request: pb.ConfirmCaseDeliveryRequest, call: Call) -> pb.CaseDelivery:
        """Notes that the result arrived; the case is DELIVERED."""
        actor, parts, side = call.actor, self._parts, self._parts.agents.side(call.actor)

        async def work(tx: Transaction) -> pb.CaseDelivery:
            found = await store.get(parts.database, request.name)
            record = await parts.cases.lock(tx.connection, f"cases/{found.case_id}")
            row = await store.lock(tx.connection, request.name)
            if not _has_to_do(actor, record) and actor.speaks_for:
                raise not_found(request.name)
            require_applicant_side(actor, record)
            await side.require(record, request.name)
            check_etag(request.name, row.version, request.etag)
            if row.state != "PENDING":
                raise state_conflict(request.name, row.state, "PENDING")
            who = actor_of(actor)
            row = await store.UPDATE.one(
                tx.connection, row.id, state="DELIVERED", confirmed_by=who, deliver_time=tx.now, update_time=tx.now
            )
            await self._delivered(tx, record, row, CaseChange(CaseAction.DELIVER, who, actor.department))
            return delivery_message(row, parts.cipher)

        return await parts.uow.run(command_of(request, call=call), work)

    async def _delivered(self, tx: Transaction, record: CaseRecord, row: DeliveryRow, change: CaseChange) -> None:
        item = await self._parts.items.version(record.item)
        before = move(record, record.facts(), CaseAction.DELIVER)
        record.deliver_time = tx.now
        event = events.CaseDelivered(delivery=row.name, method=METHODS.number(row.method))
        await self._parts.workflow.finish(tx, record, item, before, change, event)

    async def get_case_delivery(self, request: pb.GetCaseDeliveryRequest, call: Call) -> pb.CaseDelivery:
        """Reads a delivery: the case's parties, its department, and the machine that opened it."""
        actor, name, reads = call.actor, request.name, self._parts.reads
        row = await store.get(self._parts.database, name)
        record = await self._parts.cases.get(f"cases/{row.case_id}")
        right = await self._parts.agents.of_case(actor, record)
        if not _has_to_do(actor, record) or (right and not await self._parts.agents.stands(right)):
            raise not_found(name)
        if is_party(actor, record):
            await reads.own(request, call, name, "delivery")
        else:
            await reads.note(request, call, name, "delivery")
        return delivery_message(row, self._parts.cipher)

    async def list_case_deliveries(
        self, request: pb.ListCaseDeliveriesRequest, call: Call
    ) -> pb.ListCaseDeliveriesResponse:
        """Lists deliveries: of the cases that people are a party to, of the department that staff are of."""
        parts = self._parts
        scopes = own_or_office(call.actor, of_parties(call.actor))
        async with parts.database.read() as connection:
            found, token = await store.LISTED.page(connection, parts.pages, request, scopes)
        shown = await self._shown(call.actor, found)
        await parts.reads.listed(request, call, "caseDeliveries", "delivery", len(shown))
        deliveries = [delivery_message(row, parts.cipher) for row in shown]
        return pb.ListCaseDeliveriesResponse(case_deliveries=deliveries, next_page_token=token)

    async def _shown(self, actor: Actor, rows: Sequence[DeliveryRow]) -> list[DeliveryRow]:
        """Returns those of a page that the caller may see now: of cases in which they are the agent, while they may act."""
        mine = actor.speaks_for
        asked = [f"cases/{row.case_id}" for row in rows if mine and row.applicant not in mine]
        if not asked:
            return list(rows)
        shown = await self._parts.agents.shown(actor, await self._parts.cases.several(asked))
        names = {record.name for record in shown}
        return [row for row in rows if row.applicant in mine or f"cases/{row.case_id}" in names]


def _has_to_do(actor: Actor, record: CaseRecord) -> bool:
    return is_party(actor, record) or of_department(actor, record) or made_by(actor, record)


def _require_deliverer(actor: Actor, record: CaseRecord, method: str) -> None:
    """Staff and the opening system deliver in every way, the applicant by download only."""
    if of_department(actor, record) or made_by(actor, record):
        return
    if not (is_party(actor, record) and method == "DOWNLOAD"):
        raise not_owner(record.name)


def _check_delivery(wanted: pb.CaseDelivery, method: str, item: ItemVersion) -> None:
    if wanted.method not in item.content.delivery_methods:
        raise invalid_field("method", "delivery.offered", "is not offered by the item")
    if method == "POST" and not wanted.HasField("address"):
        raise invalid_field("address", "delivery.address", "is required for post")
    if method in _TRACKED and not wanted.tracking_number:
        raise invalid_field("tracking_number", "delivery.tracking", "is required for post and lockers")
