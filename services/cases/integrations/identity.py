"""What case handling asks of the identity service of its region: parties, mandates, tokens."""

import time
from collections.abc import Callable

import grpc

from libs.db.command import digest_of
from libs.errors import PermissionDenied, invalid_field, reasons
from libs.rpc.client import invoke
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from libs.rpc.withdrawals import standing
from tongban.common.v1 import party_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1 import mandate_service_pb2 as mandates
from tongban.identity.v1 import token_service_pb2 as tokens
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub
from tongban.identity.v1.mandate_service_pb2_grpc import MandateServiceStub
from tongban.identity.v1.token_service_pb2_grpc import TokenServiceStub
from tongban.options.v1 import options_pb2

_KNOWN_SECONDS = 60.0
_MOST_KNOWN = 10_000
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
Channel = Callable[[], grpc.aio.Channel]


class IdentityService:
    """The identity service, as this service sees it; every call is the service's own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[bytes, float] = {}

    async def check_parties(self, applicant: party_pb2.Applicant, agent: party_pb2.Agent | None) -> None:
        """Raises FIELD_INVALID unless names and documents of the parties are those of their accounts.

        What agreed is believed for a minute. Persons are named by the office that verified them, never by an application.
        """
        stated = _stated(applicant, agent)
        asked = {field: each for field, each in stated.items() if not self._is_known(each)}
        if not asked:
            return
        request = accounts.CheckIdentitiesRequest(identities=asked.values())
        answer = await invoke(
            AccountServiceStub(self._channel()).CheckIdentities,
            request,
            accounts.CheckIdentitiesResponse,
            to="identity",
            token="",
        )
        for (field, each), matches in zip(asked.items(), answer.matches, strict=True):
            if not matches:
                raise invalid_field(field, "identity.account", "must bear the name and the document of the account")
            self._keep(each)

    def agreed(self, applicant: party_pb2.Applicant, agent: party_pb2.Agent | None) -> bool:
        """Tells whether the parties agreed within the last minute."""
        return all(self._is_known(each) for each in _stated(applicant, agent).values())

    def _is_known(self, stated: accounts.StatedIdentity) -> bool:
        return self._known.get(digest_of(stated), 0.0) > time.monotonic()

    def _keep(self, stated: accounts.StatedIdentity) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[digest_of(stated)] = time.monotonic() + _KNOWN_SECONDS

    async def check_mandate(self, person: str, actor: str, mandate: str, item_codes: tuple[str, ...]) -> None:
        """Raises CASE_MANDATE_NOT_COVERING unless ``person`` may apply for ``actor`` on the item.

        An empty ``mandate`` asks whether they need none: as the legal representative.
        """
        answer = await self._judged(person, actor, mandate, item_codes)
        if not answer.allowed:
            reason = error_reason_pb2.ErrorReason.Name(answer.reason).removeprefix("ERROR_REASON_")
            raise mandate_not_covering(mandate, item_codes[0] if item_codes else "", reason)

    async def may_act(self, person: str, principal: str, mandate: str, item_codes: tuple[str, ...]) -> bool:
        """Tells whether ``person`` may apply for ``principal`` now; without codes, whether they may on any item."""
        answer = await self._judged(person, principal, mandate, item_codes)
        # That no item is named is the last that is judged: all else of the mandate stands then.
        any_item = not item_codes and answer.reason == error_reason_pb2.ERROR_REASON_MANDATE_OUT_OF_SCOPE
        return answer.allowed or any_item

    async def _judged(
        self, person: str, principal: str, mandate: str, item_codes: tuple[str, ...]
    ) -> mandates.CheckMandateResponse:
        request = mandates.CheckMandateRequest(
            person=person,
            principal=principal,
            mandate=mandate,
            item_codes=item_codes,
            power=options_pb2.MANDATE_POWER_APPLY,
        )
        return await invoke(
            MandateServiceStub(self._channel()).CheckMandate,
            request,
            mandates.CheckMandateResponse,
            to="identity",
            token="",
        )

    async def delegation(self, token: str, region: str, transfer: str) -> str:
        """Returns the right to speak for the token's subject to ``region`` about ``transfer``, for store-and-forward."""
        request = tokens.ExchangeTokenRequest(
            subject_token=token,
            subject_token_type=ACCESS_TOKEN,
            requested_token_type=DELEGATION,
            audience=f"//{region}",
            transfer=transfer,
        )
        with standing():
            return await self._exchange(request)

    async def assertion(self, delegation: str, region: str, transfer: str) -> str:
        """Returns a fresh assertion to ``region`` from a delegation, with this service as the actor."""
        own = await invoke(
            TokenServiceStub(self._channel()).IssueServiceToken,
            tokens.IssueServiceTokenRequest(),
            tokens.IssueServiceTokenResponse,
            to="identity",
            token="",
        )
        request = tokens.ExchangeTokenRequest(
            subject_token=delegation,
            subject_token_type=DELEGATION,
            actor_token=own.access_token,
            actor_token_type=ACCESS_TOKEN,
            requested_token_type=ASSERTION,
            audience=f"//{region}",
            transfer=transfer,
        )
        return await self._exchange(request)

    async def _exchange(self, request: tokens.ExchangeTokenRequest) -> str:
        answer = await invoke(
            TokenServiceStub(self._channel()).ExchangeToken,
            request,
            tokens.ExchangeTokenResponse,
            to="identity",
            token="",
        )
        return answer.access_token


def _stated(applicant: party_pb2.Applicant, agent: party_pb2.Agent | None) -> dict[str, accounts.StatedIdentity]:
    parties: dict[str, party_pb2.Applicant | party_pb2.Agent] = {"applicant": applicant}
    if agent is not None:
        parties["agent"] = agent
    return {
        field: accounts.StatedIdentity(subject=party.subject, display_name=party.display_name, document=party.document)
        for field, party in parties.items()
    }


def mandate_not_covering(mandate: str, task_code: str, detail: str) -> PermissionDenied:
    """Builds the error for an agent who may not apply for this applicant."""
    return reasons.case_mandate_not_covering(
        f"the agent may not apply for this applicant: {detail}",
        mandate=mandate,
        task_code=task_code,
    )
