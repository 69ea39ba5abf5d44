"""Taking an application back that a window here sent to another region, and the same at the region that decides."""

from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import not_found, state_conflict
from libs.rpc.call import current_call
from services.cases.convert import id_of
from services.cases.domain.transfers import TransferSignal, TransferState, move
from services.cases.store.transfers import Exchange, TransferStore
from services.cases.tables import transfers
from services.cases.usecases.desk import Desk
from services.cases.usecases.outgoing import Outgoing
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb

_OPEN = (TransferState.SENT, TransferState.RECEIVED, TransferState.ACCEPTED)


class Withdrawal:
    """Use case of the receiving side."""

    def __init__(self, desk: Desk, store: TransferStore, outgoing: Outgoing) -> None:
        self._desk = desk
        self._store = store
        self._outgoing = outgoing

    async def withdraw(self, command: Command, request: pb.WithdrawTransferRequest) -> pb.Transfer:
        """Withdraws an application: by itself where it never left, else by a message that follows it."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Transfer:
            row = await self._store.lock(tx.connection, id_of(request.name))
            if row.direction != "OUTBOUND" or row.owner_department != actor.department:
                raise not_found(request.name)
            self._outgoing.require_party(actor, row)
            self._outgoing.require_impartial(actor, row.applicant, row.agent)
            check_etag(request.name, row.version, request.etag)
            told = await self._stop(tx, row, request)
            if told:
                message = pb.TransferMessage(withdrawal=pb.TransferWithdrawal(reason=request.reason))
                await self._desk.news.queue(tx, row.id, "withdrawal", message)
            tx.emit(request.name, events.TransferWithdrawn(name=request.name, told=told))
            return self._outgoing.message(await self._store.lock(tx.connection, row.id))

        return await self._desk.run(command, work)

    async def _stop(self, tx: Transaction, row: Row, request: pb.WithdrawTransferRequest) -> bool:
        """Ends what waits where no receipt came yet; tells whether the other side may hold the application."""
        exchange = Exchange(row.peer_region, row.exchange_id, row.direction)
        waiting = await self._store.pending(tx.connection, exchange)
        if row.state not in _OPEN or any(each.payload == "withdrawal" for each in waiting):
            raise state_conflict(request.name, row.state, *_OPEN)
        if row.state != TransferState.SENT:
            return True
        await self._store.end(tx.connection, exchange)
        state = move(request.name, TransferState.SENT, TransferSignal.WITHDRAW)
        await rows.update(
            tx.connection,
            transfers,
            row.id,
            {
                "state": str(state),
                "end_reason": request.reason,
                "waiting_reason": "",
                "waiting_since": None,
                "update_time": tx.now,
            },
        )
        return any(each.attempts for each in waiting)
