"""AccountService.CheckIdentities: whether what is stated of somebody is what their account says.

Stated names never stand beside a verified account.
"""

from libs import names
from libs.civil.calendar import local_day
from libs.db.connection import DatabaseConnection
from libs.errors import InvalidArgument, NotFound
from libs.ids.documents import CREDIT_CODE
from libs.rpc.call import Call
from services.identity.core import accounts
from services.identity.core.accounts import IN_USE, document_index, normal_number
from services.identity.core.claims import IdentityClaim
from services.identity.core.further_documents import further_of
from services.identity.core.names import id_of, local_name, region_of
from services.identity.core.parts import Parts
from services.identity.core.staff import department
from services.identity.core.vouching import of_body
from tongban.identity.v1 import account_service_pb2 as pb


class IdentityApi:
    """Compares stated identities with accounts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def check_identities(self, request: pb.CheckIdentitiesRequest, call: Call) -> pb.CheckIdentitiesResponse:
        """Says whether stated names and documents are those of accounts."""
        return pb.CheckIdentitiesResponse(matches=[await self._is_so(each) for each in request.identities])

    async def _is_so(self, stated: pb.StatedIdentity) -> bool:
        subject, type_code = local_name(stated.subject, self._parts.home), stated.document.type_code
        today = local_day(self._parts.clock.now())
        try:
            number = normal_number(type_code, stated.document.number, "identities.document.number", today)
            if not subject:
                return not await self._is_known(type_code, number)
            return await self._is_account(subject, stated, number)
        except (InvalidArgument, NotFound):
            return False

    async def _is_account(self, subject: str, stated: pb.StatedIdentity, number: str) -> bool:
        async with self._parts.database.read() as connection:
            subject = await accounts.current_name(connection, subject)
        known = await self._known(subject)
        if known is None or not names.same(known.name, stated.display_name):
            return False
        document = (stated.document.type_code, number)
        return (known.document, known.number) == document or await self._has_further(subject, *document)

    async def _has_further(self, subject: str, type_code: str, number: str) -> bool:
        """Says whether a document is another one of an account here, which was shown to be the person's."""
        if not subject.startswith("persons/"):
            return False
        index = document_index(self._parts.cipher, type_code, number)
        async with self._parts.database.read() as connection:
            further = await further_of(connection, id_of(subject))
        return any(each.document_index == index and each.verify_time is not None for each in further)

    async def _known(self, subject: str) -> IdentityClaim | None:
        """Returns who somebody is: by an account in use here, or by what their own region said of them."""
        vouching = self._parts.vouching
        if region_of(subject):
            return await vouching.believed(subject)
        async with self._parts.database.read() as connection:
            if subject.startswith("departments/"):
                in_use = (await department(connection, subject)).state == IN_USE
                return await vouching.stated(connection, subject) if in_use else None
            return await self._of_account(connection, subject)

    async def _of_account(self, connection: DatabaseConnection, subject: str) -> IdentityClaim | None:
        if subject.startswith("persons/"):
            person = await accounts.person(connection, subject)
            return self._parts.vouching.of_person(person) if person.state == IN_USE else None
        organization = await accounts.organization(connection, subject)
        return of_body(organization) if organization.state == IN_USE else None

    async def _is_known(self, type_code: str, number: str) -> bool:
        async with self._parts.database.read() as connection:
            try:
                if type_code == CREDIT_CODE:
                    await accounts.organization_by_uscc(connection, number)
                else:
                    index = document_index(self._parts.cipher, type_code, number)
                    await accounts.person_by_document(connection, index)
            except NotFound:
                return False
        return True
