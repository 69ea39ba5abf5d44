"""Messages of another region's window, applied here (办理地): the application becomes a case, what comes later changes it."""

from libs.access.actor import Actor
from libs.db.change import Addition
from libs.db.uow import Transaction
from libs.errors import reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names
from services.cases.applications.service import Application, Applications, RespondingParty
from services.cases.core.access import not_owner
from services.cases.core.applications import agent_of
from services.cases.core.cases import CaseRecord
from services.cases.core.exchange import Payload, TransferState
from services.cases.core.items import ItemVersion
from services.cases.core.parts import Parts
from services.cases.core.payloads import OpenedMessage
from services.cases.core.transfers import INBOUND, UPDATE, ExchangeKey, TransferRow
from services.cases.incoming.checks import OTHER_REGION, bound_transfer, item_of, require_same_transfer
from services.cases.ratings.service import RatingWriter
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import rating_service_pb2
from tongban.cases.v1 import resources_pb2 as resources

_ADD = Addition(TransferRow)
_MODES = Names(resources.CrossRegionMode)


class MessageApplier:
    """Applies messages, each in the transaction of the one that is received."""

    def __init__(self, parts: Parts, applications: Applications, ratings: RatingWriter) -> None:
        self._parts = parts
        self._applications = applications
        self._ratings = ratings

    async def apply(
        self, tx: Transaction, exchange: ExchangeKey, message: OpenedMessage, actor: Actor, asked: set[bytes]
    ) -> None:
        """Applies a message of an exchange; ``asked`` are the licences that passed their check in this call."""
        if message.kind == Payload.APPLICATION:
            row = await self._open(tx, exchange, message, actor, asked)
        else:
            row = await self._opened(tx, exchange, actor)
            await self._apply_later(tx, row, message, actor, asked)
        applied = max(row.last_applied, message.sequence)
        await UPDATE.one(tx.connection, row.id, last_applied=applied, update_time=tx.now)
        event = events.CaseTransferReceived(
            name=row.name, receiving_region=exchange.peer, sequence=message.sequence, case=row.case_name
        )
        tx.emit(row.name, event)

    async def _opened(self, tx: Transaction, exchange: ExchangeKey, actor: Actor) -> TransferRow:
        row = await self._parts.transfers.of_exchange(tx.connection, exchange)
        if row is None:
            raise reasons.state_conflict(
                "the exchange has no application", resource="caseTransfers", state="", allowed="ACCEPTED"
            )
        require_same_transfer(row, actor)
        return row

    async def _open(
        self, tx: Transaction, exchange: ExchangeKey, message: OpenedMessage, actor: Actor, asked: set[bytes]
    ) -> TransferRow:
        item, transfer_id = await item_of(self._parts, message.content), uuid7()
        opened = _application(message.content, item, exchange.peer, actor, transfer_id)
        record = await self._applications.opened(tx, opened)
        await self._applications.submitted(tx, record, item, opened.actor, opened.department, asked)
        row = await _ADD.add(tx.connection, self._row(tx, transfer_id, exchange, message, actor, record, item))
        acknowledgement = pb.TransferAcknowledgement(
            state=pb.CASE_TRANSFER_STATE_ACCEPTED,
            case=f"//{self._parts.home}/{row.case_name}",
            case_number=row.case_number,
        )
        await self._parts.queue.acknowledge(tx, row.id, acknowledgement)
        return row

    def _row(
        self,
        tx: Transaction,
        transfer_id: str,
        exchange: ExchangeKey,
        message: OpenedMessage,
        actor: Actor,
        record: CaseRecord,
        item: ItemVersion,
    ) -> TransferRow:
        application = message.content
        return TransferRow(
            id=transfer_id,
            exchange_id=exchange.exchange_id,
            transaction_id=message.envelope.transaction_id,
            direction=INBOUND,
            peer_region=exchange.peer,
            state=TransferState.ACCEPTED,
            mode=_MODES.name(application.mode),
            task_code=application.task_code,
            item_display_name=item.content.display_name,
            case_name=record.name,
            case_number=record.number or "",
            department=application.department,
            owner_department=record.department,
            operator=application.operator,
            applicant=application.applicant.subject,
            agent=application.agent.subject,
            peer_transfer=bound_transfer(actor),
            sealed=self._parts.transfers.sealed_parties(transfer_id, application),
            receive_time=tx.now,
            acknowledge_time=tx.now,
            create_time=tx.now,
            update_time=tx.now,
        )

    async def _apply_later(
        self, tx: Transaction, row: TransferRow, message: OpenedMessage, actor: Actor, asked: set[bytes]
    ) -> None:
        record = await self._parts.cases.lock(tx.connection, row.case_name)
        if message.kind == Payload.CORRECTION:
            correction, by = message.content, RespondingParty(actor.subject, "", True, asked)
            materials, values = tuple(correction.materials), dict(correction.form_values)
            await self._applications.corrected(tx, record, materials, values, by)
        elif message.kind == Payload.WITHDRAWAL:
            await self._applications.withdrawn(tx, record, actor.subject, "", message.content.reason)
        else:
            await self._rate(tx, record, message.content)

    async def _rate(self, tx: Transaction, record: CaseRecord, rating: pb.TransferRating) -> None:
        if rating.rater not in {record.applicant, record.agent}:
            raise not_owner(record.name)
        wanted = rating_service_pb2.Rating(
            case=record.name,
            kind=rating.kind,
            level=rating.level,
            channel=rating.channel,
            comment=rating.comment,
            indicators=rating.indicators,
        )
        await self._ratings.rate(tx, record, wanted, rating.rater)


def _application(
    application: pb.TransferApplication, item: ItemVersion, region: str, actor: Actor, transfer_id: str
) -> Application:
    clerk = f"//{region}/{application.operator}"
    return Application(
        case_id=application.case_id,
        item=item,
        applicant=application.applicant,
        agent=agent_of(application),
        channel=OTHER_REGION,
        title=application.title,
        materials=tuple(application.materials),
        form_values=dict(application.form_values),
        created_by=clerk,
        actor=clerk,
        department=f"//{region}/{application.department}",
        assurance=actor.assurance,
        receiving_region=region,
        received_by=clerk,
        received_human=actor.human,
        transfer=transfer_id,
    )
