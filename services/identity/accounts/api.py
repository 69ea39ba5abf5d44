"""AccountService: opening, finding and changing accounts of persons and organisations."""

from datetime import datetime

from libs import names
from libs.access import owners
from libs.audit.reading import record_read
from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, NotFound, invalid_field, not_found, reasons
from libs.ids import uscc
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.security.withdrawals import party_of_representative
from services.identity.accounts import store
from services.identity.accounts.convert import further_documents, new_person
from services.identity.accounts.rules import OrganizationKind, check_kind, check_unlike
from services.identity.consents.service import check_stated
from services.identity.core import accounts
from services.identity.core.accounts import Organization, document_index, normal_number
from services.identity.core.contact_points import check_unlike_points
from services.identity.core.further_documents import take
from services.identity.core.organization_messages import KINDS, organization_message
from services.identity.core.parts import Parts
from services.identity.core.person_messages import new_points, person_message
from services.identity.core.pseudonyms import Pseudonyms
from services.identity.core.whole_person import WholePerson, whole
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_LEAST_ASSURANCE_OF_REPRESENTATIVE = 2
_CLEAR = ("full_name", "documents.document.number", "contact_points.phone", "contact_points.email")


class PersonApi:
    """Keeps the accounts of persons."""

    def __init__(self, parts: Parts, pseudonyms: Pseudonyms) -> None:
        self._parts = parts
        self._pseudonyms = pseudonyms

    async def create_person(self, request: pb.CreatePersonRequest, call: Call) -> resources.Person:
        """Opens a person's account at assurance 0."""
        cipher, person = self._parts.cipher, request.person
        names.check(person.full_name, "person.full_name")
        numbers = [
            self._number(each.document, f"person.documents[{at}].document.number")
            for at, each in enumerate(person.documents)
        ]
        check_unlike(
            [(each.document.type_code, number) for each, number in zip(person.documents, numbers, strict=True)]
        )

        async def work(tx: Transaction) -> resources.Person:
            made = new_person(person, numbers, cipher, tx.now)
            further = further_documents(person, numbers, made, cipher)
            await take(tx.connection, {made.document_index, *(each.document_index for each in further)})
            await store.ADD_PERSON.add(tx.connection, made)
            for each in further:
                await store.ADD_DOCUMENT.add(tx.connection, each)
            points = new_points(made.id, person.contact_points, cipher, tx.now)
            check_unlike_points([each.value_index for each in points], "person.contact_points")
            for point in points:
                await store.ADD_POINT.add(tx.connection, point)
            tx.emit(made.name, events.PersonCreated(person=made.name))
            return person_message(WholePerson(made, further, points), cipher)

        return await self._parts.uow.run(command_of(request, call=call), work)

    def _number(self, document: common_pb2.IdentityDocument, field: str) -> str:
        return normal_number(document.type_code, document.number, field, local_day(self._parts.clock.now()))

    async def get_person(self, request: pb.GetPersonRequest, call: Call) -> resources.Person:
        """Gets a person, masked; another's reading, and staff's at a window, is recorded first."""
        asker = owners.whose(call.actor)
        owners.hide_from_others(call.actor, request.name, [request.name])
        found = await self._read(request.name)
        own = asker == request.name
        if (not own or call.actor.delegate) and not request.use_context.purpose_code:
            raise invalid_field("use_context.purpose_code", "required", "say why another person's account is read")
        await check_stated(self._parts, call.actor, request.use_context, request.name)
        await record_read(
            self._parts.audit, request, request.name, ("person.masked",), own=own, of=[request.name], call=call
        )
        return self._shown(found, call)

    async def reveal_person(self, request: pb.RevealPersonRequest, call: Call) -> resources.Person:
        """Gets a person in clear, after the record of it is written."""
        # A window token speaks of the person although its kind is STAFF: it opens that one account only, and no firm's agent
        # sees who gave the mandate.
        if owners.whose(call.actor) not in (None, request.name):
            raise not_found(request.name)
        found = await self._read(request.name)
        await check_stated(self._parts, call.actor, request.use_context, request.name)
        command = command_of(request, call=call)
        await self._parts.audit.write(command, request.name, fields=_CLEAR, record_count=1, subjects=[request.name])
        return self._shown(found, call, clear=True)

    def _shown(self, found: WholePerson, call: Call, *, clear: bool = False) -> resources.Person:
        pseudonym = self._pseudonyms.of(found.row, call.actor)
        return person_message(found, self._parts.cipher, clear=clear, pseudonym=pseudonym)

    async def _read(self, name: str) -> WholePerson:
        async with self._parts.database.read() as connection:
            return await whole(connection, await accounts.person(connection, name), self._parts.cipher)

    async def lookup_person(self, request: pb.LookupPersonRequest, call: Call) -> resources.Person:
        """Finds a person by their document; the search is recorded, with or without a hit."""
        parts, found = self._parts, await self._by_document(request.document)
        hit = [found.row.name] if found else []
        command = command_of(request, call=call)
        await parts.audit.write(command, "persons", fields=("person.masked",), record_count=len(hit), subjects=hit)
        if found is None:
            raise not_found("persons")
        await check_stated(parts, call.actor, request.use_context, found.row.name)
        return self._shown(found, call)

    async def _by_document(self, document: common_pb2.IdentityDocument) -> WholePerson | None:
        cipher = self._parts.cipher
        try:
            index = document_index(cipher, document.type_code, self._number(document, "document.number"))
            async with self._parts.database.read() as connection:
                return await whole(connection, await accounts.person_by_document(connection, index), cipher)
        except (InvalidArgument, NotFound):
            return None


class OrganizationApi:
    """Keeps the accounts of organisations."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_organization(self, request: pb.CreateOrganizationRequest, call: Call) -> resources.Organization:
        """Opens an organisation's account."""
        organization = request.organization
        names.check(organization.display_name, "organization.display_name")
        code = uscc.parse(organization.uscc, "organization.uscc")
        check_kind(code.category, OrganizationKind(KINDS.name(organization.kind)))
        call.actor.require_impartial(organization.legal_representative)

        async def work(tx: Transaction) -> resources.Organization:
            representative = await _representative(tx, organization.legal_representative)
            made = _opened(organization, str(code), representative, tx.now)
            await store.ADD_ORGANIZATION.add(tx.connection, made)
            told = events.OrganizationCreated(organization=made.name, uscc=made.uscc, kind=organization.kind)
            tx.emit(made.name, told)
            return organization_message(made)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_organization(self, request: pb.GetOrganizationRequest, call: Call) -> resources.Organization:
        """Gets an organisation."""
        async with self._parts.database.read() as connection:
            return organization_message(await accounts.organization(connection, request.name))

    async def lookup_organization(self, request: pb.LookupOrganizationRequest, call: Call) -> resources.Organization:
        """Finds an organisation by its unified social credit code."""
        async with self._parts.database.read() as connection:
            return organization_message(await accounts.organization_by_uscc(connection, request.uscc))

    async def set_legal_representative(
        self, request: pb.SetLegalRepresentativeRequest, call: Call
    ) -> resources.Organization:
        """Sets who represents an organisation by law."""
        call.actor.require_impartial(request.name, request.legal_representative)

        async def work(tx: Transaction) -> resources.Organization:
            before = await accounts.active_organization(tx.connection, request.name, lock=True)
            check_etag(request.name, before.version, request.etag)
            person = await _representative(tx, request.legal_representative)
            row = await store.UPDATE_ORGANIZATION.one(
                tx.connection,
                before.id,
                legal_representative=person,
                legal_representative_time=tx.now,
                update_time=tx.now,
            )
            await self._withdraw(tx, before, row)
            _tell_representative(tx, before, row)
            return organization_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _withdraw(self, tx: Transaction, before: Organization, now: Organization) -> None:
        """Refuses the tokens of who represents an organisation no more, and takes those of who does."""
        old, new, tokens = before.representative, now.representative, self._parts.withdrawals
        if old and old != new:
            await tokens.withdraw(tx, party_of_representative(old, now.name))
        if new:
            await tokens.restore(tx, party_of_representative(new, now.name))


async def _representative(tx: Transaction, name: str) -> str | None:
    """Returns the id of who is to represent an organisation, None for nobody."""
    if not name:
        return None
    person = await accounts.active_person(tx.connection, name, lock=True)
    if person.assurance < _LEAST_ASSURANCE_OF_REPRESENTATIVE:
        raise reasons.assurance_too_low(
            "a legal representative must be verified first",
            required=str(_LEAST_ASSURANCE_OF_REPRESENTATIVE),
            actual=str(person.assurance),
        )
    return person.id


def _opened(asked: resources.Organization, code: str, representative: str | None, now: datetime) -> Organization:
    return Organization(
        id=uuid7(),
        display_name=asked.display_name,
        uscc=code,
        kind=KINDS.name(asked.kind),
        legal_representative=representative,
        legal_representative_time=now if representative else None,
        create_time=now,
        update_time=now,
    )


def _tell_representative(tx: Transaction, before: Organization, row: Organization) -> None:
    tx.emit(
        row.name,
        events.OrganizationRepresentativeChanged(
            organization=row.name, legal_representative=row.representative, previous=before.representative
        ),
    )
