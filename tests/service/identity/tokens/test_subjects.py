"""Who another region may say that somebody is: only what has the shape of somebody of theirs (issue 5, B6)."""

import time
import uuid
from typing import Any

import pytest
from joserfc import jwt

from libs.rpc.token_types import ASSERTION
from services.identity.app import signing_keys
from tests.service.identity.conftest import Federation
from tests.support.town import Town, reason_of
from tongban.identity.v1 import (
    account_service_pb2,
    consent_service_pb2,
    mandate_service_pb2,
    resources_pb2,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
REGION = "//341500"
ID = "00000000-0000-7000-8000-000000000001"
SUBJECT, CLERK, SERVICE = f"{REGION}/persons/{ID}", f"{REGION}/staff/{ID}", f"{REGION}/services/cases"
NOBODIES = (
    f"{REGION}/nobody",
    "",
    "persons/",
    f"persons/{ID}",
    f"{REGION}/persons/",
    f"{REGION}/persons/{ID}/",
    REGION,
    f"{REGION}/",
    f"{REGION}/persons/x",
    f"{REGION}/persons/{ID.upper().replace('0', 'A')}",
    f"{REGION}//persons/{ID}",
    f"{REGION}/people/persons/{ID}",
    f"{REGION}/persons/../persons/{ID}",
    f"{REGION}/persons/{ID}\n",
    f" {REGION}/persons/{ID}",
    f"{REGION}/organizations/{ID}",
    f"//34150/persons/{ID}",
    f"//３４１５００/persons/{ID}",
)


def _signed(home: Town, subject: str, kind: str = "PERSON", **claims: Any) -> str:
    """An assertion under the very key that the other region has pinned, whatever it says."""
    now, key = int(time.time()), signing_keys(home.service.process).current
    content = {
        "iss": home.base,
        "sub": subject,
        "aud": "//320402",
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
        "actor_kind": kind,
        "acr": "3",
        "scope": "*",
        **claims,
    }
    header = {"alg": "ES256", "typ": "tongban-assertion+jwt", "kid": key.kid}
    return jwt.encode(header, content, key.key, algorithms=["ES256"])


async def _refused(federation: Federation, subject: str, kind: str = "PERSON", **claims: Any) -> str:
    return await reason_of(federation.away.exchange(_signed(federation.home, subject, kind, **claims), ASSERTION))


@pytest.mark.parametrize("subject", NOBODIES)
@pytest.mark.parametrize("kind", ["PERSON", "STAFF", "SERVICE"])
async def test_nobody_is_not_taken_for_somebody(federation: Federation, subject: str, kind: str) -> None:
    assert await _refused(federation, subject, kind) in ("TOKEN_INVALID", "ASSERTION_SUBJECT_FOREIGN")


@pytest.mark.parametrize(
    ("subject", "kind", "claims"),
    [
        (CLERK, "PERSON", {}),
        (SERVICE, "PERSON", {}),
        (SERVICE, "STAFF", {}),
        (SUBJECT, "SERVICE", {}),
        (CLERK, "SERVICE", {}),
        (SUBJECT, "STAFF", {}),
        (f"{REGION}/clients/window", "SERVICE", {}),
        (SUBJECT, "PERSON", {"act": {"sub": CLERK, "actor_kind": "STAFF"}}),
        (SUBJECT, "STAFF", {"act": {"sub": SERVICE, "actor_kind": "STAFF"}}),
        (SUBJECT, "STAFF", {"act": {"sub": f"{REGION}/staff/", "actor_kind": "STAFF"}}),
        (SUBJECT, "SERVICE", {"act": {"sub": f"{REGION}/nobody", "actor_kind": "SERVICE"}}),
        (
            SUBJECT,
            "SERVICE",
            {"act": {"sub": SERVICE, "actor_kind": "SERVICE", "act": {"sub": f"{REGION}/x", "actor_kind": "STAFF"}}},
        ),
        (SUBJECT, "PERSON", {"org": ""}),
        (SUBJECT, "PERSON", {"org": f"{REGION}/organizations/"}),
        (SUBJECT, "PERSON", {"org": f"{REGION}/organizations/{ID}", "mandate": f"{REGION}/mandates/"}),
        (CLERK, "STAFF", {"dept": f"{REGION}/departments/"}),
        (CLERK, "STAFF", {"dept": ""}),
        (SUBJECT, "PERSON", {"transfer": f"{REGION}/caseTransfers/x"}),
    ],
)
async def test_a_kind_that_its_subject_is_not_is_refused(
    federation: Federation, subject: str, kind: str, claims: dict[str, Any]
) -> None:
    assert await _refused(federation, subject, kind, **claims) == "TOKEN_INVALID"


async def test_a_channel_speaks_of_exact_names_only(home: Town) -> None:
    person = await home.person()
    for subject in (f"//341500/{person}", f"persons/x/{person}", f"staff/{person}", f"{person}/", f"persons//{person}"):
        answer = await home.post(**home.asserted(subject))
        assert (answer.status_code, answer.json()["reason"]) == (400, "TOKEN_INVALID"), subject


async def _shown(away: Town, token: str, person: str, mandate: str) -> list[str]:
    """What a caller gets to see of things that are somebody else's; every way to read identity's personal things."""
    calls: list[tuple[Any, Any, Any]] = [
        (
            away.mandates.ListMandates,
            mandate_service_pb2.ListMandatesRequest(),
            mandate_service_pb2.ListMandatesResponse,
        ),
        (away.mandates.GetMandate, mandate_service_pb2.GetMandateRequest(name=mandate), resources_pb2.Mandate),
        (away.accounts.GetPerson, _asked(account_service_pb2.GetPersonRequest(name=person)), resources_pb2.Person),
        (
            away.accounts.RevealPerson,
            _asked(account_service_pb2.RevealPersonRequest(name=person)),
            resources_pb2.Person,
        ),
    ]
    seen = []
    for method, request, answer in calls:
        try:
            got = await away.call(method, request, answer, token)
        except Exception:  # noqa: BLE001 - a refusal is what it should be
            continue
        if person in str(got):
            seen.append(type(request).__name__)
    return seen


def _asked(request: Any) -> Any:
    request.use_context.purpose_code = "IDENTITY_CHECK"
    return request


async def test_a_guest_sees_nothing_of_the_people_here(federation: Federation) -> None:
    away = federation.away
    person, agent = await away.person(), await away.person()
    mandate = await away.mandate(person, agent, await away.human_token(person))
    token = await away.exchange(_signed(federation.home, SUBJECT), ASSERTION)
    assert await _shown(away, token, person, mandate.name) == []


async def test_consents_are_shown_to_nobody_who_speaks_for_nobody(federation: Federation) -> None:
    request = consent_service_pb2.GetConsentRequest(name=f"consents/{ID}")
    token = await federation.away.exchange(_signed(federation.home, SUBJECT), ASSERTION)
    stub: Any = federation.away.service.channel.unary_unary("/tongban.identity.v1.ConsentService/GetConsent")
    with pytest.raises(Exception, match="NOT_FOUND"):
        await stub(request.SerializeToString(), metadata=(("authorization", f"Bearer {token}"),))
