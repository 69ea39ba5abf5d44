from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, TongbanError
from services.identity.core import issue
from services.identity.core.claims import (
    ActingParty,
    ActingRight,
    ActorKind,
    Claims,
    TokenType,
    check_times,
    from_payload,
)
from services.identity.core.client_rules import ClientKind, ClientState
from services.identity.core.duties import Duty
from services.identity.core.issue import SignIn, StaffFacts, TokenIssue
from services.identity.tokens import rules as exchange
from services.identity.tokens.rules import (
    HomeRegion,
    WindowClerk,
)
from tests.unit.identity.records import client

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
T = int(NOW.timestamp())
LUAN = TokenIssue("341500", "https://luan.example", NOW, "jti-1", "txn-1")
TIANNING = TokenIssue("320402", "https://tianning.example", NOW, "jti-2", "txn-2")
HOME = HomeRegion("341500", "https://luan.example", 4)
SCOPE = ("cases.cases.create", "cases.cases.get")
CHANNEL = client("window", ClientKind.CHANNEL, ClientState.ACTIVE, assertable=("PERSON", "STAFF"), max_assurance=4)
FACTS = StaffFacts(
    "staff/00000000-0000-7000-8000-c40dc72b0228",
    "departments/00000000-0000-7000-8000-3cbaeb57c640",
    ("departments/00000000-0000-7000-8000-3cbaeb57c640/posts/window",),
    "persons/00000000-0000-7000-8000-c40dc72b0228",
    ("organizations/00000000-0000-7000-8000-8d9001d32c6a",),
)
FIRM = ActingRight(
    "organizations/00000000-0000-7000-8000-3f62550731d9",
    "91350100M000100Y43",
    "mandates/00000000-0000-7000-8000-62c66a7a5dd7",
    ("ITEM-1",),
    ("APPLY",),
    T + 86_400,
)
person = issue.for_person(LUAN, CHANNEL, "persons/00000000-0000-7000-8000-d4f0bc5a29de", SignIn(4, 4), SCOPE)
staff = issue.for_staff(LUAN, CHANNEL, FACTS, ("cases.cases.accept",))
service = issue.for_service(LUAN, "cases", ("cases.*",))
clerk = WindowClerk(staff, frozenset({Duty.RECEIVING}))
agent = exchange.act_for(LUAN, person, FIRM, SCOPE)
at_window = exchange.at_window(LUAN, agent, clerk, SCOPE)


def refusal(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(TongbanError) as caught:
        act()
    return caught.value.reason, caught.value.metadata.get("rule", "")


def test_a_person_gets_a_token_by_a_channel() -> None:
    assert person.payload() == {
        "iss": "https://luan.example",
        "sub": "persons/00000000-0000-7000-8000-d4f0bc5a29de",
        "aud": "//341500",
        "iat": T,
        "exp": T + 600,
        "jti": "jti-1",
        "actor_kind": "PERSON",
        "acr": "4",
        "scope": "cases.cases.create cases.cases.get",
        "client_id": "window",
    }


@pytest.mark.parametrize(("account", "session", "ceiling", "acr"), [(4, 4, 2, 2), (1, 4, 4, 1), (4, 1, 4, 1)])
def test_the_lowest_assurance_counts(account: int, session: int, ceiling: int, acr: int) -> None:
    kiosk = replace(CHANNEL, max_assurance=ceiling)
    assert (
        issue.for_person(LUAN, kiosk, "persons/00000000-0000-7000-8000-148de9c5a7a4", SignIn(account, session), ()).acr
        == acr
    )


def test_staff_machines_and_services_get_tokens() -> None:
    assert (staff.sub, staff.dept, staff.posts) == (FACTS.name, FACTS.department, FACTS.posts)
    machine = client("erp", ClientKind.SYSTEM, ClientState.ACTIVE)
    token = issue.for_client(LUAN, machine, SCOPE)
    assert (token.sub, token.client_id, token.actor_kind) == ("clients/erp", "erp", ActorKind.CLIENT)
    assert (service.sub, service.actor_kind) == ("services/cases", ActorKind.SERVICE)
    assert (
        refusal(lambda: issue.for_client(LUAN, replace(machine, state=ClientState.SUSPENDED), ()))[0]
        == "CLIENT_NOT_ACTIVE"
    )
    deaf = replace(CHANNEL, assertable=())
    assert (
        refusal(lambda: issue.for_person(LUAN, deaf, "persons/00000000-0000-7000-8000-148de9c5a7a4", SignIn(4, 4), ()))[
            0
        ]
        == "CLIENT_MAY_NOT_ASSERT"
    )
    with pytest.raises(FailedPrecondition, match="STAFF_NOT_ACTIVE"):
        issue.for_staff(LUAN, CHANNEL, replace(FACTS, posts=()), ())


@pytest.mark.parametrize(("session", "ceiling", "acr"), [(4, 4, 4), (1, 4, 1), (4, 2, 2)])
def test_staff_are_known_no_better_than_the_session_says(session: int, ceiling: int, acr: int) -> None:
    assert issue.for_staff(LUAN, replace(CHANNEL, max_assurance=ceiling), FACTS, (), SignIn(4, session)).acr == acr


@pytest.mark.parametrize(("configured", "lives"), [(60, 60), (600, 600), (86_400, 600)])
def test_no_configuration_makes_access_tokens_live_longer_than_ten_minutes(configured: int, lives: int) -> None:
    assert issue.for_service(replace(LUAN, access_seconds=configured), "seal", ()).lifetime == lives


def test_every_claim_survives_the_payload() -> None:
    asserted = exchange.assertion(LUAN, at_window, "//320402", SCOPE, service)
    kept = exchange.delegation(LUAN, at_window, "//320402", "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a")
    guest = exchange.accept(TIANNING, asserted, HOME, SCOPE)
    for token in (person, staff, service, agent, at_window, asserted, kept, guest):
        assert from_payload(token.type, token.payload()) == token


@pytest.mark.parametrize(
    "change",
    [
        {"sub": None},
        {"exp": "soon"},
        {"exp": True},
        {"actor_kind": "GOD"},
        {"acr": 4},
        {"acr": "x"},
        {"posts": "p"},
        {"act": "staff/00000000-0000-7000-8000-043a718774c5"},
        {"act": {"sub": "staff/00000000-0000-7000-8000-043a718774c5"}},
        {"org": 5},
        {"posts": [1]},
    ],
)
def test_a_payload_of_another_shape_is_refused(change: dict[str, object]) -> None:
    assert refusal(lambda: from_payload(TokenType.ACCESS, {**person.payload(), **change})) == (
        "TOKEN_INVALID",
        "claims",
    )


def test_acting_for_a_firm_keeps_the_person_and_ends_with_the_first_of_its_roots() -> None:
    assert (agent.sub, agent.actor_kind, agent.authority, agent.acr) == (
        "persons/00000000-0000-7000-8000-d4f0bc5a29de",
        ActorKind.PERSON,
        FIRM,
        4,
    )
    assert agent.payload()["org"] == "organizations/00000000-0000-7000-8000-3f62550731d9"
    later = replace(LUAN, now=NOW + timedelta(minutes=9))
    assert exchange.act_for(later, person, FIRM, SCOPE).exp == person.exp
    assert exchange.act_for(LUAN, person, replace(FIRM, expire=T + 5), SCOPE).exp == T + 5
    assert refusal(lambda: exchange.act_for(LUAN, person, replace(FIRM, expire=T), SCOPE)) == ("TOKEN_INVALID", "exp")


def test_only_a_person_of_this_region_acts_and_only_for_one() -> None:
    not_allowed = "EXCHANGE_NOT_ALLOWED"
    assert refusal(lambda: exchange.act_for(LUAN, staff, FIRM, ())) == (not_allowed, "person")
    assert refusal(lambda: exchange.act_for(LUAN, agent, FIRM, ())) == (not_allowed, "already_acting")
    assert refusal(lambda: exchange.act_for(LUAN, replace(person, region="320402"), FIRM, ())) == (not_allowed, "guest")


def test_window_staff_act_for_the_person_and_stay_visible() -> None:
    assert at_window.actor_kind is ActorKind.STAFF
    assert at_window.sub == "persons/00000000-0000-7000-8000-d4f0bc5a29de"
    assert at_window.act == ActingParty(
        "staff/00000000-0000-7000-8000-c40dc72b0228",
        ActorKind.STAFF,
        "departments/00000000-0000-7000-8000-3cbaeb57c640",
    )
    assert (at_window.authority, at_window.dept, at_window.scope) == (
        FIRM,
        "departments/00000000-0000-7000-8000-3cbaeb57c640",
        SCOPE,
    )


@pytest.mark.parametrize(
    ("subject", "who", "expected"),
    [
        (staff, clerk, ("EXCHANGE_NOT_ALLOWED", "person")),
        (at_window, clerk, ("EXCHANGE_NOT_ALLOWED", "already_acting")),
        (person, replace(clerk, token=person), ("EXCHANGE_NOT_ALLOWED", "staff")),
        (person, replace(clerk, token=at_window), ("EXCHANGE_NOT_ALLOWED", "staff")),
        (person, replace(clerk, duties=frozenset({Duty.DECIDING})), ("EXCHANGE_NOT_ALLOWED", "duty")),
        (
            person,
            replace(clerk, token=replace(staff, human="persons/00000000-0000-7000-8000-d4f0bc5a29de")),
            ("ACTING_ON_SELF", ""),
        ),
        (
            person,
            replace(clerk, token=replace(staff, near=("persons/00000000-0000-7000-8000-d4f0bc5a29de",))),
            ("ACTING_ON_SELF", ""),
        ),
        (person, replace(clerk, token=replace(staff, near=("*",))), ("ACTING_ON_SELF", "")),
        (
            agent,
            replace(clerk, token=replace(staff, near=("organizations/00000000-0000-7000-8000-3f62550731d9",))),
            ("ACTING_ON_SELF", ""),
        ),
    ],
)
def test_who_may_not_act_at_a_window(subject: Claims, who: WindowClerk, expected: tuple[str, str]) -> None:
    assert refusal(lambda: exchange.at_window(LUAN, subject, who, SCOPE)) == expected


def test_nobody_acts_at_their_own_window_for_whom_they_represent() -> None:
    standing = exchange.at_window(LUAN, person, clerk, SCOPE)
    shop = replace(FIRM, principal="organizations/00000000-0000-7000-8000-8d9001d32c6a")
    assert refusal(lambda: exchange.act_for(LUAN, standing, shop, SCOPE)) == ("ACTING_ON_SELF", "")
    acting = exchange.act_for(LUAN, standing, FIRM, SCOPE)
    assert (acting.human, acting.near) == (
        "persons/00000000-0000-7000-8000-c40dc72b0228",
        ("organizations/00000000-0000-7000-8000-8d9001d32c6a",),
    )


def test_the_human_being_behind_staff_goes_with_every_token() -> None:
    for made in (staff, at_window):
        assert (made.human, made.near) == (
            "persons/00000000-0000-7000-8000-c40dc72b0228",
            ("organizations/00000000-0000-7000-8000-8d9001d32c6a",),
        )
    asserted = exchange.assertion(LUAN, staff, "//320402", SCOPE)
    assert (asserted.human, asserted.near) == ("//341500/persons/00000000-0000-7000-8000-c40dc72b0228", ())
    there = replace(LUAN, region="320402", issuer="https://there.example")
    guest = exchange.accept(there, asserted, HOME, ())
    assert guest.human == "//341500/persons/00000000-0000-7000-8000-c40dc72b0228"
    stranger = replace(asserted, human="//330000/persons/00000000-0000-7000-8000-d9298a10d1b0")
    assert refusal(lambda: exchange.check_assertion(there, stranger, HOME))[0] == "ASSERTION_SUBJECT_FOREIGN"
    kept = exchange.delegation(LUAN, staff, "//320402", "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a")
    assert kept.human == "persons/00000000-0000-7000-8000-c40dc72b0228"


def test_those_near_to_staff_are_named_up_to_what_a_token_holds() -> None:
    assert issue.named_near(["persons/00000000-0000-7000-8000-ca978112ca1b"]) == (
        "persons/00000000-0000-7000-8000-ca978112ca1b",
    )
    assert issue.named_near(["persons/00000000-0000-7000-8000-ca978112ca1b"] * 51) == ("*",)


def test_clocks_may_differ_a_little() -> None:
    check_times(person, NOW + timedelta(seconds=659))
    check_times(person, NOW - timedelta(seconds=60))
    assert refusal(lambda: check_times(person, NOW + timedelta(seconds=660))) == ("TOKEN_INVALID", "exp")
