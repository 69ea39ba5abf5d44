from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, TongbanError
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
    ACCESS_URN,
    ASSERTION_URN,
    DELEGATION_URN,
    AskedExchange,
    ExchangeKind,
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


def test_an_assertion_names_everybody_in_full_and_lives_a_minute() -> None:
    made = exchange.assertion(LUAN, at_window, "//320402", SCOPE, service)
    assert (made.type, made.aud, made.lifetime, made.scope) == (TokenType.ASSERTION, "//320402", 60, SCOPE)
    assert made.sub == "//341500/persons/00000000-0000-7000-8000-d4f0bc5a29de"
    assert made.actor_kind is ActorKind.SERVICE
    clerk_before = ActingParty(
        "//341500/staff/00000000-0000-7000-8000-c40dc72b0228",
        ActorKind.STAFF,
        "//341500/departments/00000000-0000-7000-8000-3cbaeb57c640",
    )
    assert made.act == ActingParty("//341500/services/cases", ActorKind.SERVICE, act=clerk_before)
    assert made.authority is not None
    assert made.authority.principal == "//341500/organizations/00000000-0000-7000-8000-3f62550731d9"
    assert made.authority.mandate == "//341500/mandates/00000000-0000-7000-8000-62c66a7a5dd7"
    assert made.authority.uscc == FIRM.uscc


def test_an_assertion_does_not_outlive_its_token() -> None:
    late = replace(LUAN, now=NOW + timedelta(seconds=590))
    assert exchange.assertion(late, person, "//320402", SCOPE).exp == person.exp


def test_guests_and_clients_are_not_asserted() -> None:
    machine = issue.for_client(LUAN, client("erp", ClientKind.SYSTEM, ClientState.ACTIVE), ())
    guest = replace(person, region="320402")
    for make in (
        lambda token: exchange.assertion(LUAN, token, "//320402", SCOPE),
        lambda token: exchange.delegation(
            LUAN, token, "//320402", "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a"
        ),
    ):
        assert refusal(lambda make=make: make(machine)) == ("EXCHANGE_NOT_ALLOWED", "client")  # type: ignore[misc]
        assert refusal(lambda make=make: make(guest)) == ("EXCHANGE_NOT_ALLOWED", "guest")  # type: ignore[misc]
    assert refusal(lambda: exchange.assertion(LUAN, person, "//320402", SCOPE, staff)) == (
        "EXCHANGE_NOT_ALLOWED",
        "service",
    )


def test_a_trusted_regions_assertion_becomes_a_guests_token() -> None:
    asserted = exchange.assertion(LUAN, agent, "//320402", SCOPE)
    exchange.check_assertion(TIANNING, asserted, HOME)
    guest = exchange.accept(TIANNING, asserted, replace(HOME, max_assurance=3), SCOPE)
    assert (guest.sub, guest.aud, guest.iss) == (
        "//341500/persons/00000000-0000-7000-8000-d4f0bc5a29de",
        "//320402",
        "https://tianning.example",
    )
    assert (guest.actor_kind, guest.region, guest.acr, guest.lifetime) == (ActorKind.PERSON, "341500", 3, 600)
    assert guest.authority is not None
    assert guest.authority.items == ("ITEM-1",)


@pytest.mark.parametrize(("subject", "via"), [(staff, None), (service, None), (person, service), (staff, service)])
def test_what_is_no_person_acts_as_the_region(subject: Claims, via: Claims | None) -> None:
    asserted = exchange.assertion(LUAN, subject, "//320402", SCOPE, via)
    exchange.check_assertion(TIANNING, asserted, HOME)
    assert exchange.accept(TIANNING, asserted, HOME, ()).actor_kind is ActorKind.REGION


ASSERTED = exchange.assertion(LUAN, at_window, "//320402", SCOPE, service)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"iss": "https://evil.example"}, ("TOKEN_INVALID", "iss")),
        ({"aud": "//310000"}, ("TOKEN_INVALID", "aud")),
        ({"iat": T - 120, "exp": T - 60}, ("TOKEN_INVALID", "exp")),
        ({"iat": T + 61}, ("TOKEN_INVALID", "iat")),
        ({"nbf": T + 61}, ("TOKEN_INVALID", "nbf")),
        ({"exp": T + 61}, ("TOKEN_INVALID", "lifetime")),
        ({"iat": T, "exp": T}, ("TOKEN_INVALID", "lifetime")),
        ({"actor_kind": ActorKind.CLIENT}, ("TOKEN_INVALID", "kind")),
        ({"actor_kind": ActorKind.REGION}, ("TOKEN_INVALID", "kind")),
        ({"sub": "//320402/persons/00000000-0000-7000-8000-1bdd5b5b92e2"}, ("ASSERTION_SUBJECT_FOREIGN", "")),
        ({"sub": "persons/00000000-0000-7000-8000-1bdd5b5b92e2"}, ("ASSERTION_SUBJECT_FOREIGN", "")),
        ({"sub": "//3415001/persons/00000000-0000-7000-8000-2d711642b726"}, ("ASSERTION_SUBJECT_FOREIGN", "")),
        ({"authority": replace(FIRM, mandate="")}, ("ASSERTION_SUBJECT_FOREIGN", "")),
        (
            {
                "act": ActingParty(
                    "//341500/services/cases",
                    ActorKind.SERVICE,
                    act=ActingParty("staff/00000000-0000-7000-8000-2d711642b726", ActorKind.STAFF),
                )
            },
            ("ASSERTION_SUBJECT_FOREIGN", ""),
        ),
        ({"transfer": "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a"}, ("ASSERTION_SUBJECT_FOREIGN", "")),
    ],
)
def test_a_bad_assertion_is_refused(change: dict[str, object], expected: tuple[str, str]) -> None:
    bad = replace(ASSERTED, **change)  # type: ignore[arg-type]
    assert refusal(lambda: exchange.check_assertion(TIANNING, bad, HOME)) == expected


def test_a_delegation_gives_fresh_assertions_for_its_transfer_only() -> None:
    kept = exchange.delegation(LUAN, at_window, "//320402", "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a")
    assert (kept.type, kept.aud, kept.scope) == (TokenType.DELEGATION, "//341500", ())
    assert kept.exp == FIRM.expire
    hours_later = replace(LUAN, now=NOW + timedelta(hours=20), jti="jti-9")
    fresh = exchange.use_delegation(
        hours_later, kept, service, "//320402", "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a", SCOPE
    )
    assert (fresh.type, fresh.lifetime, fresh.jti) == (TokenType.ASSERTION, 60, "jti-9")
    assert (fresh.sub, fresh.transfer) == (
        "//341500/persons/00000000-0000-7000-8000-d4f0bc5a29de",
        "//341500/caseTransfers/00000000-0000-7000-8000-e3b98a4da31a",
    )
    assert fresh.act is not None
    assert (fresh.act.sub, fresh.act.act) == (
        "//341500/services/cases",
        ActingParty(
            "//341500/staff/00000000-0000-7000-8000-c40dc72b0228",
            ActorKind.STAFF,
            "//341500/departments/00000000-0000-7000-8000-3cbaeb57c640",
        ),
    )
    received = replace(TIANNING, now=hours_later.now)
    exchange.check_assertion(received, fresh, HOME)
    guest = exchange.accept(received, fresh, HOME, ())
    assert (guest.actor_kind, guest.transfer) == (
        ActorKind.REGION,
        "//341500/caseTransfers/00000000-0000-7000-8000-e3b98a4da31a",
    )


def test_a_delegation_lives_ninety_days_at_most() -> None:
    assert (
        exchange.delegation(LUAN, person, "//320402", "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a").lifetime
        == 90 * 86_400
    )


def test_a_delegation_is_good_for_nothing_else() -> None:
    kept = exchange.delegation(LUAN, at_window, "//320402", "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a")

    def use(
        token: Claims = kept,
        by: Claims = service,
        to: str = "//320402",
        transfer: str = "caseTransfers/00000000-0000-7000-8000-e3b98a4da31a",
        at: TokenIssue = LUAN,
    ) -> Callable[[], Claims]:
        return lambda: exchange.use_delegation(at, token, by, to, transfer, SCOPE)

    assert refusal(use(transfer="caseTransfers/00000000-0000-7000-8000-0bfe935e70c3"))[0] == "DELEGATION_MISMATCH"
    assert refusal(use(to="//310000"))[0] == "DELEGATION_MISMATCH"
    assert refusal(use(by=staff)) == ("EXCHANGE_NOT_ALLOWED", "service")
    assert refusal(use(at=TIANNING)) == ("TOKEN_INVALID", "aud")
    assert refusal(use(at=replace(LUAN, now=NOW + timedelta(days=2)))) == ("TOKEN_INVALID", "exp")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (AskedExchange(ACCESS_URN, abroad=True), ExchangeKind.ASSERT),
        (AskedExchange(ACCESS_URN, ASSERTION_URN, abroad=True, actor=True), ExchangeKind.ASSERT),
        (AskedExchange(ASSERTION_URN), ExchangeKind.ACCEPT),
        (AskedExchange(ACCESS_URN, on_behalf_of=True), ExchangeKind.ACT_FOR),
        (AskedExchange(ACCESS_URN, ACCESS_URN, actor=True), ExchangeKind.AT_WINDOW),
        (AskedExchange(ACCESS_URN, DELEGATION_URN, abroad=True, transfer=True), ExchangeKind.DELEGATE),
        (AskedExchange(DELEGATION_URN, abroad=True, actor=True, transfer=True), ExchangeKind.USE_DELEGATION),
    ],
)
def test_an_exchange_is_told_by_its_fields(asked: AskedExchange, found: ExchangeKind) -> None:
    assert exchange.route(asked) is found


@pytest.mark.parametrize(
    "asked",
    [
        AskedExchange(ACCESS_URN),
        AskedExchange(ACCESS_URN, ACCESS_URN, abroad=True),
        AskedExchange(ASSERTION_URN, abroad=True),
        AskedExchange(ASSERTION_URN, actor=True),
        AskedExchange(DELEGATION_URN, abroad=True, transfer=True),
        AskedExchange(DELEGATION_URN, ACCESS_URN, actor=True, transfer=True),
        AskedExchange(ACCESS_URN, DELEGATION_URN, abroad=True),
        AskedExchange(ACCESS_URN, on_behalf_of=True, actor=True),
        AskedExchange(ACCESS_URN, abroad=True, on_behalf_of=True),
    ],
)
def test_other_fields_make_no_exchange(asked: AskedExchange) -> None:
    with pytest.raises(InvalidArgument, match="EXCHANGE_NOT_SUPPORTED"):
        exchange.route(asked)


def test_clocks_may_differ_a_little() -> None:
    check_times(person, NOW + timedelta(seconds=659))
    check_times(person, NOW - timedelta(seconds=60))
    assert refusal(lambda: check_times(person, NOW + timedelta(seconds=660))) == ("TOKEN_INVALID", "exp")
