"""What these pages ask of the services, each for itself, with the person's own token: nothing here may do more than they."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from libs.errors import Code, TongbanError, reasons
from libs.rpc.client import invoke
from libs.rpc.token_types import ACCESS_TOKEN
from tongban.cases.v1 import case_service_pb2, case_service_pb2_grpc
from tongban.common.v1 import common_pb2, use_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    consent_service_pb2,
    consent_service_pb2_grpc,
    mandate_service_pb2,
    mandate_service_pb2_grpc,
    resources_pb2,
    sign_in_service_pb2,
    sign_in_service_pb2_grpc,
    staff_service_pb2,
    staff_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tongban.license.v1 import license_service_pb2, license_service_pb2_grpc
from tongban.owndata.v1 import own_data_service_pb2, own_data_service_pb2_grpc

Answer = TypeVar("Answer", bound=Message)
ChannelOf = Callable[[str], grpc.aio.Channel | None]
SERVICES = ("identity", "license", "cases", "sharing", "seal")
"""In the order in which people are shown them."""
_AWAY = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.INTERNAL})
_MOST_NAMES, _PAGE = 30, 50
_REVOKED_HERE = "当事人在“我的”页面撤销"
"""What a mandate says of why it ended: nobody is asked for reasons there."""
_FILE_SECONDS = 20.0
_OWN_USE = common_pb2.UseContext(purpose_code="OWN_USE", purpose="当事人在“我的”页面查看")


@dataclass(slots=True)
class Uses:
    """Uses of all services that were asked, newest first, and which of them did not answer."""

    uses: list[use_pb2.Use] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The services, asked by one person.

    Attributes:
        token: the person's, or one by which they act for a firm.
        subject: on whose data uses are asked for; empty: on that of all for whom the token speaks.
    """

    channel_of: ChannelOf
    token: str
    subject: str = ""

    async def person(self, name: str) -> resources_pb2.Person:
        """Gets the person's own account, masked."""
        stub = account_service_pb2_grpc.AccountServiceStub(self._channel("identity"))
        return await self._call(stub.GetPerson, account_service_pb2.GetPersonRequest(name=name), resources_pb2.Person)

    async def sessions(self) -> Sequence[sign_in_service_pb2.Session]:
        """Lists where the person is signed in, newest first."""
        request, answer = sign_in_service_pb2.ListSessionsRequest(), sign_in_service_pb2.ListSessionsResponse
        return (await self._call(self._sign_in.ListSessions, request, answer)).sessions

    async def sign_in_grants(self) -> Sequence[sign_in_service_pb2.SignInGrant]:
        """Lists to which clients the person is signed in, newest first."""
        request, answer = sign_in_service_pb2.ListSignInGrantsRequest(), sign_in_service_pb2.ListSignInGrantsResponse
        return (await self._call(self._sign_in.ListSignInGrants, request, answer)).sign_in_grants

    async def end_session(self, name: str, request_id: str) -> None:
        """Ends a session."""
        request = sign_in_service_pb2.EndSessionRequest(name=name, request_id=request_id)
        await self._call(self._sign_in.EndSession, request, sign_in_service_pb2.Session)

    async def revoke_sign_in_grant(self, name: str, request_id: str) -> None:
        """Takes back what the person agreed to with a client."""
        request = sign_in_service_pb2.RevokeSignInGrantRequest(name=name, request_id=request_id)
        await self._call(self._sign_in.RevokeSignInGrant, request, sign_in_service_pb2.SignInGrant)

    async def consents(self) -> Sequence[resources_pb2.Consent]:
        """Lists the person's consents, newest first."""
        request, answer = consent_service_pb2.ListConsentsRequest(), consent_service_pb2.ListConsentsResponse
        return (await self._call(self._consents.ListConsents, request, answer)).consents

    async def withdraw_consent(self, name: str, request_id: str) -> None:
        """Takes a consent back."""
        request = consent_service_pb2.WithdrawConsentRequest(name=name, request_id=request_id)
        await self._call(self._consents.WithdrawConsent, request, resources_pb2.Consent)

    async def mandates(self) -> Sequence[resources_pb2.Mandate]:
        """Lists the mandates to which the person is a party, newest first."""
        stub = mandate_service_pb2_grpc.MandateServiceStub(self._channel("identity"))
        request, answer = mandate_service_pb2.ListMandatesRequest(), mandate_service_pb2.ListMandatesResponse
        return (await self._call(stub.ListMandates, request, answer)).mandates

    async def revoke_mandate(self, name: str, request_id: str) -> None:
        """Ends a mandate that the person gave or holds."""
        stub = mandate_service_pb2_grpc.MandateServiceStub(self._channel("identity"))
        request = mandate_service_pb2.RevokeMandateRequest(name=name, reason=_REVOKED_HERE, request_id=request_id)
        await self._call(stub.RevokeMandate, request, resources_pb2.Mandate)

    async def acting(self, firm: str, mandate: str) -> str:
        """Returns a token by which the person acts for an organisation, under a mandate or as its legal representative."""
        stub = token_service_pb2_grpc.TokenServiceStub(self._channel("identity"))
        request = token_service_pb2.ExchangeTokenRequest(
            subject_token=self.token, subject_token_type=ACCESS_TOKEN, on_behalf_of=firm, mandate=mandate
        )
        return (await self._call(stub.ExchangeToken, request, token_service_pb2.ExchangeTokenResponse)).access_token

    async def organization(self, name: str, uscc: str = "") -> resources_pb2.Organization:
        """Gets an organisation by its name, or by its credit code where it has none."""
        stub, answer = (
            account_service_pb2_grpc.AccountServiceStub(self._channel("identity")),
            resources_pb2.Organization,
        )
        if name:
            return await self._call(stub.GetOrganization, account_service_pb2.GetOrganizationRequest(name=name), answer)
        request = account_service_pb2.LookupOrganizationRequest(uscc=uscc)
        return await self._call(stub.LookupOrganization, request, answer)

    async def departments(self, names: Iterable[str]) -> dict[str, str]:
        """Returns what departments of this region are called; those that can't be asked about are left out."""
        wanted = sorted({each for each in names if each.startswith("departments/")})[:_MOST_NAMES]
        found = await asyncio.gather(*map(self._department, wanted))
        return {name: told for name, told in zip(wanted, found, strict=True) if told}

    async def _department(self, name: str) -> str:
        stub = staff_service_pb2_grpc.StaffServiceStub(self._channel("identity"))
        request = staff_service_pb2.GetDepartmentRequest(name=name)
        try:
            return (await self._call(stub.GetDepartment, request, resources_pb2.Department)).display_name
        except TongbanError:
            return ""

    async def holdings(self) -> dict[str, own_data_service_pb2.CountHoldingsResponse | None]:
        """Asks each service what it holds; None where one did not answer."""

        async def one(service: str) -> own_data_service_pb2.CountHoldingsResponse:
            request = own_data_service_pb2.CountHoldingsRequest(parent=service)
            answer = own_data_service_pb2.CountHoldingsResponse
            return await self._call(self._own(service).CountHoldings, request, answer, service)

        found = await asyncio.gather(*(_or_away(one(each)) for each in SERVICES))
        return dict(zip(SERVICES, found, strict=True))

    async def files(self) -> dict[str, own_data_service_pb2.DownloadOwnDataResponse | None]:
        """Has each service make its file; None where one did not answer."""

        async def one(service: str) -> own_data_service_pb2.DownloadOwnDataResponse:
            request = own_data_service_pb2.DownloadOwnDataRequest(parent=service)
            answer = own_data_service_pb2.DownloadOwnDataResponse
            return await self._call(self._own(service).DownloadOwnData, request, answer, service, _FILE_SECONDS)

        found = await asyncio.gather(*(_or_away(one(each)) for each in SERVICES))
        return dict(zip(SERVICES, found, strict=True))

    async def licenses(self, holder: str, page: str) -> license_service_pb2.ListLicensesResponse:
        """Lists the licences of the person, or of the firm that they act for, newest first, from a page on."""
        stub = license_service_pb2_grpc.LicenseServiceStub(self._channel("license"))
        request = license_service_pb2.ListLicensesRequest(
            holder=holder, page_size=_PAGE, page_token=page, use_context=_OWN_USE
        )
        return await self._call(stub.ListLicenses, request, license_service_pb2.ListLicensesResponse, "license")

    async def cases(self, page: str) -> case_service_pb2.ListCasesResponse:
        """Lists the person's cases and those that they handed in for others, or the firm's alone, newest first, from a page on."""
        stub = case_service_pb2_grpc.CaseServiceStub(self._channel("cases"))
        # A token for a firm is still its person's, whose own cases are no business of the firm's page.
        chosen = f'applicant.subject = "{self.subject}"' if self.subject else ""
        request = case_service_pb2.ListCasesRequest(
            page_size=_PAGE, page_token=page, filter=chosen, use_context=_OWN_USE
        )
        return await self._call(stub.ListCases, request, case_service_pb2.ListCasesResponse, "cases")

    async def uses(self, size: int, services: Sequence[str] = SERVICES, before: datetime | None = None) -> Uses:
        """Returns the newest uses before a moment, of several services as one list.

        Uses of the same moment are never parted, so that who goes on before the last one's moment misses none.
        """
        found = await asyncio.gather(*(_or_away(self._uses_of(each, size, before)) for each in services))
        made = Uses(unreachable=[each for each, told in zip(services, found, strict=True) if told is None])
        every = sorted((use for told in found for use in told or ()), key=_moment, reverse=True)
        cut = _moment(every[size - 1]) if len(every) >= size else 0
        made.uses = [each for each in every if _moment(each) >= cut]
        made.more = len(made.uses) < len(every)
        return made

    async def _uses_of(self, service: str, size: int, before: datetime | None) -> list[use_pb2.Use]:
        """The newest uses at one service: ``size`` and one more, and whatever is of the same moment as the last."""
        request = own_data_service_pb2.ListUsesRequest(parent=service, page_size=_PAGE, subject=self.subject)
        if before is not None:
            request.filter = f'use_time < "{before.isoformat()}"'
        uses: list[use_pb2.Use] = []
        while True:
            answer = own_data_service_pb2.ListUsesResponse
            page = await self._call(self._own(service).ListUses, request, answer, service)
            uses += page.uses
            request.page_token = page.next_page_token
            whole = len(uses) > size and _moment(uses[-1]) < _moment(uses[size - 1])
            if whole or not page.next_page_token:
                return uses

    @property
    def _sign_in(self) -> Any:
        return sign_in_service_pb2_grpc.SignInServiceStub(self._channel("identity"))

    @property
    def _consents(self) -> Any:
        return consent_service_pb2_grpc.ConsentServiceStub(self._channel("identity"))

    def _own(self, service: str) -> Any:
        return own_data_service_pb2_grpc.OwnDataServiceStub(self._channel(service))

    def _channel(self, service: str) -> grpc.aio.Channel:
        found = self.channel_of(service)
        assert found is not None, service
        return found

    async def _call(
        self, method: Any, request: Message, answer: type[Answer], to: str = "identity", timeout: float = 5.0
    ) -> Answer:
        try:
            async with asyncio.timeout(timeout):  # whoever waits for a page does not wait for a restart
                return await invoke(method, request, answer, to=to, token=self.token, timeout=timeout)
        except TimeoutError as error:
            raise reasons.dependency_unavailable("no answer in time", retry_after=5.0, dependency=to) from error


async def _or_away(asked: Awaitable[Any]) -> Any:
    """Returns what was answered; None where nobody answered. What is refused is refused."""
    try:
        return await asked
    except TongbanError as error:
        if error.code not in _AWAY:
            raise
        return None


def _moment(use: use_pb2.Use) -> int:
    return use.use_time.ToNanoseconds()
