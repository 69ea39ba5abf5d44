"""What the deciding region answers, at the receiving side: the acknowledgement, progress, the result."""

from dataclasses import replace
from typing import Any

from libs.db import rows
from libs.db.command import Command, digest_of
from libs.db.engine import Row
from libs.db.uow import Transaction, derived_request_id
from libs.errors import not_found, reasons, state_conflict
from libs.ids import names
from libs.rpc.call import current_call
from services.cases.convert import STATE, TRANSFER_STATE
from services.cases.domain.transfers import (
    Direction,
    Payload,
    TransferSignal,
    TransferState,
    Verdict,
    admit,
    check_payload,
    move,
)
from services.cases.store.transfers import Exchange, TransferStore
from services.cases.tables import transfers
from services.cases.usecases.desk import Desk
from services.cases.usecases.incoming import Incoming, message_digest, receipted, require_service, use_of
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources

_SIGNALS = {"ACCEPTED": TransferSignal.ACCEPT, "RETURNED": TransferSignal.RETURN}


class Answers:
    """Use cases of the receiving side for what comes back."""

    def __init__(self, desk: Desk, store: TransferStore, incoming: Incoming) -> None:
        self._desk = desk
        self._store = store
        self._incoming = incoming

    async def acknowledge(self, command: Command, request: pb.AcknowledgeTransferRequest) -> pb.TransferReceipt:
        """Notes that the case was opened there, or that the application comes back."""
        require_service(current_call().actor, request.sender_region)
        exchange = Exchange(request.sender_region, request.exchange_id, "OUTBOUND")
        row = await self._known(exchange)
        if request.case_name and names.parse(request.case_name, "case_name").region != request.sender_region:
            raise reasons.region_mismatch("the case is another region's", region=request.sender_region)
        digest = f"sm3:{digest_of(request).hex()}"
        if row.acknowledgement is not None:
            return _same(row, digest)
        request_id = derived_request_id("acknowledge", exchange.peer, exchange.exchange_id, digest)

        async def work(tx: Transaction) -> pb.TransferReceipt:
            row = await self._locked(tx, exchange)
            if row.acknowledgement is not None:
                _same(row, digest)
                raise reasons.resource_exists("acknowledged before", resource=f"transfers/{row.id}")
            state = move(f"transfers/{row.id}", TransferState(row.state), _SIGNALS[TRANSFER_STATE.name(request.state)])
            empty = pb.TransferMessage(exchange_id=request.exchange_id)
            receipt = receipted(tx, empty, digest, self._desk.region, held=False)
            await rows.update(
                tx.connection,
                transfers,
                row.id,
                {
                    "state": str(state),
                    "case_name": request.case_name,
                    "case_number": request.case_number,
                    "end_reason": request.reason,
                    "acknowledgement": receipt.SerializeToString(),
                    "acknowledge_time": tx.now,
                    "update_time": tx.now,
                },
            )
            tx.emit(
                f"transfers/{row.id}",
                events.TransferAcknowledged(
                    name=f"transfers/{row.id}",
                    state=request.state,
                    case_name=request.case_name,
                    case_number=request.case_number,
                    reason=request.reason,
                    sent=_sent(row, request.case_name),
                ),
            )
            return receipt

        return await self._desk.run(replace(use_of(command, request.transaction_id), request_id=request_id), work)

    async def push(self, command: Command, message: pb.TransferMessage) -> pb.TransferReceipt:
        """Takes progress or the result; a repeated message gets the first receipt."""
        require_service(current_call().actor, message.sender_region)
        payload = Payload(message.WhichOneof("payload") or "")
        check_payload(message.exchange_id, Direction.TO_RECEIVING, message.sequence, payload)
        exchange = Exchange(message.sender_region, message.exchange_id, "OUTBOUND")
        await self._known(exchange)
        digest = message_digest(message)
        known = await self._incoming.known(exchange, message, digest)
        if known is not None:
            return known
        request_id = derived_request_id("push", exchange.peer, exchange.exchange_id, str(message.sequence), digest)

        async def work(tx: Transaction) -> pb.TransferReceipt:
            row = await self._locked(tx, exchange)
            inbox, found = await self._store.inbox(tx.connection, exchange)
            admission = admit(inbox, message.sequence, digest)
            if admission.verdict is Verdict.REPEAT:
                raise reasons.resource_exists("the message was received before", resource="messages")
            receipt = receipted(tx, message, digest, self._desk.region, held=admission.verdict is Verdict.HOLD)
            content, tolerated = self._store.open(row), row.tolerated
            for sequence in admission.apply:
                held = found.get(sequence)
                applied = message if held is None else self._store.open_message(held)
                tolerated = _apply(tx, row, content, applied) or tolerated
                if held is not None:
                    await self._store.mark_applied(tx.connection, held)
            if admission.apply:
                await self._write(tx, row, content, admission.apply[-1], tolerated=tolerated)
            await self._store.keep(tx.connection, exchange, message, digest, receipt, tx.now)
            return receipt

        return await self._desk.run(replace(use_of(command, message.transaction_id), request_id=request_id), work)

    async def _write(self, tx: Transaction, row: Row, content: pb.Transfer, applied: int, *, tolerated: bool) -> None:
        values: dict[str, Any] = {
            "sealed": self._store.seal(row.id, content),
            "progress_state": STATE.name(content.progress.state),
            "tolerated": tolerated,
            "last_applied": applied,
            "update_time": tx.now,
        }
        await rows.update(tx.connection, transfers, row.id, values)

    async def _known(self, exchange: Exchange) -> Row:
        row = await self._store.read_of_exchange(exchange)
        if row is None:
            raise not_found("transfers")
        return row

    async def _locked(self, tx: Transaction, exchange: Exchange) -> Row:
        await self._store.serialize(tx.connection, exchange)
        row = await self._store.of_exchange(tx.connection, exchange)
        if row is None:
            raise not_found("transfers")
        return await self._store.lock(tx.connection, row.id)


def _sent(row: Row, case_name: str) -> events.SentApplication:
    return events.SentApplication(
        case_name=case_name, department=row.owner_department, applicant=row.applicant, agent=row.agent
    )


def _same(row: Row, digest: str) -> pb.TransferReceipt:
    """Returns the first receipt; raises STATE_CONFLICT where something else was acknowledged before."""
    receipt = pb.TransferReceipt.FromString(row.acknowledgement)
    if receipt.digest != digest:
        raise state_conflict(f"transfers/{row.id}", row.state, str(TransferState.RECEIVED))
    return receipt


def _apply(tx: Transaction, row: Row, content: pb.Transfer, message: pb.TransferMessage) -> bool:
    """Takes one message over; returns whether it tells of an acceptance with tolerance."""
    event = events.TransferProgressed(
        name=f"transfers/{row.id}", sequence=message.sequence, sent=_sent(row, row.case_name)
    )
    if message.HasField("progress"):
        content.progress.CopyFrom(message.progress)
        event.progress.CopyFrom(message.progress)
    else:
        content.result.CopyFrom(message.result)
        event.result.CopyFrom(message.result)
    tx.emit(f"transfers/{row.id}", event)
    return message.progress.action == resources.CASE_ACTION_ACCEPT_WITH_TOLERANCE
