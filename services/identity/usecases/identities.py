"""Whether what is stated of somebody is what their account says: stated names never stand beside a verified account."""

from libs import names
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.errors import InvalidArgument, NotFound
from libs.ids.documents import CREDIT_CODE
from services.identity.convert.accounts import DOCUMENT_NUMBER, FULL_NAME
from services.identity.store.accounts import AccountStore
from services.identity.usecases.accounts import Accounts, normal_number
from services.identity.usecases.caller import region_of
from tongban.identity.v1 import account_service_pb2 as pb


class Identities:
    """The use case of AccountService.CheckIdentities."""

    def __init__(self, store: AccountStore, accounts: Accounts, cipher: FieldCipher, clock: Clock, region: str) -> None:
        self._store = store
        self._accounts = accounts
        self._cipher = cipher
        self._clock = clock
        self._region = region

    async def check(self, request: pb.CheckIdentitiesRequest) -> pb.CheckIdentitiesResponse:
        """Compares what is stated with the accounts."""
        return pb.CheckIdentitiesResponse(matches=[await self._is_so(each) for each in request.identities])

    async def _is_so(self, stated: pb.StatedIdentity) -> bool:
        subject = stated.subject.removeprefix(f"//{self._region}/")
        try:
            number = normal_number(stated.document, "identities.document.number", self._clock.now())
            if not subject:
                return not await self._is_known(stated.document.type_code, number)
            if region_of(subject):
                return False
            if subject.startswith("persons/"):
                return await self._is_person(subject, stated, number)
            return await self._is_organization(subject, stated, number)
        except (InvalidArgument, NotFound):
            return False

    async def _is_person(self, subject: str, stated: pb.StatedIdentity, number: str) -> bool:
        row, decrypt = await self._store.person(subject), self._cipher.decrypt_text
        document = (row.document_type, decrypt(DOCUMENT_NUMBER, row.id, row.document_number))
        same = names.same(decrypt(FULL_NAME, row.id, row.full_name), stated.display_name)
        return same and row.state == "ACTIVE" and document == (stated.document.type_code, number)

    async def _is_organization(self, subject: str, stated: pb.StatedIdentity, number: str) -> bool:
        row = await self._store.organization(subject)
        same = names.same(row.display_name, stated.display_name)
        return same and row.state == "ACTIVE" and (stated.document.type_code, number) == (CREDIT_CODE, row.uscc)

    async def _is_known(self, type_code: str, number: str) -> bool:
        try:
            if type_code == CREDIT_CODE:
                await self._store.organization_by_uscc(number)
            else:
                await self._store.person_by_document(self._accounts.document_index(type_code, number))
        except NotFound:
            return False
        return True
