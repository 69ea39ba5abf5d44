"""Two regions that trust each other: assertions, guests, delegations, and what suspends or forges them."""

import time
import uuid
from typing import Any

import pytest
from joserfc import jwt
from redis.asyncio import Redis

from libs.access import roles
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from services.identity.app import signing_keys
from tests.service.identity.conftest import Federation
from tests.support.client_keys import new_key
from tests.support.from_now import FromNow, timed
from tests.support.patience import invoke
from tests.support.town import Town, reason_of, request_id
from tongban.audit.v1 import audit_service_pb2, audit_service_pb2_grpc
from tongban.identity.v1 import mandate_service_pb2, region_service_pb2, resources_pb2, token_service_pb2_grpc
from tongban.identity.v1 import mandate_service_pb2_grpc as mandate_grpc
from tongban.identity.v1 import token_service_pb2 as pb
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"
AWAY = "//320402"
INBOUND, OUTBOUND = resources_pb2.TRUST_DIRECTION_INBOUND, resources_pb2.TRUST_DIRECTION_OUTBOUND


async def _service_token(home: Town, name: str = "cases") -> str:
    channel = home.neighbour(name)
    stub = token_service_pb2_grpc.TokenServiceStub(channel)
    answer = pb.IssueServiceTokenResponse
    made = await invoke(stub.IssueServiceToken, pb.IssueServiceTokenRequest(), answer, to="identity", token="")
    await channel.close()
    return made.access_token


async def _assertion(home: Town, token: str, **fields: str) -> str:
    return await home.exchange(token, audience=AWAY, **fields)


async def _accepted(federation: Federation, assertion: str, **fields: str) -> Any:
    token = await federation.away.exchange(assertion, ASSERTION, **fields)
    return await federation.away.verifier().verify(token)


async def _change_trust(town: Town, other: Town, verb: str, *directions: Any) -> None:
    tokens = await town.administrators() if verb == "Resume" else [await town.admin_token()]
    for token in tokens:
        request = getattr(region_service_pb2, f"{verb}RegionRequest")(
            name=f"regions/{other.region.id}", request_id=request_id(), directions=directions, reason="演练"
        )
        await town.call(getattr(town.regions, f"{verb}Region"), request, resources_pb2.Region, token)


async def test_a_person_of_one_region_is_a_person_in_the_other(federation: Federation) -> None:
    person = await federation.home.person()
    assertion = await _assertion(federation.home, await federation.home.human_token(person))
    guest = await _accepted(federation, assertion)
    assert (guest.subject, guest.kind, guest.region) == (f"//341500/{person}", "PERSON", "341500")
    assert guest.client == "//341500"
    assert guest.scopes == set(roles.PERSON)
    assert guest.assurance == 3  # 天宁 believes 六安 up to 3


async def test_a_service_alone_is_the_region_in_the_other(federation: Federation) -> None:
    # What libs.rpc.regions does for every call of a service of its own.
    assertion = await _assertion(federation.home, await _service_token(federation.home))
    guest = await _accepted(federation, assertion)
    assert (guest.subject, guest.kind, guest.region) == ("//341500/services/cases", "REGION", "341500")
    # What regions may do here, and what the service may do at home: it has no business with seals and proofs.
    assert guest.scopes == set(roles.REGION) - {"seal.certificates.get", "audit.auditRecords.prove"}


async def test_staff_in_office_are_the_region_in_the_other(federation: Federation) -> None:
    home = federation.home
    guest = await _accepted(federation, await _assertion(home, await home.staff_token()))
    assert (guest.subject, guest.kind) == (f"//341500/{home.staff['receiving']}", "REGION")
    assert guest.department == f"//341500/{home.department}"


async def test_a_person_called_through_a_service_reaches_the_regions_methods(federation: Federation) -> None:
    home = federation.home
    person = await home.person()
    assertion = await _assertion(
        home, await home.human_token(person), actor_token=await _service_token(home), actor_token_type=ACCESS_TOKEN
    )
    guest = await _accepted(federation, assertion)
    assert (guest.subject, guest.kind, guest.delegate) == (f"//341500/{person}", "REGION", "//341500/services/cases")


async def test_an_assertion_is_good_once(federation: Federation) -> None:
    home = federation.home
    assertion = await _assertion(home, await home.human_token(await home.person()))
    await _accepted(federation, assertion)
    assert await reason_of(_accepted(federation, assertion)) == "ASSERTION_REPLAYED"


async def test_no_assertion_is_taken_while_nobody_can_tell_whether_it_was_used(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, redis = federation.home, federation.away.service.process.redis
    assertion = await _assertion(home, await home.human_token(await home.person()))
    away = Redis.from_url("redis://127.0.0.1:1/0", protocol=2)
    with monkeypatch.context() as unplugged:
        unplugged.setattr(redis, "connection_pool", away.connection_pool)
        assert await reason_of(_accepted(federation, assertion)) == "DEPENDENCY_UNAVAILABLE"
    await away.aclose()
    await _accepted(federation, assertion)


async def test_a_mistake_in_the_request_does_not_use_an_assertion_up(federation: Federation) -> None:
    home = federation.home
    assertion = await _assertion(home, await home.human_token(await home.person()))
    refused = _accepted(federation, assertion, scope="cases.cases.decide")
    assert await reason_of(refused) == "SCOPE_NOT_GRANTED"
    assert (await _accepted(federation, assertion, scope="cases.cases.get")).scopes == {"cases.cases.get"}


async def test_both_regions_record_it_under_one_id(federation: Federation) -> None:
    home, away = federation.home, federation.away
    assertion = await _assertion(home, await home.human_token(await home.person()))
    await _accepted(federation, assertion)
    said = jwt.decode(assertion, signing_keys(home.service.process).current.key, algorithms=["ES256"]).claims
    for town in (home, away):
        assert await _recorded(town, said["txn"]) == ["tongban.identity.v1.TokenService.ExchangeToken"]
        # The id that makes an assertion good for one use is no one's reference in a log.
        assert await _recorded(town, said["jti"]) == []


async def _recorded(town: Town, transaction: str) -> list[str]:
    """What a region's identity service did under a transaction id."""
    log = audit_service_pb2_grpc.AuditServiceStub(town.service.channel)
    request = audit_service_pb2.ListAuditRecordsRequest(parent="identity", filter=f"transaction_id = {transaction}")
    answer = audit_service_pb2.ListAuditRecordsResponse
    page = await town.call(log.ListAuditRecords, request, answer, await town.staff_token("auditing"))
    return [record.action for record in page.audit_records]


async def test_a_suspended_region_is_refused_each_way_on_its_own(federation: Federation) -> None:
    home, away = federation.home, federation.away
    token = await home.human_token(await home.person())
    fresh = await _assertion(home, token)
    await _change_trust(away, home, "Suspend", INBOUND)
    assert await reason_of(_accepted(federation, fresh)) == "REGION_NOT_TRUSTED"
    # The other way is still open.
    await away.exchange(await away.human_token(await away.person()), audience="//341500")
    await _change_trust(away, home, "Resume", INBOUND)
    await _accepted(federation, fresh)
    await _change_trust(home, away, "Suspend", OUTBOUND)
    assert await reason_of(_assertion(home, token)) == "REGION_NOT_TRUSTED"
    await _change_trust(home, away, "Resume", OUTBOUND)
    assert await reason_of(home.exchange(token, audience="//110101")) == "REGION_NOT_TRUSTED"


async def test_clients_and_guests_are_not_vouched_for(federation: Federation) -> None:
    home, away = federation.home, federation.away
    assert await reason_of(_assertion(home, await home.admin_token())) == "EXCHANGE_NOT_ALLOWED"
    assertion = await _assertion(home, await home.human_token(await home.person()))
    guest = await away.exchange(assertion, ASSERTION)
    assert await reason_of(away.exchange(guest, audience="//341500")) == "EXCHANGE_NOT_ALLOWED"
    firm = await away.firm(await away.person())
    assert await reason_of(away.exchange(guest, on_behalf_of=firm.name)) == "EXCHANGE_NOT_ALLOWED"


def _forged(federation: Federation, *, key: Any = None, typ: str = "tongban-assertion+jwt", **claims: Any) -> str:
    """An assertion as 六安 could sign it, with any claim changed; or one that somebody else signed."""
    current = signing_keys(federation.home.service.process).current
    now = int(time.time())
    content = {
        "iss": federation.home.base,
        "sub": f"//341500/persons/{uuid.uuid4()}",
        "aud": AWAY,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
        "actor_kind": "PERSON",
        "acr": "4",
        **claims,
    }
    header = {"alg": "ES256", "typ": typ, "kid": current.kid}
    kept = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(header, kept, key or current.key, algorithms=["ES256"])


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"sub": "//320402/persons/00000000-0000-7000-8000-000000000001"}, "ASSERTION_SUBJECT_FOREIGN"),
        ({"sub": "persons/00000000-0000-7000-8000-000000000001"}, "ASSERTION_SUBJECT_FOREIGN"),
        ({"org": "//320402/organizations/x"}, "ASSERTION_SUBJECT_FOREIGN"),
        ({"act": {"sub": "//110101/staff/x", "actor_kind": "STAFF"}}, "ASSERTION_SUBJECT_FOREIGN"),
        ({"aud": "//341500"}, "TOKEN_INVALID"),
        ({"exp": FromNow(-100), "iat": FromNow(-150)}, "TOKEN_INVALID"),
        ({"exp": FromNow(3_600)}, "TOKEN_INVALID"),
        ({"iat": FromNow(600), "exp": FromNow(660)}, "TOKEN_INVALID"),
        ({"actor_kind": "CLIENT"}, "TOKEN_INVALID"),
        ({"actor_kind": "KING"}, "TOKEN_INVALID"),
        ({"jti": None}, "TOKEN_INVALID"),
        ({"acr": 9.5}, "TOKEN_INVALID"),
        ({"typ": "at+jwt"}, "TOKEN_INVALID"),
        ({"key": new_key("x")}, "TOKEN_INVALID"),
        ({"iss": "https://elsewhere.test"}, "REGION_NOT_TRUSTED"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_forged_assertions_are_refused(federation: Federation, claims: dict[str, Any], reason: str) -> None:
    assert await reason_of(_accepted(federation, _forged(federation, **timed(claims)))) == reason


async def test_a_region_cannot_speak_in_another_regions_name(federation: Federation) -> None:
    # Signed by 六安's own key, but with 天宁's issuer: 天宁 is not on its own list.
    forged = _forged(federation, iss=federation.away.base, sub="//320402/persons/00000000-0000-7000-8000-000000000001")
    assert await reason_of(_accepted(federation, forged)) == "REGION_NOT_TRUSTED"


async def test_a_firm_and_its_mandate_travel_and_are_remembered(federation: Federation) -> None:
    home, away = federation.home, federation.away
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    mandate = (await home.mandate(firm.name, agent, await home.human_token(boss))).name
    acting = await home.exchange(await home.human_token(agent), on_behalf_of=firm.name, mandate=mandate)
    window = await home.at_window(acting, await home.staff_token())
    guest = await _accepted(federation, await _assertion(home, window))
    assert (guest.kind, guest.subject, guest.organization, guest.mandate) == (
        "REGION",
        f"//341500/{agent}",
        f"//341500/{firm.name}",
        f"//341500/{mandate}",
    )
    assert guest.delegate == f"//341500/{home.staff['receiving']}"

    asked = mandate_service_pb2.CheckMandateRequest(
        person=guest.subject,
        principal=guest.organization,
        mandate=guest.mandate,
        item_codes=["ITEM-1", "X"],
        power=options_pb2.MANDATE_POWER_APPLY,
    )
    assert await _check(away, asked) == (True, "ACTING_BASIS_MANDATE", "UNSPECIFIED")
    asked.item_codes[:] = ["ITEM-2"]
    assert (await _check(away, asked))[2] == "MANDATE_OUT_OF_SCOPE"
    asked.item_codes[:] = ["ITEM-1"]
    asked.person = f"//341500/{boss}"
    assert (await _check(away, asked))[2] == "RESOURCE_NOT_FOUND"
    asked.mandate = ""
    assert (await _check(away, asked))[2] == "NOT_LEGAL_REPRESENTATIVE"
    asked.principal = asked.person
    assert await _check(away, asked) == (True, "ACTING_BASIS_SELF", "UNSPECIFIED")
    asked.person = asked.principal = "//110101/persons/00000000-0000-7000-8000-000000000001"
    assert (await _check(away, asked))[2] == "REGION_NOT_TRUSTED"


async def test_a_power_of_a_newer_region_leaves_those_that_are_known(federation: Federation) -> None:
    """A region that is upgraded first asserts powers that this one has no name for: they allow nothing, and forbid nothing."""
    place, later = "//341500/{}/00000000-0000-7000-8000-00000000000a", int(time.time()) + 600
    person, firm, mandate = (place.format(kind) for kind in ("persons", "organizations", "mandates"))
    newer: dict[str, Any] = {"mandate_items": ["*"], "mandate_powers": ["APPLY", "SIGN"], "mandate_exp": later}
    await _accepted(federation, _forged(federation, sub=person, org=firm, mandate=mandate, **newer))
    asked = mandate_service_pb2.CheckMandateRequest(
        person=person, principal=firm, mandate=mandate, item_codes=["X"], power=options_pb2.MANDATE_POWER_APPLY
    )
    assert await _check(federation.away, asked) == (True, "ACTING_BASIS_MANDATE", "UNSPECIFIED")
    asked.power = options_pb2.MANDATE_POWER_PRESENT
    assert (await _check(federation.away, asked))[2] == "MANDATE_OUT_OF_SCOPE"


async def _check(town: Town, request: mandate_service_pb2.CheckMandateRequest) -> tuple[bool, str, str]:
    channel = town.neighbour("cases")
    stub = mandate_grpc.MandateServiceStub(channel)
    answer = mandate_service_pb2.CheckMandateResponse
    found = await invoke(stub.CheckMandate, request, answer, to="identity", token="")
    await channel.close()
    reason = request.DESCRIPTOR.file.pool.FindEnumTypeByName("tongban.errors.v1.ErrorReason")
    basis = mandate_service_pb2.ActingBasis.Name(found.basis)
    return found.allowed, basis, reason.values_by_number[found.reason].name.removeprefix("ERROR_REASON_")


async def _delegated(home: Town) -> tuple[str, str, str]:
    """A delegation that an agent gave at a window; with the mandate and the firm's representative."""
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    mandate = (await home.mandate(firm.name, agent, await home.human_token(boss))).name
    acting = await home.exchange(await home.human_token(agent), on_behalf_of=firm.name, mandate=mandate)
    window = await home.at_window(acting, await home.staff_token())
    kept = await home.exchange(window, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION)
    return kept, mandate, boss


async def _used(home: Town, kept: str, *, audience: str = AWAY, transfer: str = TRANSFER, actor: str = "") -> str:
    return await home.exchange(
        kept,
        DELEGATION,
        actor_token=actor or await _service_token(home),
        actor_token_type=ACCESS_TOKEN,
        audience=audience,
        transfer=transfer,
    )


async def test_a_delegation_gives_fresh_assertions_for_its_transfer_only(federation: Federation) -> None:
    home = federation.home
    kept, mandate, _ = await _delegated(home)
    for _ in range(2):
        guest = await _accepted(federation, await _used(home, kept))
        assert (guest.kind, guest.mandate) == ("REGION", f"//341500/{mandate}")
        assert guest.delegate == "//341500/services/cases"
        assert guest.claims["act"]["act"]["sub"] == f"//341500/{home.staff['receiving']}"
        assert guest.claims["transfer"] == f"//341500/{TRANSFER}"
    other = TRANSFER[:-1] + "2"
    assert await reason_of(_used(home, kept, transfer=other)) == "DELEGATION_MISMATCH"
    person = await home.human_token(await home.person())
    assert await reason_of(_used(home, kept, actor=person)) == "EXCHANGE_NOT_ALLOWED"
    assert await reason_of(federation.away.exchange(kept, ASSERTION)) == "TOKEN_INVALID"


async def test_a_delegation_ends_with_the_mandate(federation: Federation) -> None:
    home = federation.home
    kept, mandate, boss = await _delegated(home)
    revoke = mandate_service_pb2.RevokeMandateRequest(name=mandate, reason="换人", request_id=request_id())
    await home.call(home.mandates.RevokeMandate, revoke, resources_pb2.Mandate, await home.human_token(boss))
    assert await reason_of(_used(home, kept)) == "MANDATE_NOT_ACTIVE"


async def test_a_delegation_is_worthless_while_the_trust_is_suspended(federation: Federation) -> None:
    home, away = federation.home, federation.away
    kept, _, _ = await _delegated(home)
    await _change_trust(home, away, "Suspend", INBOUND, OUTBOUND)
    assert await reason_of(_used(home, kept)) == "REGION_NOT_TRUSTED"
    await _change_trust(home, away, "Resume", INBOUND, OUTBOUND)
    await _used(home, kept)


async def test_a_mandate_ends_by_the_business_clock_that_each_region_goes_by(federation: Federation) -> None:
    # Tokens live by the machine's clock: the end that they carry is the same moment, told by that clock.
    home = federation.home
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    mandate = await home.mandate(firm.name, agent, await home.human_token(boss), seconds=300)
    token = await home.exchange(await home.human_token(agent), on_behalf_of=firm.name, mandate=mandate.name)
    principal = await home.verifier().verify(token)
    assert principal.claims["exp"] == principal.claims["mandate_exp"]
    assert abs(principal.claims["mandate_exp"] - mandate.end_time.seconds) <= 1
