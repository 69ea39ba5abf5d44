"""What the license service asks of the identity service of its region."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from libs.errors import Code, TongbanError, error_class, invalid_field
from libs.rpc.client import invoke
from libs.timed_cache import TimedCache
from tongban.common.v1 import common_pb2, party_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1 import consent_service_pb2 as consent_rpc
from tongban.identity.v1 import mandate_service_pb2 as mandates
from tongban.identity.v1 import resources_pb2 as identity
from tongban.identity.v1 import staff_service_pb2 as staff
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub
from tongban.identity.v1.consent_service_pb2_grpc import ConsentServiceStub
from tongban.identity.v1.mandate_service_pb2_grpc import MandateServiceStub
from tongban.identity.v1.staff_service_pb2_grpc import StaffServiceStub
from tongban.options.v1 import options_pb2

_KEEP_DEPARTMENTS_SECONDS = 60.0
Channel = Callable[[], grpc.aio.Channel]


@dataclass(frozen=True, slots=True)
class ConsentedUse:
    """A use for which somebody's consent is asked: whose data, by whom, which things, and why."""

    subject: str
    recipient: str
    resources: Sequence[str]
    context: common_pb2.UseContext


class IdentityService:
    """The identity service, as this service sees it; every call is the service's own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._departments: TimedCache[identity.Department] = TimedCache(_KEEP_DEPARTMENTS_SECONDS)

    async def department(self, name: str) -> identity.Department:
        """Gets a department of the region; raises NotFound. What was asked is kept for a minute."""

        async def ask() -> identity.Department:
            stub = StaffServiceStub(self._channel())
            request = staff.GetDepartmentRequest(name=name)
            return await invoke(stub.GetDepartment, request, identity.Department, to="identity", token="")

        return await self._departments.get(name, ask)

    async def check_holders(self, holders: Sequence[party_pb2.Party]) -> None:
        """Raises FIELD_INVALID unless the holders bear the names and documents of the accounts that they are.

        A holder without an account must not stand on the document of one.
        """
        request = accounts.CheckIdentitiesRequest(
            identities=[
                accounts.StatedIdentity(subject=each.subject, display_name=each.display_name, document=each.document)
                for each in holders
            ]
        )
        stub = AccountServiceStub(self._channel())
        answer = await invoke(stub.CheckIdentities, request, accounts.CheckIdentitiesResponse, to="identity", token="")
        for position, matches in enumerate(answer.matches):
            if not matches:
                raise invalid_field(
                    f"holders[{position}]", "identity.account", "must bear the name and the document of the account"
                )

    async def check_consent(self, consent: str, use: ConsentedUse) -> None:
        """Raises CONSENT_NOT_ACTIVE, CONSENT_OUT_OF_SCOPE or RESOURCE_NOT_FOUND unless the consent covers the use."""
        answer = await self._consent(consent, use)
        if not answer.allowed:
            raise _refusal(answer.reason, "the consent does not cover this", consent=consent, resource=consent)

    async def consents(self, consent: str, use: ConsentedUse) -> bool:
        """Tells whether a consent covers a use."""
        return (await self._consent(consent, use)).allowed

    async def _consent(self, consent: str, use: ConsentedUse) -> consent_rpc.CheckConsentResponse:
        request = consent_rpc.CheckConsentRequest(
            name=consent,
            subject=use.subject,
            recipient=use.recipient,
            resources=use.resources,
            case=use.context.case,
            purpose_code=use.context.purpose_code,
        )
        stub = ConsentServiceStub(self._channel())
        return await invoke(stub.CheckConsent, request, consent_rpc.CheckConsentResponse, to="identity", token="")

    async def check_mandate(self, person: str, actor: str, mandate: str, item_code: str) -> None:
        """Raises MANDATE_NOT_ACTIVE, MANDATE_OUT_OF_SCOPE and the like unless the agent may present licences.

        Who acts, for whom and under which mandate is what the token says: identity has held them together already, so what
        can have come since is that one of the three has ended.
        """
        request = mandates.CheckMandateRequest(
            person=person,
            principal=actor,
            mandate=mandate,
            item_codes=[item_code] if item_code else [],
            power=options_pb2.MANDATE_POWER_PRESENT,
        )
        stub = MandateServiceStub(self._channel())
        answer = await invoke(stub.CheckMandate, request, mandates.CheckMandateResponse, to="identity", token="")
        if not answer.allowed:
            ended = {"person": person, "organization": actor}
            raise _refusal(
                answer.reason, "the mandate does not allow to present", mandate=mandate, resource=mandate, **ended
            )


def _refusal(value: error_reason_pb2.ErrorReason.ValueType, message: str, **known: str) -> TongbanError:
    """Builds the error that an answer "no" stands for: its code and metadata keys are those of the reason's contract."""
    documented = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_number[value]
    meaning = documented.GetOptions().Extensions[error_reason_pb2.error]
    metadata = {key: known[key] for key in meaning.metadata if key in known}
    refused = error_class(Code[meaning.code])(documented.name.removeprefix("ERROR_REASON_"), message)
    refused.metadata = metadata
    return refused
