"""Opening, finding and changing accounts of persons and organisations."""

from datetime import datetime
from typing import Any

from libs import names
from libs.audit.writer import AuditWriter
from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db import rows
from libs.db.command import Command, command_of
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import InvalidArgument, invalid_field, not_found, reasons
from libs.ids import documents, uscc
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call, mark_own
from libs.security.withdrawals import party_of_representative
from services.identity.convert.accounts import (
    DOCUMENT_NUMBER,
    FULL_NAME,
    PHONE,
    date_of,
    organization_message,
    person_message,
)
from services.identity.domain.organizations import Kind, check_kind
from services.identity.store.accounts import AccountStore
from services.identity.tables import organizations, persons
from services.identity.usecases import acting
from services.identity.usecases.caller import whose
from services.identity.usecases.withdrawals import TokenWithdrawals
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_LEAST_ASSURANCE_OF_REPRESENTATIVE = 2


def normal_number(document: common_pb2.IdentityDocument, field: str, now: datetime) -> str:
    """Returns the document's number as it is stored and searched; raises InvalidArgument where its own rule breaks."""
    return documents.normal_number(document.type_code, document.number, field, local_day(now))


class Accounts:
    """Use cases of AccountService."""

    def __init__(
        self,
        uow: UnitOfWork,
        store: AccountStore,
        audit: AuditWriter,
        cipher: FieldCipher,
        clock: Clock,
        tokens: TokenWithdrawals,
    ) -> None:
        self._tokens = tokens
        self._uow = uow
        self._clock = clock
        self._store = store
        self._audit = audit
        self._cipher = cipher

    async def create_person(self, command: Command, person: resources.Person) -> resources.Person:
        """Opens a person's account at assurance 0."""
        names.check(person.full_name, "person.full_name")
        number = normal_number(person.document, "person.document.number", self._clock.now())
        expire = date_of(person.document_expire_date, "person.document_expire_date")
        identifier = uuid7()

        async def work(tx: Transaction) -> resources.Person:
            values = self._person_values(tx, identifier, person, number) | {"document_expire_date": expire}
            row = await rows.insert(tx.connection, persons, values)
            tx.emit(
                f"persons/{identifier}",
                events.PersonCreated(person=f"persons/{identifier}"),
            )
            return person_message(row, self._cipher)

        return await self._uow.run(command, work)

    def _person_values(self, tx: Transaction, key: str, person: resources.Person, number: str) -> dict[str, Any]:
        cipher, document = self._cipher, person.document
        return {
            "id": key,
            "full_name": cipher.encrypt_text(FULL_NAME, key, person.full_name),
            "document_type": document.type_code,
            "document_number": cipher.encrypt_text(DOCUMENT_NUMBER, key, number),
            "document_index": self.document_index(document.type_code, number),
            "phone": cipher.encrypt_text(PHONE, key, person.phone) if person.phone else None,
            "state": "ACTIVE",
            "create_time": tx.now,
            "update_time": tx.now,
        }

    def document_index(self, type_code: str, number: str) -> bytes:
        """Returns the blind index under which an account is found by its document."""
        return self._cipher.blind_index(DOCUMENT_NUMBER, f"{type_code}:{number}")

    async def get_person(self, request: pb.GetPersonRequest) -> resources.Person:
        """Reads a person, masked; another's reading, and staff's at a window, is recorded first."""
        principal = current_call().actor
        asker = whose(principal)
        if asker is not None and request.name not in (asker, principal.organization):
            raise not_found(request.name)
        row = await self._store.person(request.name)
        if asker != request.name or principal.delegate:
            if not request.context.purpose:
                raise invalid_field("context.purpose", "required", "say why another person's account is read")
            await self._audit.write(command_of(request), request.name, fields=("person.masked",), record_count=1)
        else:
            mark_own()
        return person_message(row, self._cipher)

    async def reveal_person(self, request: pb.RevealPersonRequest) -> pb.RevealPersonResponse:
        """Reads a person in clear, after the record of it is written."""
        asker = whose(current_call().actor)
        # A window token speaks of the person although its kind is STAFF: it opens that one account only.
        if asker is not None and asker != request.name:
            raise reasons.not_owner("a person reads only their own account in clear")
        row = await self._store.person(request.name)
        fields = ("full_name", "document.number", "phone")
        receipt = await self._audit.write(command_of(request), request.name, fields=fields, record_count=1)
        return pb.RevealPersonResponse(person=person_message(row, self._cipher, clear=True), receipt=receipt)

    async def lookup_person(self, request: pb.LookupPersonRequest) -> resources.Person:
        """Finds a person by their document; the search is recorded, with or without a hit."""
        await self._audit.write(command_of(request), "persons", fields=("person.masked",))
        try:
            number = normal_number(request.document, "document.number", self._clock.now())
        except InvalidArgument as error:
            raise not_found("persons") from error
        index = self.document_index(request.document.type_code, number)
        return person_message(await self._store.person_by_document(index), self._cipher)

    async def create_organization(
        self, command: Command, organization: resources.Organization
    ) -> resources.Organization:
        """Opens an organisation's account."""
        names.check(organization.display_name, "organization.display_name")
        code = uscc.parse(organization.uscc, "organization.uscc")
        kind = Kind(resources.OrganizationKind.Name(organization.kind).removeprefix("ORGANIZATION_KIND_"))
        check_kind(code.category, kind)
        identifier = uuid7()
        current_call().actor.require_impartial(organization.legal_representative)

        async def work(tx: Transaction) -> resources.Organization:
            representative = await self._representative(tx, organization.legal_representative)
            row = await rows.insert(
                tx.connection,
                organizations,
                {
                    "id": identifier,
                    "display_name": organization.display_name,
                    "uscc": str(code),
                    "kind": kind.value,
                    "legal_representative": representative,
                    "state": "ACTIVE",
                    "legal_representative_time": tx.now if representative else None,
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            name = f"organizations/{identifier}"
            tx.emit(
                name,
                events.OrganizationCreated(organization=name, uscc=str(code), kind=organization.kind),
            )
            return organization_message(row)

        return await self._uow.run(command, work)

    async def _representative(self, tx: Transaction, name: str) -> str | None:
        if not name:
            return None
        person = await acting.active_person(tx.connection, name, lock=True)
        if person.assurance < _LEAST_ASSURANCE_OF_REPRESENTATIVE:
            raise reasons.assurance_too_low(
                "a legal representative must be verified first",
                required=str(_LEAST_ASSURANCE_OF_REPRESENTATIVE),
                actual=str(person.assurance),
            )
        return str(person.id)

    async def get_organization(self, name: str) -> resources.Organization:
        """Reads an organisation."""
        return organization_message(await self._store.organization(name))

    async def lookup_organization(self, code: str) -> resources.Organization:
        """Finds an organisation by its unified social credit code."""
        return organization_message(await self._store.organization_by_uscc(code))

    async def set_legal_representative(
        self, command: Command, request: pb.SetLegalRepresentativeRequest
    ) -> resources.Organization:
        """Sets who represents an organisation by law."""
        current_call().actor.require_impartial(request.name, request.legal_representative)

        async def work(tx: Transaction) -> resources.Organization:
            before = await acting.active_organization(tx.connection, request.name, lock=True)
            check_etag(request.name, before.version, request.etag)
            person = await self._representative(tx, request.legal_representative)
            row = await rows.update(
                tx.connection,
                organizations,
                before.id,
                {
                    "legal_representative": person,
                    "legal_representative_time": tx.now,
                    "update_time": tx.now,
                },
            )
            await self._represented(tx, before, row)
            tx.emit(
                request.name,
                events.RepresentativeChanged(
                    organization=request.name,
                    legal_representative=request.legal_representative,
                    previous=acting.representative(before),
                ),
            )
            return organization_message(row)

        return await self._uow.run(command, work)

    async def _represented(self, tx: Transaction, before: Row, now: Row) -> None:
        """Refuses the tokens of who represents an organisation no more, and takes those of who does."""
        old, new, organization = before.legal_representative, now.legal_representative, f"organizations/{now.id}"
        if old and old != new:
            await self._tokens.withdraw(tx, party_of_representative(f"persons/{old}", organization))
        if new:
            await self._tokens.restore(tx, party_of_representative(f"persons/{new}", organization))
