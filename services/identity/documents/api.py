"""AccountService about the documents of a person beside the one that the account was opened on."""

from typing import Any

from libs.access.actor import Actor
from libs.civil.calendar import local_day
from libs.db.command import Command, command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, invalid_field, not_found
from libs.rpc.call import Call
from services.identity.core import assurance
from services.identity.core.accounts import Person, active_person, document_index, normal_number
from services.identity.core.assurance import VerificationMethod
from services.identity.core.further_documents import FurtherDocument, further_of, take
from services.identity.core.own_account import hide_others_account
from services.identity.core.parts import Parts
from services.identity.core.person_messages import new_document, optional_date, person_message
from services.identity.core.whole_person import whole
from services.identity.documents import rules, store
from services.identity.documents.convert import shown, standing_on, taken_away
from services.identity.verifications.service import NameCheck, NameSource, check_failures, keep, raised
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources


class DocumentApi:
    """Adds documents to accounts, and takes them away."""

    def __init__(self, parts: Parts, source: NameSource) -> None:
        self._parts = parts
        self._source = source

    async def add_document(self, request: pb.AddDocumentRequest, call: Call) -> resources.Person:
        """Adds a document that staff saw, or that the source of truth knows with the name of the account."""
        call.actor.require_impartial(request.name)
        command = command_of(request, call=call)
        stored = await self._parts.uow.stored(command)
        if isinstance(stored, resources.Person):
            return stored
        hide_others_account(call.actor, request.name)
        rules.check_shown(in_person=request.HasField("in_person"), by_staff=bool(call.actor.clerk))
        number = self._number_of(request.document)
        check = await self._checked(request, number, command, call.actor)

        async def work(tx: Transaction) -> resources.Person:
            person = await active_person(tx.connection, request.name, lock=True)
            check_etag(request.name, person.version, request.etag)
            changes = await self._enter(tx, person, request.document, number)
            await keep(tx, person, check)
            level = assurance.after(person.assurance, check.method, passed=True)
            changes |= raised(person, level, tx.now)
            tx.emit(
                person.name,
                events.PersonDocumentAdded(person=person.name, type_code=request.document.document.type_code),
            )
            return await self._changed(tx, person, changes)

        return await self._parts.uow.run(command, work)

    async def remove_document(self, request: pb.RemoveDocumentRequest, call: Call) -> resources.Person:
        """Takes a document away; the account may stand on another from now on."""
        call.actor.require_impartial(request.name)
        asked = request.document

        async def work(tx: Transaction) -> resources.Person:
            hide_others_account(call.actor, request.name)
            person = await active_person(tx.connection, request.name, lock=True)
            check_etag(request.name, person.version, request.etag)
            try:
                number = normal_number(asked.type_code, asked.number, "document.number", local_day(tx.now))
            except InvalidArgument as error:
                raise not_found(request.name) from error
            index = document_index(self._parts.cipher, asked.type_code, number)
            further = await further_of(tx.connection, person.id)
            changes = await self._take_away(tx, person, further, index)
            tx.emit(person.name, events.PersonDocumentRemoved(person=person.name, type_code=asked.type_code))
            return await self._changed(tx, person, changes)

        return await self._parts.uow.run(command_of(request, call=call), work)

    def _number_of(self, held: resources.HeldDocument) -> str:
        """Returns the number of a document that may be added, as it is kept; raises FIELD_INVALID."""
        today = local_day(self._parts.clock.now())
        rules.check_document(held.document.type_code, optional_date(held.expire_date, "document.expire_date"), today)
        return normal_number(held.document.type_code, held.document.number, "document.document.number", today)

    async def _checked(self, request: pb.AddDocumentRequest, number: str, command: Command, actor: Actor) -> NameCheck:
        """Returns the check that a document is added by; of a comparison that fails, the failure is kept."""
        if request.HasField("in_person"):
            details = {"place": request.in_person.place, "evidence": [*request.in_person.evidence]}
            return NameCheck(VerificationMethod.IN_PERSON, passed=True, verifier=actor.clerk, details=details)
        parts, now = self._parts, self._parts.clock.now()
        async with parts.database.read() as connection:
            person = await active_person(connection, request.name)
            await check_failures(connection, person, now)
        name, kind = person.clear_name(parts.cipher), request.document.document.type_code
        passed = await self._source.agrees(name, kind, number)
        check = NameCheck(VerificationMethod.DOCUMENT_MATCH, passed=passed, verifier=self._source.verifier)
        if not passed:
            await self._keep_failed(request.name, check, command)
            raise invalid_field(
                "document.document.number", "register.match", "does not belong to the name of the account"
            )
        return check

    async def _keep_failed(self, name: str, check: NameCheck, command: Command) -> None:
        async def work(tx: Transaction) -> None:
            person = await active_person(tx.connection, name, lock=True)
            await check_failures(tx.connection, person, tx.now)
            await keep(tx, person, check)
            tx.record(name)

        await self._parts.uow.step(command, work)

    async def _enter(
        self, tx: Transaction, person: Person, held: resources.HeldDocument, number: str
    ) -> dict[str, Any]:
        """Enters a document that was seen to; returns what changes of the account itself, by column."""
        cipher, expires = self._parts.cipher, optional_date(held.expire_date, "document.expire_date")
        made = shown(new_document(person.id, held, number, "document.expire_date", cipher, tx.now), tx.now)
        await take(tx.connection, [made.document_index], person.id)
        if made.document_index == person.document_index:
            kept = expires or person.document_expire_date
            return {"document_verify_time": tx.now, "document_expire_date": kept}
        further = await further_of(tx.connection, person.id)
        for each in further:
            if each.document_index == made.document_index:
                kept = expires or each.expire_date
                await store.UPDATE.one(tx.connection, each.id, verify_time=tx.now, expire_date=kept, update_time=tx.now)
                return {}
        rules.check_room(len(further))
        await store.ADD.add(tx.connection, made)
        return {}

    async def _take_away(
        self, tx: Transaction, person: Person, further: list[FurtherDocument], index: bytes
    ) -> dict[str, Any]:
        """Takes a document away; returns what changes of the account itself, by column."""
        if index != person.document_index:
            found = [each for each in further if each.document_index == index]
            if not found:
                raise not_found(person.name)
            await store.UPDATE.one(tx.connection, found[0].id, held=False, remove_time=tx.now, update_time=tx.now)
            return {}
        heirs = [each for each in further if each.verify_time is not None]
        if not heirs:
            raise invalid_field("document", "documents.last", "is the last one on which the account can stand")
        await store.DELETE.gone(tx.connection, heirs[0].id)
        await store.ADD.add(tx.connection, taken_away(person, self._parts.cipher, tx.now))
        return standing_on(person, heirs[0], self._parts.cipher)

    async def _changed(self, tx: Transaction, person: Person, changes: dict[str, Any]) -> resources.Person:
        """Changes the account, and tells it as it stands then."""
        row = await store.UPDATE_PERSON.one(tx.connection, person.id, **changes, update_time=tx.now)
        return person_message(await whole(tx.connection, row, self._parts.cipher), self._parts.cipher)
