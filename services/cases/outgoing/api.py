"""The receiving side of an exchange (收件地): applications, corrections and withdrawals that go to the region that decides."""

from collections.abc import Sequence

from libs.access.actor import Actor
from libs.access.owners import require_official
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope, given
from libs.rpc.call import Call
from services.cases.core.access import agent_abroad, require_impartial_abroad, require_supervision, spoken_for_abroad
from services.cases.core.agents import AgentSide
from services.cases.core.applications import agent_of
from services.cases.core.exchange import Payload, TransferSignal, TransferState, move
from services.cases.core.parts import Parts
from services.cases.core.transfers import OUTBOUND, UPDATE, TransferRow
from services.cases.outgoing import drafting, store
from services.cases.outgoing.convert import transfer_message
from services.cases.outgoing.rules import check_asked, check_open
from services.cases.outgoing.store import OutboxStore
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb


class OutgoingApi:
    """Sends applications, and what follows them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._outbox = OutboxStore(parts.database)

    async def send_case_transfer(self, request: pb.SendCaseTransferRequest, call: Call) -> pb.CaseTransfer:
        """Stores an application for delivery to the region that decides."""
        command, actor, parts = command_of(request, call=call), call.actor, self._parts
        stored = await parts.uow.stored(command)
        if isinstance(stored, pb.CaseTransfer):
            return stored
        transfer_id, application = uuid7(), drafting.drafted(request, actor, parts.home)
        drafting.check(parts, application, actor, request.handling_region)
        await parts.regions.check_outbound(request.handling_region)
        parts.regions.check_takes(request.handling_region, Payload.APPLICATION)
        await parts.identity.check_parties(application.applicant, agent_of(application))
        await drafting.check_mandate(parts, application)
        delegation = await parts.identity.delegation(
            actor.token, request.handling_region, f"caseTransfers/{transfer_id}"
        )

        async def work(tx: Transaction) -> pb.CaseTransfer:
            application.receive_time.FromDatetime(tx.now)
            made = drafting.new_transfer(parts, transfer_id, request, application, delegation, tx.now)
            await store.ADD.add(tx.connection, made)
            await parts.queue.add(tx, transfer_id, application)
            tx.emit(made.name, events.CaseTransferSent(name=made.name, handling_region=request.handling_region))
            return self._message(await parts.transfers.lock(tx.connection, made.name))

        return await parts.uow.run(command, work)

    async def send_correction(self, request: pb.SendCorrectionRequest, call: Call) -> pb.CaseTransfer:
        """Puts the answer to a correction, or tolerated materials, in line."""
        parts, side = self._parts, self._parts.agents.side(call.actor)
        correction = pb.TransferCorrection(
            materials=[drafting.absolute_material(each, parts.home) for each in request.correction.materials],
            form_values=drafting.absolute_values(request.correction.form_values, parts.home),
        )

        async def work(tx: Transaction) -> pb.CaseTransfer:
            row = await self._locked(tx, request.name, request.etag, side)
            parts.regions.check_takes(row.peer_region, Payload.CORRECTION)
            under_way = bool(await self._outbox.pending(tx.connection, row.key))
            check_asked(request.name, row.state, row.progress_state, tolerated=row.tolerated, under_way=under_way)
            await parts.queue.add(tx, row.id, correction)
            event = events.CaseTransferCorrectionSent(name=request.name, sequence=row.last_sent + 1)
            tx.emit(request.name, event)
            return self._message(await parts.transfers.lock(tx.connection, row.name))

        return await parts.uow.run(command_of(request, call=call), work)

    async def withdraw_case_transfer(self, request: pb.WithdrawCaseTransferRequest, call: Call) -> pb.CaseTransfer:
        """Withdraws an application: by itself where it never left, else by a message that follows it."""
        parts, side = self._parts, self._parts.agents.side(call.actor)

        async def work(tx: Transaction) -> pb.CaseTransfer:
            row = await self._locked(tx, request.name, request.etag, side)
            told = await self._stop(tx, row, request.reason)
            if told:
                parts.regions.check_takes(row.peer_region, Payload.WITHDRAWAL)
                await parts.queue.add(tx, row.id, pb.TransferWithdrawal(reason=request.reason))
            tx.emit(request.name, events.CaseTransferWithdrawn(name=request.name, told=told))
            return self._message(await parts.transfers.lock(tx.connection, row.name))

        return await parts.uow.run(command_of(request, call=call), work)

    async def _stop(self, tx: Transaction, row: TransferRow, reason: str) -> bool:
        """Ends what waits where no receipt came yet; tells whether the other side may hold the application."""
        waiting = await self._outbox.pending(tx.connection, row.key)
        check_open(row.name, row.state, [each.payload for each in waiting])
        if row.state is not TransferState.SENT:
            return True
        await self._outbox.end(tx.connection, row.key)
        state = move(row.name, TransferState.SENT, TransferSignal.WITHDRAW)
        await UPDATE.one(
            tx.connection,
            row.id,
            state=state,
            end_reason=reason,
            waiting_reason="",
            waiting_since=None,
            update_time=tx.now,
        )
        return any(each.attempts for each in waiting)

    async def _locked(self, tx: Transaction, name: str, etag: str, side: AgentSide) -> TransferRow:
        """Locks a transfer that the caller's window sent, and that is of whom the caller speaks for."""
        actor = side.actor
        row = await self._parts.transfers.lock(tx.connection, name)
        if row.direction != OUTBOUND or row.owner_department != actor.department:
            raise not_found(name)
        if self._is_strange(actor, row):
            raise not_found(name)
        side.require_for_transfer(row)
        require_impartial_abroad(actor, self._parts.home, *row.parties)
        check_etag(name, row.version, etag)
        return row

    async def get_case_transfer(self, request: pb.GetCaseTransferRequest, call: Call) -> pb.CaseTransfer:
        """Reads a transfer: the window's department, or the deciding one."""
        actor, name = call.actor, request.name
        row = await self._parts.transfers.get(name)
        if not self._sees_own(actor) and actor.office not in ("", row.owner_department):
            raise not_found(name)
        if self._is_strange(actor, row) or not await self._shown(actor, [row]):
            raise not_found(name)
        await self._parts.reads.note(request, call, name, "transfer")
        return self._message(row)

    async def list_case_transfers(
        self, request: pb.ListCaseTransfersRequest, call: Call
    ) -> pb.ListCaseTransfersResponse:
        """Lists transfers; staff see their department's."""
        parts, actor = self._parts, call.actor
        scopes = [Scope(given(owner_department=actor.office))]
        if self._sees_own(actor):
            scopes = [Scope({"applicant": each}) for each in sorted(spoken_for_abroad(actor, parts.home))]
            scopes += [Scope({"agent": each}) for each in sorted(agent_abroad(actor, parts.home))]
        async with parts.database.read() as connection:
            found, token = await store.LISTED.page(connection, parts.pages, request, scopes, home=parts.home)
        shown = await self._shown(actor, found)
        await parts.reads.note(request, call, actor.office or "caseTransfers", "transfer", len(shown))
        return pb.ListCaseTransfersResponse(case_transfers=map(self._message, shown), next_page_token=token)

    def _is_strange(self, actor: Actor, row: TransferRow) -> bool:
        """True where people ask for a transfer to which neither they nor whom they act for are a party."""
        return bool(actor.speaks_for) and not self._parts.agents.is_party(actor, row)

    async def _shown(self, actor: Actor, rows: Sequence[TransferRow]) -> list[TransferRow]:
        """Returns those of the rows that the caller may see now: as the agent, only while they may act."""
        agents = self._parts.agents
        stand = await agents.stand([agents.of_transfer(actor, row) for row in rows])
        return [row for row, stands in zip(rows, stand, strict=True) if stands]

    def _sees_own(self, actor: Actor) -> bool:
        """True for people, who see what they are a party to; false for staff in office and machines that supervise.

        No machine sends an application or decides it, so without that right none is a machine's.
        """
        if actor.speaks_for:
            return True
        require_official(actor)
        if not actor.office:
            require_supervision(actor)
        return False

    def _message(self, row: TransferRow) -> pb.CaseTransfer:
        return transfer_message(row, self._parts.transfers.content(row), self._parts.home)
