"""Tokens that are made from tokens: assertions to other regions, guests' tokens, delegations."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.errors import InvalidArgument
from services.identity.core import issue
from services.identity.core.claims import (
    ActingParty,
    ActorKind,
    Claims,
    TokenType,
)
from services.identity.core.client_rules import ClientKind, ClientState
from services.identity.core.issue import TokenIssue
from services.identity.tokens import rules as exchange
from services.identity.tokens.routes import (
    ACCESS_URN,
    ASSERTION_URN,
    DELEGATION_URN,
    AskedExchange,
    ExchangeKind,
    route,
)
from tests.unit.identity.records import client
from tests.unit.identity.tokens.test_tokens import (
    FIRM,
    HOME,
    LUAN,
    NOW,
    SCOPE,
    TIANNING,
    T,
    agent,
    at_window,
    person,
    refusal,
    service,
    staff,
)


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
    assert route(asked) is found


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
        route(asked)
