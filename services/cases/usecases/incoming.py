"""The deciding side of an exchange (办理地): what another region's window sends is applied here, in order and once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from libs.access.actor import Actor
from libs.db import rows
from libs.db.command import Command, digest_of
from libs.db.engine import Row
from libs.db.uow import Transaction, derived_request_id
from libs.errors import NotFound, reasons
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.clients import mandate_not_covering
from services.cases.convert import APPLICANT_TYPE, MODE, id_of
from services.cases.domain.items import check_offer, check_open_to
from services.cases.domain.transfers import Direction, Payload, Verdict, admit, check_payload
from services.cases.store.items import ItemVersion
from services.cases.store.transfers import Exchange, TransferStore
from services.cases.tables import transfers
from services.cases.usecases import applications
from services.cases.usecases.access import not_owner
from services.cases.usecases.desk import Desk
from services.cases.usecases.drafts import Application, Drafts
from services.cases.usecases.results import Ratings
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import rating_service_pb2
from tongban.cases.v1 import resources_pb2 as resources
from tongban.common.v1 import common_pb2


def message_digest(message: pb.TransferMessage) -> str:
    """Returns the digest that a receipt names: SM3 of the message's deterministic bytes."""
    return f"sm3:{digest_of(message).hex()}"


def use_of(command: Command, transaction_id: str, case_name: str = "") -> Command:
    """Returns the command with the exchange's transaction id in its audit record."""
    return replace(command, use=common_pb2.UseContext(transaction_id=transaction_id, case_name=case_name))


def require_sender(actor: Actor, sender_region: str) -> None:
    """Raises REGION_MISMATCH unless the message comes from the region that the token speaks for."""
    if not actor.region or actor.region != sender_region:
        raise reasons.region_mismatch("the message is another region's", region=sender_region)


def require_service(actor: Actor, sender_region: str) -> None:
    """Raises ACTOR_NOT_ALLOWED unless that region's cases service itself calls: no officer of it answers past it."""
    require_sender(actor, sender_region)
    if actor.subject != f"//{sender_region}/services/cases":
        raise reasons.actor_not_allowed("the deciding region answers by its cases service only", actor_kind=actor.kind)


def receipted(
    tx: Transaction, message: pb.TransferMessage, digest: str, region: str, *, held: bool
) -> pb.TransferReceipt:
    """Builds the receipt of a message, with an audit record of its own."""
    name = f"exchanges/{message.exchange_id}/messages/{message.sequence}"
    receipt = tx.record(name)
    return pb.TransferReceipt(
        exchange_id=message.exchange_id,
        sequence=message.sequence,
        digest=digest,
        region=region,
        held=held,
        receive_time=timestamp(tx.now),
        receipt=receipt,
    )


class Incoming:
    """Use cases of the deciding side."""

    def __init__(self, desk: Desk, store: TransferStore, drafts: Drafts, ratings: Ratings) -> None:
        self._desk = desk
        self._store = store
        self._drafts = drafts
        self._ratings = ratings

    async def receive(self, command: Command, message: pb.TransferMessage) -> pb.TransferReceipt:
        """Takes a message of the receiving region; a repeated one gets the first receipt."""
        actor = current_call().actor
        require_sender(actor, message.sender_region)
        payload = Payload(message.WhichOneof("payload") or "")
        check_payload(message.exchange_id, Direction.TO_HANDLING, message.sequence, payload)
        exchange = Exchange(message.sender_region, message.exchange_id, "INBOUND")
        digest = message_digest(message)
        known = await self.known(exchange, message, digest)
        if known is not None:
            if payload is Payload.APPLICATION:
                await self._desk.news.tell_again(exchange)
            return known
        _check_holders((*message.application.materials, *message.correction.materials), actor.region)
        if payload is Payload.APPLICATION:
            await self._check_application(message.application, actor)
        asked: set[bytes] = set()
        request_id = derived_request_id("receive", exchange.peer, exchange.exchange_id, str(message.sequence), digest)

        async def work(tx: Transaction) -> pb.TransferReceipt:
            await self._store.serialize(tx.connection, exchange)
            inbox, found = await self._store.inbox(tx.connection, exchange)
            admission = admit(inbox, message.sequence, digest)
            if admission.verdict is Verdict.REPEAT:
                raise reasons.resource_exists("the message was received before", resource="messages")
            opened = await self._store.of_exchange(tx.connection, exchange)
            if opened is not None:  # before it may be held: what is held is applied later under another's token
                _require_same_transfer(opened, actor)
            receipt = receipted(tx, message, digest, self._desk.region, held=admission.verdict is Verdict.HOLD)
            for sequence in admission.apply:
                row = found.get(sequence)
                await self._apply(tx, exchange, message if row is None else self._store.open_message(row), actor, asked)
                if row is not None:
                    await self._store.mark_applied(tx.connection, row)
            await self._store.keep(tx.connection, exchange, message, digest, receipt, tx.now)
            return receipt

        return await self._desk.run(replace(use_of(command, message.transaction_id), request_id=request_id), work)

    async def known(self, exchange: Exchange, message: pb.TransferMessage, digest: str) -> pb.TransferReceipt | None:
        """Returns the first receipt of a repeated message; raises TRANSFER_MESSAGE_CONFLICT for another content."""
        inbox, found = await self._store.read_inbox(exchange)
        row = found.get(message.sequence)
        if row is None:
            return None
        admit(inbox, message.sequence, digest)
        return pb.TransferReceipt.FromString(row.receipt)

    async def _apply(
        self, tx: Transaction, exchange: Exchange, message: pb.TransferMessage, actor: Actor, asked: set[bytes]
    ) -> None:
        if message.HasField("application"):
            transfer, case_name = await self._open(tx, exchange, message, actor, asked)
        else:
            row = await self._store.of_exchange(tx.connection, exchange)
            if row is None:
                raise reasons.state_conflict(
                    "the exchange has no application",
                    resource="transfers",
                    state="",
                    allowed="ACCEPTED",
                )
            _require_same_transfer(row, actor)
            transfer, case_name = row.id, row.case_name
            await self._apply_later(tx, row, message, actor, asked)
        await self._count(tx, transfer, message.sequence)
        tx.emit(
            f"transfers/{transfer}",
            events.TransferReceived(
                name=f"transfers/{transfer}",
                receiving_region=exchange.peer,
                sequence=message.sequence,
                case_name=case_name,
            ),
        )

    async def _count(self, tx: Transaction, transfer: str, sequence: int) -> None:
        await rows.update(tx.connection, transfers, transfer, {"last_applied": sequence, "update_time": tx.now})

    # ---- the application ----

    async def _check_application(self, application: pb.TransferApplication, actor: Actor) -> None:
        """What the application says must be what the token proves, and the item must be open to that region."""
        item = await self._item(application)
        check_open_to(item.offer(), actor.region)
        # The cross-region list is what admits it; the item's own channels are those of people here.
        offer = replace(item.offer(), channels=frozenset({"OTHER_REGION"}))
        check_offer(offer, APPLICANT_TYPE.name(application.applicant.type), "OTHER_REGION")
        if application.mode != item.content.cross_region.mode:
            raise reasons.item_not_cross_region(
                "the item is open in another mode",
                task_code=application.task_code,
                region=actor.region,
            )
        agent = application.agent if application.HasField("agent") else None
        applications.check_parties(application.applicant, agent, self._desk.today())
        applications.check_materials(item, application.materials, paper_allowed=True)
        applications.check_form(item, application.form_values)
        _check_token(application, agent, actor, item)
        # By the word of identity there, whatever the service of that region writes.
        await self._desk.identity.check_parties(application.applicant, agent)
        if agent is not None and agent.mandate:
            await self._desk.identity.check_mandate(
                agent.subject, application.applicant.subject, agent.mandate, item.codes
            )

    async def _item(self, application: pb.TransferApplication) -> ItemVersion:
        try:
            return await self._desk.items.in_force(application.task_code)
        except NotFound as error:
            raise reasons.item_not_published(
                f"{application.task_code} is not in force here", item=application.task_code
            ) from error

    async def _open(
        self, tx: Transaction, exchange: Exchange, message: pb.TransferMessage, actor: Actor, asked: set[bytes]
    ) -> tuple[str, str]:
        application, identifier = message.application, uuid7()
        item = await self._item(application)
        clerk = f"//{exchange.peer}/{application.operator}"
        opened = Application(
            case_id=application.case_id,
            item=item,
            applicant=application.applicant,
            agent=application.agent if application.HasField("agent") else None,
            channel="OTHER_REGION",
            title=application.title,
            materials=tuple(application.materials),
            form_values=tuple(application.form_values),
            created_by=clerk,
            actor=clerk,
            department=f"//{exchange.peer}/{application.department}",
            assurance=actor.assurance,
            receiving_region=exchange.peer,
            received_by=clerk,
            received_human=actor.human,
            transfer=identifier,
        )
        record = await self._drafts.insert(tx, opened)
        case = await self._drafts.submitted(tx, record, item, clerk, opened.department, asked)
        await rows.insert(tx.connection, transfers, self._values(tx, identifier, exchange, message, actor, case, item))
        await self._desk.news.acknowledge(tx, identifier)
        return identifier, record.name

    def _values(
        self,
        tx: Transaction,
        identifier: str,
        exchange: Exchange,
        message: pb.TransferMessage,
        actor: Actor,
        case: resources.Case,
        item: ItemVersion,
    ) -> dict[str, Any]:
        application = message.application
        content = pb.Transfer(applicant=application.applicant, identity_check=application.identity_check)
        if application.HasField("agent"):
            content.agent.CopyFrom(application.agent)
        return {
            "id": identifier,
            "exchange_id": exchange.exchange_id,
            "transaction_id": message.transaction_id,
            "direction": "INBOUND",
            "peer_region": exchange.peer,
            "state": "ACCEPTED",
            "mode": MODE.name(application.mode),
            "task_code": application.task_code,
            "item_display_name": item.content.display_name,
            "case_name": case.name,
            "case_number": case.number,
            "department": application.department,
            "owner_department": item.content.department,
            "operator": application.operator,
            "applicant": application.applicant.subject,
            "agent": application.agent.subject,
            "peer_transfer": _transfer_of(actor),
            "sealed": self._store.seal(identifier, content),
            "receive_time": tx.now,
            "acknowledge_time": tx.now,
            "create_time": tx.now,
            "update_time": tx.now,
        }

    # ---- what comes later ----

    async def _apply_later(
        self, tx: Transaction, row: Row, message: pb.TransferMessage, actor: Actor, asked: set[bytes]
    ) -> None:
        record = await self._desk.store.lock(tx.connection, id_of(row.case_name))
        if message.HasField("correction"):
            await self._drafts.corrected(
                tx,
                record,
                tuple(message.correction.materials),
                tuple(message.correction.form_values),
                actor.subject,
                "",
                asked,
                paper_allowed=True,
            )
            return
        if message.HasField("withdrawal"):
            await self._drafts.withdrawn(tx, record, actor.subject, "", message.withdrawal.reason)
            return
        rating = message.rating
        if rating.rater not in {record.applicant, record.agent}:
            raise not_owner(record.name)
        await self._ratings.rate(
            tx,
            record,
            rating_service_pb2.CreateRatingRequest(
                case_name=record.name,
                kind=rating.kind,
                level=rating.level,
                channel=rating.channel,
                comment=rating.comment,
                indicators=rating.indicators,
            ),
            rating.rater,
        )


def _check_holders(materials: Iterable[resources.MaterialReference], region: str) -> None:
    """Every material must lie in the region that sends it: what a third region holds it can't vouch for."""
    for material in materials:
        source = material.WhichOneof("source")
        held_by = names.parse(getattr(material, source), "materials").region if source and source != "paper" else region
        if held_by != region:
            raise reasons.region_mismatch("a material is held by another region", region=held_by)


def _check_token(
    application: pb.TransferApplication, agent: resources.Agent | None, actor: Actor, item: ItemVersion
) -> None:
    """The home region vouches for one person, one firm and one mandate: the application must name just these."""
    if application.applicant.subject != (actor.organization or actor.subject):
        raise not_owner(application.applicant.subject)
    if agent is not None and agent.subject != actor.subject:
        raise not_owner(agent.subject)
    if (agent.mandate if agent else "") != actor.mandate:
        raise mandate_not_covering(
            agent.mandate if agent else "", application.task_code, "the token names another mandate"
        )
    clerks = _actors(actor.claims.get("act"))
    if clerks and f"//{actor.region}/{application.operator}" not in clerks:
        raise not_owner(application.operator)
    if actor.assurance < item.content.min_assurance:
        raise reasons.assurance_too_low(
            "the person must be known better for this item",
            required=str(item.content.min_assurance),
            actual=str(actor.assurance),
        )


def _actors(act: Any) -> list[str]:
    """Returns everybody in the claim ``act``, the last actor first (RFC 8693, 4.1)."""
    found = []
    while isinstance(act, Mapping):
        found.append(str(act.get("sub", "")))
        act = act.get("act")
    return found


def _transfer_of(actor: Actor) -> str:
    return str(actor.claims.get("transfer", ""))


def _require_same_transfer(row: Row, actor: Actor) -> None:
    """Only a token that is bound as the application's was is good for what comes later."""
    bound = _transfer_of(actor)
    if bound != row.peer_transfer:
        raise reasons.delegation_mismatch("the token is for another transfer", transfer=bound)
