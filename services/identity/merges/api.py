"""AccountService about two accounts of one human being that become one. It takes two people (decision 0080)."""

from libs.audit.reading import record_read
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.rpc.call import Call
from services.identity.consents.service import hand_over_all as hand_over_consents
from services.identity.core import staff
from services.identity.core.accounts import Person, active_person
from services.identity.core.approval import approved_by, asked_by, holds
from services.identity.core.further_documents import further_of
from services.identity.core.parts import Parts
from services.identity.core.session_ends import end_all as end_all_sessions
from services.identity.credentials.service import unbind_all
from services.identity.mandates.service import hand_over_all as hand_over_mandates
from services.identity.merges import moving, rules, store
from services.identity.merges.convert import merge_message, new_merge
from services.identity.merges.rules import MergedAccount, PersonMerge, PersonMergeState
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_FIELDS = ("person_merge",)


class MergeApi:
    """Makes two accounts one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_person_merge(self, request: pb.CreatePersonMergeRequest, call: Call) -> resources.PersonMerge:
        """Asks that two accounts become one."""
        asked, actor = request.person_merge, call.actor
        actor.require_impartial(asked.kept, asked.merged)

        async def work(tx: Transaction) -> resources.PersonMerge:
            await self._both(tx.connection, asked.kept, asked.merged)
            made = await store.ADD.add(tx.connection, new_merge(asked, asked_by(actor.human), tx.now))
            message = merge_message(made)
            tx.emit(message.name, events.PersonMergeCreated(person_merge=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def approve_person_merge(self, request: pb.ApprovePersonMergeRequest, call: Call) -> resources.PersonMerge:
        """Stands behind a merge that waits; the second human being lets the accounts become one."""
        actor = call.actor

        async def work(tx: Transaction) -> resources.PersonMerge:
            row = await store.merge(tx.connection, request.name, lock=True)
            actor.require_impartial(row.kept_name, row.merged_name)
            row.check_waits()
            check_etag(request.name, row.version, request.etag)
            backers = approved_by(row.backers, actor.human, actor_kind=actor.kind)
            kept, merged = await self._both(tx.connection, row.kept_name, row.merged_name)
            if not holds(backers):
                return merge_message(await store.UPDATE.one(tx.connection, row.id, backers=backers, update_time=tx.now))
            await self._merge(tx, kept, merged)
            return await _finished(tx, row, PersonMergeState.DONE, backers)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def refuse_person_merge(self, request: pb.RefusePersonMergeRequest, call: Call) -> resources.PersonMerge:
        """Refuses a merge that waits, or takes it back."""

        async def work(tx: Transaction) -> resources.PersonMerge:
            row = await store.merge(tx.connection, request.name, lock=True)
            call.actor.require_impartial(row.kept_name, row.merged_name)
            row.check_waits()
            check_etag(request.name, row.version, request.etag)
            message = await _finished(tx, row, PersonMergeState.REFUSED, row.backers)
            tx.emit(message.name, events.PersonMergeRefused(person_merge=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_person_merge(self, request: pb.GetPersonMergeRequest, call: Call) -> resources.PersonMerge:
        """Gets a merge; that it was read is recorded."""
        async with self._parts.database.read() as connection:
            row = await store.merge(connection, request.name)
        await record_read(self._parts.audit, request, row.name, _FIELDS, own=False, call=call)
        return merge_message(row)

    async def list_person_merges(self, request: pb.ListPersonMergesRequest, call: Call) -> pb.ListPersonMergesResponse:
        """Lists merges, newest first; that they were read is recorded."""
        async with self._parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, self._parts.pages, request)
        about = store.LISTED.held(request, "kept") or store.LISTED.held(request, "merged") or "personMerges"
        await record_read(self._parts.audit, request, about, _FIELDS, len(shown), own=False, call=call)
        return pb.ListPersonMergesResponse(person_merges=map(merge_message, shown), next_page_token=token)

    async def _both(self, connection: DatabaseConnection, kept: str, merged: str) -> tuple[Person, Person]:
        """Reads and locks both accounts, in the order of their names, and checks that they may become one.

        Raises:
            NotFound.
            FailedPrecondition: PERSON_NOT_ACTIVE, PERSONS_NOT_MERGEABLE.
        """
        rules.check_two(kept, merged)
        found = {name: await active_person(connection, name, lock=True) for name in sorted((kept, merged))}
        rules.check_mergeable(*[await self._judged(connection, found[name]) for name in (kept, merged)])
        return found[kept], found[merged]

    async def _judged(self, connection: DatabaseConnection, row: Person) -> MergedAccount:
        further = await further_of(connection, row.id)
        held = {
            (row.document_type, row.document_index),
            *((each.document_type, each.document_index) for each in further),
        }
        of_staff = bool(await staff.records_of(connection, row.id))
        name = row.clear_name(self._parts.cipher)
        return MergedAccount(row.name, name, row.assurance, frozenset(held), len(row.former), of_staff)

    async def _merge(self, tx: Transaction, kept: Person, merged: Person) -> None:
        """Ends the one account, and gives the other what goes over."""
        cipher = self._parts.cipher
        ended = await hand_over_mandates(tx, merged.name, kept.name)
        await hand_over_consents(tx, merged.name, kept.name)
        await unbind_all(tx, merged.id)
        await moving.move_representation(tx, kept, merged)
        await end_all_sessions(tx, self._parts, merged.name)
        # Tokens of the account that is taken in, of who acts for it, and under what it passed on.
        await self._parts.withdrawals.withdraw(tx, merged.name, *ended)
        await moving.move_points(tx, kept, merged, cipher)
        await moving.move_documents(tx, kept, merged, cipher)
        await store.lead_on(tx.connection, merged.former, kept.id)
        change = {"state": "MERGED", "merged_into": kept.id, "former": ()}
        await store.UPDATE_PERSON.one(tx.connection, merged.id, **change, update_time=tx.now)
        taken = moving.taking_in(kept, merged)
        await store.UPDATE_PERSON.one(tx.connection, kept.id, **taken, update_time=tx.now)
        tx.emit(merged.name, events.PersonMerged(person=merged.name, merged_into=kept.name))


async def _finished(
    tx: Transaction, row: PersonMerge, state: PersonMergeState, backers: tuple[str, ...]
) -> resources.PersonMerge:
    change = {"state": state, "backers": backers, "finish_time": tx.now, "update_time": tx.now}
    return merge_message(await store.UPDATE.one(tx.connection, row.id, **change))
