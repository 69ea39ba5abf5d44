"""No record, no service: whoever reads of others leaves a record first; without it nothing leaves."""

from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from libs.rpc.token_types import ACCESS_TOKEN
from tests.support.merging import Merging
from tests.support.silence import records, silenced, undriven
from tests.support.town import Town, reason_of, request_id
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import (
    access_service_pb2,
    access_service_pb2_grpc,
    account_service_pb2,
    code_service_pb2,
    code_service_pb2_grpc,
    consent_service_pb2,
    consent_service_pb2_grpc,
    mandate_service_pb2,
    resources_pb2,
    staff_service_pb2,
    token_service_pb2,
    verification_service_pb2,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对身份")


@dataclass
class Known:
    """Somebody with an account, a token, a mandate and a consent."""

    town: Town
    person: str
    own: str
    document: common_pb2.IdentityDocument
    mandate: str
    consent: str
    merge: str

    async def read(self, verb: str, token: str) -> Any:
        """Calls a read with a token."""
        town, consents = self.town, consent_service_pb2_grpc.ConsentServiceStub(self.town.service.channel)
        calls = {
            "GetPerson": (
                town.accounts.GetPerson,
                account_service_pb2.GetPersonRequest(name=self.person, use_context=WHY),
                resources_pb2.Person,
            ),
            "RevealPerson": (
                town.accounts.RevealPerson,
                account_service_pb2.RevealPersonRequest(name=self.person, use_context=WHY),
                resources_pb2.Person,
            ),
            "LookupPerson": (
                town.accounts.LookupPerson,
                account_service_pb2.LookupPersonRequest(document=self.document, use_context=WHY),
                resources_pb2.Person,
            ),
            "GetPersonMerge": (
                town.accounts.GetPersonMerge,
                account_service_pb2.GetPersonMergeRequest(name=self.merge),
                resources_pb2.PersonMerge,
            ),
            "ListPersonMerges": (
                town.accounts.ListPersonMerges,
                account_service_pb2.ListPersonMergesRequest(filter=f"kept = {self.person}"),
                account_service_pb2.ListPersonMergesResponse,
            ),
            "GetMandate": (
                town.mandates.GetMandate,
                mandate_service_pb2.GetMandateRequest(name=self.mandate),
                resources_pb2.Mandate,
            ),
            "ListMandates": (
                town.mandates.ListMandates,
                mandate_service_pb2.ListMandatesRequest(filter=f"principal = {self.person}"),
                mandate_service_pb2.ListMandatesResponse,
            ),
            "GetConsent": (
                consents.GetConsent,
                consent_service_pb2.GetConsentRequest(name=self.consent),
                resources_pb2.Consent,
            ),
            "ListConsents": (
                consents.ListConsents,
                consent_service_pb2.ListConsentsRequest(subject=self.person),
                consent_service_pb2.ListConsentsResponse,
            ),
            "ListCredentialBindings": (
                code_service_pb2_grpc.CodeServiceStub(town.service.channel).ListCredentialBindings,
                code_service_pb2.ListCredentialBindingsRequest(person=self.person),
                code_service_pb2.ListCredentialBindingsResponse,
            ),
            "ListVerifications": (
                town.checks.ListVerifications,
                verification_service_pb2.ListVerificationsRequest(parent=self.person),
                verification_service_pb2.ListVerificationsResponse,
            ),
            "GetStaff": (
                town.offices.GetStaff,
                staff_service_pb2.GetStaffRequest(name=town.staff["reviewing"]),
                resources_pb2.Staff,
            ),
            "ListStaff": (
                town.offices.ListStaff,
                staff_service_pb2.ListStaffRequest(),
                staff_service_pb2.ListStaffResponse,
            ),
            "ExplainAccess": (
                access_service_pb2_grpc.AccessServiceStub(town.service.channel).ExplainAccess,
                access_service_pb2.ExplainAccessRequest(
                    principal=self.person, method="tongban.cases.v1.CaseService.CreateCase"
                ),
                access_service_pb2.ExplainAccessResponse,
            ),
            "ExchangeToken": (
                town.tokens.ExchangeToken,
                token_service_pb2.ExchangeTokenRequest(
                    subject_token=self.own,
                    subject_token_type=ACCESS_TOKEN,
                    actor_token=token,
                    actor_token_type=ACCESS_TOKEN,
                ),
                token_service_pb2.ExchangeTokenResponse,
            ),
        }
        return await town.call(*calls[verb], token)


READERS = {
    "GetPerson": "receiving",
    "RevealPerson": "receiving",
    "LookupPerson": "receiving",
    "GetPersonMerge": "receiving",
    "ListPersonMerges": "receiving",
    "GetMandate": "receiving",
    "ListMandates": "receiving",
    "GetConsent": "receiving",
    "ListConsents": "receiving",
    "ListCredentialBindings": "receiving",
    "ListVerifications": "receiving",
    "GetStaff": "auditing",
    "ListStaff": "auditing",
    "ExplainAccess": "auditing",
    "ExchangeToken": "receiving",
}


async def _merge(home: Town, person: str) -> str:
    """That somebody asked to merge the account with another one of the same name."""
    return (await Merging(home).asked_of(person)).name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def known(home: Town) -> Known:
    person, agent = await home.person(), await home.person()
    token = await home.human_token(person)
    mandate = await home.mandate(person, agent, token)
    consent = resources_pb2.Consent(
        subject=person,
        recipient=home.department,
        purpose_code="IDENTITY_CHECK",
        purpose="核验",
        resources=["licenses/-"],
        method=resources_pb2.CONSENT_METHOD_ONLINE,
    )
    consent.end_time.FromSeconds(int(home.service.process.clock.now().timestamp()) + 3600)
    grant = consent_service_pb2.GrantConsentRequest(consent=consent, request_id=request_id())
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    given = await home.call(stub.GrantConsent, grant, resources_pb2.Consent, token)
    reveal = account_service_pb2.RevealPersonRequest(name=person, use_context=WHY)
    shown = await home.call(home.accounts.RevealPerson, reveal, resources_pb2.Person, token)
    return Known(home, person, token, shown.documents[0].document, mandate.name, given.name, await _merge(home, person))


async def test_every_read_that_the_contract_says_is_driven() -> None:
    assert undriven("tongban.identity.v1", READERS) == set()


@pytest.mark.parametrize("verb", READERS)
async def test_no_record_no_answer(known: Known, verb: str) -> None:
    token = await known.town.staff_token((READERS)[verb])
    before = len(await records(known.town.service))
    await known.read(verb, token)
    assert len(await records(known.town.service)) > before
    async with silenced(known.town.service, "identity"):
        assert await reason_of(known.read(verb, token)) == "AUDIT_UNAVAILABLE"


@pytest.mark.parametrize(
    "verb",
    [
        "GetMandate",
        "ListMandates",
        "GetConsent",
        "ListConsents",
        "ListCredentialBindings",
        "ListVerifications",
        "GetPerson",
    ],
)
async def test_what_is_ones_own_is_read_unrecorded_but_not_with_staff_beside(known: Known, verb: str) -> None:
    own = await known.town.human_token(known.person)
    window = await known.town.at_window(own, await known.town.staff_token())
    async with silenced(known.town.service, "identity"):
        await known.read(verb, own)
        assert await reason_of(known.read(verb, window)) == "AUDIT_UNAVAILABLE"
