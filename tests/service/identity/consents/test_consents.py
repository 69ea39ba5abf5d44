"""ConsentService: only who may speak for the data's subject consents, and what was consented is what holds."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.patience import invoke
from tests.support.town import Town, reason_of, request_id
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import consent_service_pb2 as pb
from tongban.identity.v1 import consent_service_pb2_grpc, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
LICENSE = "licenses/00000000-0000-7000-8000-000000000001"
SCAN = "materials/00000000-0000-7000-8000-000000000001"
ONLINE, WINDOW = resources_pb2.CONSENT_METHOD_ONLINE, resources_pb2.CONSENT_METHOD_WINDOW


def _stub(home: Town) -> consent_service_pb2_grpc.ConsentServiceStub:
    return consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)


async def _grant(home: Town, subject: str, token: str, *, days: int = 30, **fields: object) -> resources_pb2.Consent:
    given = {
        "subject": subject,
        "recipient": home.department,
        "purpose_code": "CASE_HANDLING",
        "purpose": "办理许可",
        "resources": [LICENSE],
        "method": ONLINE,
        **fields,
    }
    consent = resources_pb2.Consent(**given)  # type: ignore[arg-type]
    consent.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    request = pb.GrantConsentRequest(consent=consent, request_id=request_id())
    return await home.call(_stub(home).GrantConsent, request, resources_pb2.Consent, token)


async def _withdraw(home: Town, name: str, token: str) -> resources_pb2.Consent:
    request = pb.WithdrawConsentRequest(name=name, request_id=request_id())
    return await home.call(_stub(home).WithdrawConsent, request, resources_pb2.Consent, token)


async def _get(home: Town, name: str, token: str) -> resources_pb2.Consent:
    return await home.call(_stub(home).GetConsent, pb.GetConsentRequest(name=name), resources_pb2.Consent, token)


async def _check(home: Town, name: str, subject: str, **fields: object) -> str:
    channel = home.neighbour("license")
    given = {"recipient": home.department, "resources": [LICENSE], "purpose_code": "CASE_HANDLING", **fields}
    request = pb.CheckConsentRequest(name=name, subject=subject, **given)  # type: ignore[arg-type]
    stub = consent_service_pb2_grpc.ConsentServiceStub(channel)
    found = await invoke(stub.CheckConsent, request, pb.CheckConsentResponse, to="identity", token="")
    await channel.close()
    if found.allowed:
        assert found.HasField("expire_time")
        return "ALLOWED"
    return error_reason_pb2.ErrorReason.Name(found.reason).removeprefix("ERROR_REASON_")


async def _listed(home: Town, token: str, **asked: str) -> list[str]:
    request = pb.ListConsentsRequest(**asked)  # type: ignore[arg-type]
    found = await home.call(_stub(home).ListConsents, request, pb.ListConsentsResponse, token)
    return [each.name for each in found.consents]


async def test_consents_are_listed_to_whom_they_are_of(home: Town) -> None:
    person, other = await home.person(), await home.person()
    own = await home.human_token(person)
    first = await _grant(home, person, own, case="cases/1")
    second = await _grant(home, person, own)
    await _withdraw(home, first.name, own)
    assert await _listed(home, own) == [second.name, first.name]
    assert await _listed(home, own, filter="state = CONSENT_STATE_WITHDRAWN AND withdraw_time:*") == [first.name]
    assert await _listed(home, own, filter=f"NOT case:* AND resources:{LICENSE}") == [second.name]
    stranger = await home.human_token(other)
    assert await _listed(home, stranger) == []
    assert await reason_of(_listed(home, stranger, subject=person)) == "NOT_OWNER"
    clerk = await home.staff_token()
    assert await _listed(home, clerk, subject=person, order_by="create_time") == [first.name, second.name]
    assert await reason_of(_listed(home, clerk)) == "FIELD_INVALID"


async def test_a_person_consents_and_takes_it_back(home: Town) -> None:
    person = await home.person()
    own = await home.human_token(person)
    made = await _grant(home, person, own, case="cases/1")
    assert (made.granter, made.mandate, made.witness) == (person, "", "")
    assert await _check(home, made.name, person, case="cases/1") == "ALLOWED"
    assert await _check(home, made.name, person) == "CONSENT_OUT_OF_SCOPE"
    assert await _check(home, made.name, await home.person(), case="cases/1") == "CONSENT_OUT_OF_SCOPE"
    later = datetime.now(UTC) + timedelta(days=31)
    request = pb.CheckConsentRequest(name=made.name)
    request.at_time.FromDatetime(later)
    assert await _check(home, made.name, person, case="cases/1", at_time=request.at_time) == "CONSENT_NOT_ACTIVE"
    ended = await _withdraw(home, made.name, own)
    assert ended.state == resources_pb2.CONSENT_STATE_WITHDRAWN
    assert await reason_of(_withdraw(home, made.name, own)) == "STATE_CONFLICT"
    assert await _check(home, made.name, person, case="cases/1") == "CONSENT_NOT_ACTIVE"
    nowhere = "consents/00000000-0000-7000-8000-0000000000aa"
    assert await _check(home, nowhere, person) == "RESOURCE_NOT_FOUND"


async def test_a_consent_covers_the_purpose_that_it_names_whatever_the_words_say(home: Town) -> None:
    person = await home.person()
    own = await home.human_token(person)
    made = await _grant(home, person, own)
    assert (made.purpose_code, made.purpose) == ("CASE_HANDLING", "办理许可")
    assert await _check(home, made.name, person) == "ALLOWED"
    assert await _check(home, made.name, person, purpose_code="FINANCIAL_SERVICE") == "CONSENT_OUT_OF_SCOPE"
    # Of another region's later table: known to nobody here, and so of no consent.
    assert await _check(home, made.name, person, purpose_code="OF_A_LATER_TABLE") == "CONSENT_OUT_OF_SCOPE"
    assert await reason_of(_grant(home, person, own, purpose_code="办理许可")) == "FIELD_INVALID"
    assert await reason_of(_grant(home, person, own, purpose_code="MY_PURPOSE")) == "PURPOSE_UNKNOWN"
    # No consent carries what the law alone may want.
    assert await reason_of(_grant(home, person, own, purpose_code="JUDICIAL_ASSISTANCE")) == "FIELD_INVALID"
    assert await _listed(home, own, filter="purpose_code = CASE_HANDLING") == [made.name]


async def test_nobody_consents_for_another(home: Town) -> None:
    person, other = await home.person(), await home.person()
    firm = await home.firm(person)
    theirs = await home.human_token(other)
    assert await reason_of(_grant(home, person, theirs)) == "NOT_OWNER"
    assert await reason_of(_grant(home, firm.name, theirs)) == "NOT_LEGAL_REPRESENTATIVE"
    made = await _grant(home, person, await home.human_token(person))
    assert await reason_of(_withdraw(home, made.name, theirs)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_get(home, made.name, theirs)) == "RESOURCE_NOT_FOUND"
    assert (await _get(home, made.name, await home.staff_token("reviewing"))).name == made.name
    own = await home.human_token(person)
    assert await reason_of(_grant(home, person, own, days=400)) == "FIELD_INVALID"
    assert await reason_of(_grant(home, person, own, days=-1)) == "FIELD_INVALID"
    assert await reason_of(_grant(home, person, own, recipient="//110101")) == "REGION_NOT_TRUSTED"
    weak = await home.human_token(person, acr="1")
    assert await reason_of(_grant(home, person, weak)) == "ASSURANCE_TOO_LOW"


async def test_an_agent_consents_within_the_mandates_powers(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    chief, own = await home.human_token(boss), await home.human_token(agent)
    mandate = (await home.mandate(firm.name, agent, chief)).name
    acting = await home.exchange(own, on_behalf_of=firm.name, mandate=mandate)
    made = await _grant(home, firm.name, acting)
    assert (made.granter, made.mandate) == (agent, mandate)
    assert (await _get(home, made.name, chief)).name == made.name
    scope = resources_pb2.MandateScope(all_items=True, powers=[options_pb2.MANDATE_POWER_COLLECT])
    weak = (await home.mandate(firm.name, agent, chief, scope=scope)).name
    collecting = await home.exchange(own, on_behalf_of=firm.name, mandate=weak)
    assert await reason_of(_grant(home, firm.name, collecting)) == "MANDATE_OUT_OF_SCOPE"
    # The token alone is not enough: a mandate that ended since is worth nothing.
    from_firm = await _grant(home, firm.name, await home.exchange(chief, on_behalf_of=firm.name))
    assert (from_firm.granter, from_firm.mandate) == (boss, "")


async def test_at_a_window_the_paper_and_the_witness_are_kept(home: Town) -> None:
    person = await home.person()
    token = await home.at_window(await home.human_token(person), await home.staff_token())
    assert await reason_of(_grant(home, person, token)) == "FIELD_INVALID"
    assert await reason_of(_grant(home, person, token, method=WINDOW)) == "FIELD_INVALID"
    made = await _grant(home, person, token, method=WINDOW, evidence=SCAN)
    assert (made.granter, made.witness, made.evidence) == (person, home.staff["receiving"], SCAN)
    alone = await home.human_token(person)
    assert await reason_of(_grant(home, person, alone, method=WINDOW, evidence=SCAN)) == "FIELD_INVALID"
