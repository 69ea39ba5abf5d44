"""What comes after a case is closed: delivery of the result, and ratings."""

from typing import Any

from libs import names
from libs.access.actor import Actor
from libs.crypto.envelope import Column, FieldCipher
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag, etag_of
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, state_conflict
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.convert import (
    DELIVERY_STATE,
    METHOD,
    RATING_CHANNEL,
    RATING_KIND,
    SATISFACTION,
    id_of,
)
from services.cases.domain import ratings as rules
from services.cases.domain.states import Action, CaseState
from services.cases.store.cases import CaseRecord
from services.cases.store.items import ItemVersion
from services.cases.store.tasks import TaskStore
from services.cases.tables import deliveries, ratings
from services.cases.usecases.access import (
    Reading,
    actor_of,
    is_machine,
    is_party,
    made_by,
    not_owner,
    of_department,
    require_applicant_side,
    speaks_for,
)
from services.cases.usecases.desk import Change, Desk, facts_of
from tongban.cases.v1 import delivery_service_pb2, rating_service_pb2
from tongban.cases.v1 import events_pb2 as events

SEALED = Column("deliveries", "sealed")
COMMENT = Column("ratings", "comment")
_TRACKED = {"POST", "LOCKER"}


class Deliveries:
    """Use cases of DeliveryService."""

    def __init__(self, desk: Desk, store: TaskStore, reading: Reading, cipher: FieldCipher) -> None:
        self._desk = desk
        self._reading = reading
        self._store = store
        self._cipher = cipher

    async def create(
        self, command: Command, request: delivery_service_pb2.CreateDeliveryRequest
    ) -> delivery_service_pb2.Delivery:
        """Begins the delivery of a closed case's result."""
        actor = current_call().actor
        method = METHOD.name(request.method)

        async def work(tx: Transaction) -> delivery_service_pb2.Delivery:
            record = await self._desk.store.lock(tx.connection, id_of(request.case_name))
            require_applicant_side(actor, record)
            _require_deliverer(actor, record, method)
            if record.state != CaseState.CLOSED:
                raise state_conflict(record.name, record.state, str(CaseState.CLOSED))
            if request.recipient_name:
                names.check(request.recipient_name, "recipient_name")
            _check_delivery(request, method, await self._desk.items.version(record.item))
            row = await rows.insert(tx.connection, deliveries, self._values(tx, record, request, method))
            record.delivery, record.update_time = row.id, tx.now
            await self._desk.store.save_quietly(tx.connection, record)
            message = self._message(row)
            tx.emit(
                message.name,
                events.DeliveryCreated(name=message.name, case_name=record.name, method=request.method),
            )
            return message

        return await self._desk.run(command, work)

    def _values(
        self, tx: Transaction, record: CaseRecord, request: delivery_service_pb2.CreateDeliveryRequest, method: str
    ) -> dict[str, Any]:
        identifier, parties = uuid7(), record.content
        recipient = request.recipient_name or parties.agent.display_name or parties.applicant.display_name
        private = delivery_service_pb2.Delivery(recipient_name=recipient)
        if request.HasField("address"):
            private.address.CopyFrom(request.address)
        return {
            "id": identifier,
            "case_id": record.id,
            "method": method,
            "state": "PENDING",
            "region": record.receiving_region,
            "sealed": self._cipher.encrypt(SEALED, identifier, private.SerializeToString()),
            "tracking_number": request.tracking_number,
            "create_time": tx.now,
            "update_time": tx.now,
        }

    async def confirm(
        self, command: Command, request: delivery_service_pb2.ConfirmDeliveryRequest
    ) -> delivery_service_pb2.Delivery:
        """Notes that the result arrived; the case is DELIVERED."""
        actor = current_call().actor

        async def work(tx: Transaction) -> delivery_service_pb2.Delivery:
            found = await self._store.delivery(id_of(request.name))
            record = await self._desk.store.lock(tx.connection, found.case_id)
            row = await self._store.lock_delivery(tx.connection, found.id)
            require_applicant_side(actor, record)
            check_etag(request.name, row.version, request.etag)
            if row.state != "PENDING":
                raise state_conflict(request.name, row.state, "PENDING")
            row = await rows.update(
                tx.connection,
                deliveries,
                row.id,
                {
                    "state": "DELIVERED",
                    "confirmed_by": actor_of(actor),
                    "deliver_time": tx.now,
                    "update_time": tx.now,
                },
            )
            await self._delivered(tx, record, row, actor)
            return self._message(row)

        return await self._desk.run(command, work)

    async def _delivered(self, tx: Transaction, record: CaseRecord, row: Row, actor: Actor) -> None:
        item = await self._desk.items.version(record.item)
        who = actor_of(actor)
        before = self._desk.move(record, facts_of(record), Action.DELIVER)
        record.deliver_time = tx.now
        event = events.CaseDelivered(delivery=f"deliveries/{row.id}", method=METHOD.number(row.method))
        change = Change(Action.DELIVER, who, actor.department)
        await self._desk.finish(tx, record, item, before, change, event)

    async def get(self, request: delivery_service_pb2.GetDeliveryRequest) -> delivery_service_pb2.Delivery:
        """Reads a delivery: the case's parties, its department, and the machine that opened it."""
        actor, name = current_call().actor, request.name
        row = await self._store.delivery(id_of(name))
        record = await self._desk.store.read(row.case_id)
        if is_party(actor, record):
            await self._reading.own(request, name, "delivery")
        elif of_department(actor, record) or made_by(actor, record):
            await self._reading.note(request, name, "delivery")
        else:
            raise not_found(name)
        return self._message(row)

    def _message(self, row: Row) -> delivery_service_pb2.Delivery:
        message = delivery_service_pb2.Delivery.FromString(self._cipher.decrypt(SEALED, row.id, row.sealed))
        message.MergeFrom(
            delivery_service_pb2.Delivery(
                name=f"deliveries/{row.id}",
                case_name=f"cases/{row.case_id}",
                method=METHOD.number(row.method),
                state=DELIVERY_STATE.number(row.state),
                region=row.region,
                tracking_number=row.tracking_number,
                confirmed_by=row.confirmed_by,
                create_time=timestamp(row.create_time),
                update_time=timestamp(row.update_time),
                deliver_time=timestamp(row.deliver_time),
                etag=etag_of(row.version),
            )
        )
        return message


def _require_deliverer(actor: Actor, record: CaseRecord, method: str) -> None:
    """Staff and the opening system deliver in every way, the applicant by download only."""
    if of_department(actor, record) or made_by(actor, record):
        return
    if not (is_party(actor, record) and method == "DOWNLOAD"):
        raise not_owner(record.name)


def _check_delivery(request: delivery_service_pb2.CreateDeliveryRequest, method: str, item: ItemVersion) -> None:
    if request.method not in item.content.delivery_methods:
        raise invalid_field("method", "delivery.offered", "is not offered by the item")
    if method == "POST" and not request.HasField("address"):
        raise invalid_field("address", "delivery.address", "is required for post")
    if method in _TRACKED and not request.tracking_number:
        raise invalid_field("tracking_number", "delivery.tracking", "is required for post and lockers")


class Ratings:
    """Rating a case of this region."""

    def __init__(self, desk: Desk, store: TaskStore, reading: Reading, cipher: FieldCipher) -> None:
        self._desk = desk
        self._reading = reading
        self._store = store
        self._cipher = cipher

    async def create(
        self, command: Command, request: rating_service_pb2.CreateRatingRequest
    ) -> rating_service_pb2.Rating:
        """Rates a case."""
        actor = current_call().actor

        async def work(tx: Transaction) -> rating_service_pb2.Rating:
            record = await self._desk.store.lock(tx.connection, id_of(request.case_name))
            rater = _rater(actor, record, request.channel)
            return await self.rate(tx, record, request, rater)

        return await self._desk.run(command, work)

    async def rate(
        self, tx: Transaction, record: CaseRecord, request: rating_service_pb2.CreateRatingRequest, rater: str
    ) -> rating_service_pb2.Rating:
        """Rates a locked case, and counts the rating where it is the one that counts."""
        row = await self.insert(tx, record.name, CaseState(record.state), request, rater, record.department)
        if row.kind == rules.RatingKind.FIRST and row.effective:
            record.rating, record.rate_time, record.update_time = row.level, tx.now, tx.now
            await self._desk.store.save_quietly(tx.connection, record)
        return self.message(row)

    async def insert(
        self,
        tx: Transaction,
        case_name: str,
        state: CaseState,
        request: rating_service_pb2.CreateRatingRequest,
        rater: str,
        department: str,
    ) -> Row:
        """Writes a rating of a case in ``state``; raises STATE_CONFLICT, RATING_EXISTS, RATING_FIRST_MISSING."""
        existing = await self._store.ratings_of(tx.connection, case_name)
        kind = rules.RatingKind(RATING_KIND.name(request.kind))
        rules.check_new(case_name, state, [rules.RatingKind(row.kind) for row in existing], kind)
        level = rules.Satisfaction(SATISFACTION.name(request.level))
        is_default = request.channel == rating_service_pb2.RATING_CHANNEL_SYSTEM_DEFAULT
        rating, identifier = rules.Rating(kind, level, is_default), uuid7()
        comment = self._cipher.encrypt_text(COMMENT, identifier, request.comment) if request.comment else None
        row: Row = await rows.insert(
            tx.connection,
            ratings,
            {
                "id": identifier,
                "case_name": case_name,
                "kind": str(kind),
                "level": str(level),
                "channel": RATING_CHANNEL.name(request.channel),
                "comment": comment,
                "indicators": list(request.indicators),
                "rater": rater,
                "department": department,
                "effective": rating.is_effective,
                "create_time": tx.now,
            },
        )
        tx.emit(
            f"ratings/{identifier}",
            events.RatingCreated(
                name=f"ratings/{identifier}",
                case_name=case_name,
                kind=request.kind,
                level=request.level,
                effective=rating.is_effective,
                department=department,
            ),
        )
        return row

    async def get(self, request: rating_service_pb2.GetRatingRequest) -> rating_service_pb2.Rating:
        """Reads a rating: who gave it, and the rated department."""
        actor, name = current_call().actor, request.name
        row = await self._store.rating(id_of(name))
        if row.rater in speaks_for(actor):
            await self._reading.own(request, name, "rating")
        elif (actor.office and actor.office == row.department) or await self._is_of_channel(actor, row):
            await self._reading.note(request, name, "rating")
        else:
            raise not_found(name)
        return self.message(row)

    async def _is_of_channel(self, actor: Actor, row: Row) -> bool:
        """True for the machine that opened the rated case; cases of other regions are opened at windows."""
        if not is_machine(actor) or not row.case_name.startswith("cases/"):
            return False
        return made_by(actor, await self._desk.store.read(id_of(row.case_name)))

    def message(self, row: Row) -> rating_service_pb2.Rating:
        """Builds the message of a rating."""
        comment = self._cipher.decrypt_text(COMMENT, row.id, row.comment) if row.comment else ""
        return rating_service_pb2.Rating(
            name=f"ratings/{row.id}",
            case_name=row.case_name,
            kind=RATING_KIND.number(row.kind),
            level=SATISFACTION.number(row.level),
            channel=RATING_CHANNEL.number(row.channel),
            comment=comment,
            indicators=row.indicators,
            rater=row.rater,
            department=row.department,
            effective=row.effective,
            create_time=timestamp(row.create_time),
        )


def _rater(actor: Actor, record: CaseRecord, channel: int) -> str:
    """Returns in whose name a rating is given; raises NOT_OWNER, or FIELD_INVALID for a default by a person."""
    if channel == rating_service_pb2.RATING_CHANNEL_SYSTEM_DEFAULT:
        if not is_machine(actor):
            raise invalid_field("channel", "rating.default", "is set by systems only")
        return ""
    if is_party(actor, record):
        return actor.subject
    if made_by(actor, record) or of_department(actor, record):
        actor.require_impartial(record.applicant, record.agent)
        return record.agent or record.applicant
    raise not_owner(record.name)
