"""Whether what is stated of somebody is what their account says: stated names never stand beside a verified account."""

from libs import names
from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.ids.documents import CREDIT_CODE
from services.identity.domain.claims import Stated
from services.identity.store.accounts import AccountStore
from services.identity.usecases.accounts import Accounts, normal_number
from services.identity.usecases.caller import region_of
from services.identity.usecases.vouching import Vouching
from tongban.identity.v1 import account_service_pb2 as pb


class Identities:
    """The use case of AccountService.CheckIdentities."""

    def __init__(self, store: AccountStore, accounts: Accounts, vouching: Vouching, clock: Clock, region: str) -> None:
        self._store = store
        self._accounts = accounts
        self._vouching = vouching
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
            return await self._is_account(subject, stated, number)
        except (InvalidArgument, NotFound):
            return False

    async def _is_account(self, subject: str, stated: pb.StatedIdentity, number: str) -> bool:
        known = await self._known(subject)
        if known is None:
            return False
        document = (stated.document.type_code, number)
        return names.same(known.name, stated.display_name) and (known.document, known.number) == document

    async def _known(self, subject: str) -> Stated | None:
        """Returns who somebody is: by an account in use here, or by what their own region said of them."""
        if region_of(subject):
            return await self._vouching.believed(subject)
        if subject.startswith("departments/"):
            return await self._vouching.stated(subject)
        read = self._store.person if subject.startswith("persons/") else self._store.organization
        return await self._vouching.stated(subject) if (await read(subject)).state == "ACTIVE" else None

    async def _is_known(self, type_code: str, number: str) -> bool:
        try:
            if type_code == CREDIT_CODE:
                await self._store.organization_by_uscc(number)
            else:
                await self._store.person_by_document(self._accounts.document_index(type_code, number))
        except NotFound:
            return False
        return True
