"""A refusal of the identity service names the thing, the field and the rule; what is just within is taken."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.errors import InvalidArgument, TongbanError
from services.identity.accounts.rules import OrganizationKind, check_kind
from services.identity.consents import rules as consents
from services.identity.core import approval, assurance, client_rules, duties, issue, trust
from services.identity.core import mandate_rules as mandates
from services.identity.core.assurance import VerificationMethod
from services.identity.core.client_rules import ClientAuthMethod, ClientKind, ClientState
from services.identity.core.duties import Assignment, Duty
from services.identity.core.issue import StaffFacts, TokenIssue
from services.identity.core.mandate_rules import MandatePower, MandateState
from services.identity.tokens.routes import ACCESS_URN, AskedExchange, route
from tests.unit.identity.records import NOW, client, consent, mandate

SECOND = timedelta(seconds=1)
AGENT, FIRM = "persons/agent", "organizations/firm"
MANDATE = mandates.grant(mandate(principal=FIRM, agent=AGENT, item_codes=("A",)), NOW)
CONSENT = consent(subject=FIRM, recipient="//320402", resources=("licenses/-",))
SYSTEM = client("erp", ClientKind.SYSTEM)
WAITING = replace(SYSTEM, state=ClientState.REQUESTED)
GONE = replace(SYSTEM, state=ClientState.SUSPENDED)
REGION = "regions/320402"
LUAN = TokenIssue("341500", "https://luan.example", NOW, "1", "2")
CHANNEL = client("window", ClientKind.CHANNEL, assertable=("STAFF",), max_assurance=4)


@pytest.mark.parametrize(
    ("call", "reason", "metadata"),
    [
        (
            lambda: mandates.accept(MANDATE, AGENT, NOW),
            "STATE_CONFLICT",
            {"resource": "mandates/m", "state": "ACTIVE", "allowed": "PROPOSED"},
        ),
        (
            lambda: mandates.revoke(replace(MANDATE, state=MandateState.REVOKED), "", NOW),
            "STATE_CONFLICT",
            {"resource": "mandates/m", "state": "REVOKED", "allowed": "PROPOSED,ACTIVE"},
        ),
        (lambda: mandates.accept(MANDATE, "persons/1", NOW), "MANDATE_WRONG_AGENT", {"mandate": "mandates/m"}),
        (
            lambda: mandates.check_acting(MANDATE, person=AGENT, principal="persons/1", now=NOW),
            "MANDATE_WRONG_PRINCIPAL",
            {"mandate": "mandates/m"},
        ),
        (
            lambda: mandates.check_item("mandates/m", MANDATE.scope, ["B"], MandatePower.APPLY),
            "MANDATE_OUT_OF_SCOPE",
            {"mandate": "mandates/m"},
        ),
        (lambda: mandates.basis_without(AGENT, FIRM, ""), "NOT_LEGAL_REPRESENTATIVE", {"organization": FIRM}),
        (
            lambda: consents.withdraw(consents.withdraw(CONSENT, NOW), NOW),
            "STATE_CONFLICT",
            {"resource": "consents/c", "state": "WITHDRAWN", "allowed": "ACTIVE"},
        ),
        (
            lambda: consents.check_use(
                CONSENT, consents.ConsentUse(FIRM, "//320402", [], "LICENSE_CHECK"), NOW - SECOND
            ),
            "CONSENT_NOT_ACTIVE",
            {"consent": "consents/c", "state": "ACTIVE"},
        ),
        (
            lambda: consents.check_use(CONSENT, consents.ConsentUse(AGENT, "//320402", [], "LICENSE_CHECK"), NOW),
            "CONSENT_OUT_OF_SCOPE",
            {"consent": "consents/c"},
        ),
        (lambda: client_rules.check_active(GONE), "CLIENT_NOT_ACTIVE", {"client": "clients/erp"}),
        (lambda: client_rules.check_active(WAITING), "CLIENT_NOT_ACTIVE", {"client": "clients/erp"}),
        (
            lambda: client_rules.check_assertion(SYSTEM, "PERSON", NOW),
            "CLIENT_MAY_NOT_ASSERT",
            {"client": "clients/erp", "actor_kind": "PERSON"},
        ),
        (
            lambda: client_rules.suspend(GONE),
            "STATE_CONFLICT",
            {"resource": "clients/erp", "state": "SUSPENDED", "allowed": "ACTIVE,REQUESTED"},
        ),
        (
            lambda: client_rules.resume(WAITING),
            "STATE_CONFLICT",
            {"resource": "clients/erp", "state": "REQUESTED", "allowed": "SUSPENDED"},
        ),
        (
            lambda: duties.check_post([Duty.AUDITING, Duty.DATA, Duty.REVIEWING]),
            "DUTIES_CONFLICT",
            {"held": "REVIEWING", "wanted": "AUDITING"},
        ),
        (
            lambda: trust.activate(REGION, trust.OVER),
            "STATE_CONFLICT",
            {"resource": REGION, "state": "ENDED", "allowed": "PROPOSED"},
        ),
        *(
            (
                lambda change=change: change(REGION, trust.OVER),
                "STATE_CONFLICT",
                {"resource": REGION, "state": "ENDED", "allowed": "PROPOSED,ACTIVE"},
            )
            for change in (trust.end, trust.require_lasting)
        ),
        (
            lambda: trust.resume(REGION, trust.BEGUN, trust.TrustDirection.INBOUND),
            "STATE_CONFLICT",
            {"resource": REGION, "state": "OPEN", "allowed": "SUSPENDED"},
        ),
        (lambda: approval.approved_by((), "", "CLIENT"), "ACTOR_NOT_ALLOWED", {"actor_kind": "CLIENT"}),
        (lambda: approval.approved_by(("a", "b"), "b", "STAFF"), "ACTING_ON_SELF", {}),
        (
            lambda: assurance.check_verifier(VerificationMethod.IN_PERSON, "CLIENT", (), AGENT, founding=False),
            "ACTOR_NOT_ALLOWED",
            {"actor_kind": "CLIENT"},
        ),
        (
            lambda: issue.for_staff(LUAN, CHANNEL, StaffFacts("staff/1", "departments/1", (), AGENT), ()),
            "STAFF_NOT_ACTIVE",
            {"staff": "staff/1"},
        ),
        (
            lambda: route(AskedExchange(ACCESS_URN)),
            "EXCHANGE_NOT_SUPPORTED",
            {"rule": "combination"},
        ),
    ],
)
def test_a_refusal_names_what_it_is_about(call: Callable[[], object], reason: str, metadata: dict[str, str]) -> None:
    with pytest.raises(TongbanError) as refused:
        call()
    assert (refused.value.reason, refused.value.metadata) == (reason, metadata)
    assert refused.value.message.strip()


def credentials(kind: ClientKind, auth: ClientAuthMethod, *, keys: bool, right: bool) -> None:
    client_rules.check_credentials(kind, auth, has_keys=keys, has_assertion_right=right)


@pytest.mark.parametrize(
    ("call", "field", "rule"),
    [
        (lambda: consents.check_term(NOW, NOW, NOW), "consent.end_time", "term.order"),
        (
            lambda: consents.check_term(NOW, NOW + consents.LONGEST_TERM + SECOND, NOW),
            "consent.end_time",
            "term.length",
        ),
        (
            lambda: mandates.grant(
                mandate(principal=FIRM, agent=AGENT, all_items=True, expire_time=NOW + mandates.LONGEST_TERM + SECOND),
                NOW,
            ),
            "mandate.end_time",
            "term.length",
        ),
        (
            lambda: credentials(ClientKind.SYSTEM, ClientAuthMethod.CLIENT_SECRET, keys=True, right=False),
            "client.jwks",
            "client.keys",
        ),
        (
            lambda: credentials(ClientKind.CHANNEL, ClientAuthMethod.CLIENT_SECRET, keys=False, right=True),
            "client.auth_method",
            "client.channel_auth",
        ),
        (
            lambda: credentials(ClientKind.PARTNER, ClientAuthMethod.CLIENT_SECRET, keys=False, right=True),
            "client.assertion_right",
            "client.assertion",
        ),
        (
            lambda: duties.check_assignment([], Assignment("p", frozenset(), NOW, NOW)),
            "end_time",
            "term.order",
        ),
        (lambda: check_kind("11", OrganizationKind.ENTERPRISE), "organization.kind", "uscc.kind"),
    ],
)
def test_a_field_is_named_with_its_rule(call: Callable[[], object], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        call()
    assert [(each.field, each.rule) for each in refused.value.violations] == [(field, rule)]
    assert all(each.description.strip() for each in refused.value.violations)


def test_what_is_just_within_is_taken() -> None:
    longest = mandate(principal=FIRM, agent=AGENT, all_items=True, expire_time=NOW + mandates.LONGEST_TERM)
    assert mandates.grant(longest, NOW).state is MandateState.ACTIVE
    assert mandates.grant(replace(longest, expire_time=NOW + SECOND), NOW).accept_time == NOW
    consents.check_term(NOW, NOW + SECOND, NOW)
    consents.check_term(NOW, NOW + consents.LONGEST_TERM, NOW)
    duties.check_assignment([], Assignment("p", frozenset(), NOW, NOW + SECOND))
    consents.check_use(
        CONSENT, consents.ConsentUse(FIRM, "//320402/clients/hall", ["licenses/1"], "LICENSE_CHECK"), NOW
    )
    assert mandates.revoke(replace(MANDATE, state=MandateState.PROPOSED), "", NOW).state is MandateState.REVOKED


def test_the_first_channel_of_a_region_waits_for_nobody() -> None:
    assert client_rules.first_state(ClientKind.CHANNEL, founding=True) is ClientState.ACTIVE
    assert client_rules.first_state(ClientKind.CHANNEL, founding=False) is ClientState.REQUESTED
    assert client_rules.first_state(ClientKind.SYSTEM, founding=False) is ClientState.ACTIVE
    assert client_rules.suspend(WAITING) is ClientState.SUSPENDED


@pytest.mark.parametrize(
    ("held", "two"),
    [
        ([], False),
        ([Duty.RECEIVING, Duty.REVIEWING], False),
        ([Duty.DECIDING, Duty.DATA], False),
        ([Duty.RECEIVING, Duty.SEAL_CUSTODY], True),
        ([Duty.ADMINISTRATION], True),
        ([Duty.AUDITING], True),
    ],
)
def test_what_makes_others_able_takes_two(held: list[Duty], two: bool) -> None:
    assert duties.makes_able(held) is two
