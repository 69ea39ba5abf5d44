"""AccountService about the end of accounts: what stood on one ends with it, and what was kept is kept."""

from datetime import date

from libs.access.actor import Actor
from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import state_conflict
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.rpc.messages import date_of
from libs.security.withdrawals import party_of_representative
from services.identity.closings import store
from services.identity.closings.rules import ClosingCause, check_death
from services.identity.closings.store import AccountClosing
from services.identity.consents.service import withdraw_all
from services.identity.core import staff
from services.identity.core.accounts import Person, active_organization, active_person
from services.identity.core.organization_messages import organization_message
from services.identity.core.own_account import hide_others_account, require_known_as
from services.identity.core.parts import Parts
from services.identity.core.person_messages import person_message
from services.identity.core.session_ends import end_all as end_all_sessions
from services.identity.core.whole_person import whole
from services.identity.mandates.service import end_all
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_REASON = "ACCOUNT_CLOSED"
"""Why a mandate ended that its principal's or its agent's account bore."""


class ClosingApi:
    """Closes accounts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def close_person(self, request: pb.ClosePersonRequest, call: Call) -> resources.Person:
        """Closes a person's account for good."""
        call.actor.require_impartial(request.name)

        async def work(tx: Transaction) -> resources.Person:
            hide_others_account(call.actor, request.name)
            person = await active_person(tx.connection, request.name, lock=True)
            require_known_as(call.actor, person.assurance)
            check_etag(request.name, person.version, request.etag)
            death = date_of(request.death.death_date, "death.death_date") if request.HasField("death") else None
            cause = check_death(death, local_day(tx.now), by_staff=bool(call.actor.clerk))
            await _check_serves_nowhere(tx, person)
            await self._end(tx, person.name, person.name)
            await end_all_sessions(tx, self._parts, person.name)
            await store.leave_office(tx.connection, person.id, tx.now)
            await store.release_documents(tx.connection, person.id, tx.now)
            row = await store.UPDATE_PERSON.one(tx.connection, person.id, state="CLOSED", update_time=tx.now)
            told = person_message(await whole(tx.connection, row, self._parts.cipher), self._parts.cipher)
            await self._note(tx, person.name, cause, call.actor, death, tuple(request.death.evidence))
            tx.emit(person.name, events.PersonClosed(person=person.name))
            return told

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def close_organization(self, request: pb.CloseOrganizationRequest, call: Call) -> resources.Organization:
        """Closes an organisation's account for good."""
        call.actor.require_impartial(request.name)

        async def work(tx: Transaction) -> resources.Organization:
            firm = await active_organization(tx.connection, request.name, lock=True)
            check_etag(request.name, firm.version, request.etag)
            behind = party_of_representative(firm.representative, firm.name) if firm.representative else ""
            await self._end(tx, firm.name, behind)
            row = await store.UPDATE_ORGANIZATION.one(tx.connection, firm.id, state="CLOSED", update_time=tx.now)
            await self._note(tx, firm.name, ClosingCause.REGISTER, call.actor)
            tx.emit(firm.name, events.OrganizationClosed(organization=firm.name))
            return organization_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _end(self, tx: Transaction, account: str, party: str) -> None:
        """Ends what stands on an account: mandates, consents, and the tokens that rest on them or on ``party``."""
        ended = await end_all(tx, account, _REASON)
        await withdraw_all(tx, account)
        await self._parts.withdrawals.withdraw(tx, *filter(None, (party, *ended)))

    async def _note(
        self,
        tx: Transaction,
        account: str,
        cause: ClosingCause,
        actor: Actor,
        death: date | None = None,
        evidence: tuple[str, ...] = (),
    ) -> None:
        key, cipher = uuid7(), self._parts.cipher
        sealed = cipher.encrypt_text(store.DEATH_DATE, key, death.isoformat()) if death else None
        closer = actor.clerk or actor.subject
        await store.ADD.add(tx.connection, AccountClosing(key, account, cause, sealed, evidence, closer, tx.now))


async def _check_serves_nowhere(tx: Transaction, person: Person) -> None:
    """Raises FailedPrecondition STATE_CONFLICT where the person holds a post, or is to hold one: it is taken from them first."""
    for member in await staff.records_of(tx.connection, person.id):
        if await staff.given_to(tx.connection, [member.id], tx.now):
            raise state_conflict(member.name, "ACTIVE", "LEFT")
