"""What a token says of the key to which it is bound, in each grant and each exchange; and of which client it must be."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.access.bound_keys import not_proven, of_certificate
from libs.errors import Unauthenticated
from services.identity.core import issue
from services.identity.core.claims import ActingRight, ActorKind, Claims, TokenType, from_payload
from services.identity.core.client_rules import ClientKind, check_bound
from services.identity.core.duties import Duty
from services.identity.core.issue import SignIn, StaffFacts, TokenIssue
from services.identity.tokens import rules
from services.identity.tokens.rules import HomeRegion, WindowClerk
from tests.unit.identity.records import client

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
ID = "00000000-0000-7000-8000-00000000000"
BARE = TokenIssue("341500", "https://luan.example", NOW, "1", "2")
BOUND = replace(BARE, key="k")
CERTIFICATE = of_certificate("A" * 43)
BY_CERTIFICATE = replace(BARE, key=CERTIFICATE)
AWAY = TokenIssue("320402", "https://tianning.example", NOW, "3", "4")
MACHINE = client("erp", ClientKind.SYSTEM)
CHANNEL = client("window", ClientKind.CHANNEL, assertable=("PERSON", "STAFF"), max_assurance=4)
STAFF = StaffFacts(f"staff/{ID}1", f"departments/{ID}1", (f"departments/{ID}1/posts/{ID}1",), f"persons/{ID}2")
FIRM = ActingRight(f"organizations/{ID}1")


def _person(made: TokenIssue, channel: Any = CHANNEL) -> Claims:
    return issue.for_person(made, channel, f"persons/{ID}3", SignIn(4, 4), ("a.b.c",))


def _clerk(made: TokenIssue, channel: Any = CHANNEL) -> Claims:
    return issue.for_staff(made, channel, STAFF, ("a.b.c",))


GRANTS: tuple[Callable[[TokenIssue, Any], Claims], ...] = (
    lambda made, machine: issue.for_client(made, machine, ()),
    _person,
    _clerk,
)


@pytest.mark.parametrize("grant", GRANTS)
def test_every_grant_binds_to_the_key_that_was_proven(grant: Callable[[TokenIssue, Any], Claims]) -> None:
    bound = grant(BOUND, CHANNEL)
    assert (bound.bound_key, bound.token_type, bound.payload()["cnf"]) == ("k", "DPoP", {"jkt": "k"})
    bare = grant(BARE, CHANNEL)
    assert (bare.bound_key, bare.token_type, "cnf" in bare.payload()) == ("", "Bearer", False)


@pytest.mark.parametrize("grant", GRANTS)
def test_through_a_client_that_demands_it_nothing_comes_without_one(
    grant: Callable[[TokenIssue, Any], Claims],
) -> None:
    strict = replace(CHANNEL, sender_constraint="DPOP")
    assert grant(BOUND, strict).bound_key == "k"
    with pytest.raises(Unauthenticated) as raised:
        grant(BARE, strict)
    assert (raised.value.reason, raised.value.metadata) == ("POSSESSION_NOT_PROVEN", {"rule": "demanded"})


def test_who_is_not_asked_needs_none() -> None:
    check_bound(MACHINE, "")
    check_bound(MACHINE, "k")


def test_it_is_read_as_it_was_written() -> None:
    made = _person(BOUND)
    assert from_payload(TokenType.ACCESS, made.payload()) == made


@pytest.mark.parametrize("said", [{}, {"jkt": 1}, {"jkt": ""}, {"x5t#S256": "k"}, "k", ["k"]])
def test_what_binds_by_something_else_is_no_token_of_ours(said: object) -> None:
    with pytest.raises(Unauthenticated) as raised:
        from_payload(TokenType.ACCESS, {**_person(BARE).payload(), "cnf": said})
    assert raised.value.metadata == {"rule": "claims"}


def test_a_token_is_shown_by_who_has_its_key_and_a_bearer_s_by_anybody() -> None:
    rules.require_key(_person(BOUND), "k")
    rules.require_key(_person(BARE), "")
    rules.require_key(_person(BARE), "k")
    for other in ("", "l"):
        with pytest.raises(Unauthenticated) as raised:
            rules.require_key(_person(BOUND), other)
        assert raised.value.metadata == not_proven("key", "").metadata


def test_an_exchange_binds_to_the_key_of_who_asks() -> None:
    person, clerk = _person(BOUND), WindowClerk(_clerk(BOUND), frozenset({Duty.RECEIVING}))
    for made, key in ((BOUND, "k"), (BARE, "")):
        assert rules.act_for(made, person, FIRM, ()).bound_key == key
        assert rules.at_window(made, person, clerk, ()).bound_key == key
        assert rules.assertion(made, person, "//320402", ()).bound_key == key


def test_a_delegation_is_for_a_service_which_has_no_key() -> None:
    assert rules.delegation(BOUND, _person(BOUND), "//320402", f"caseTransfers/{ID}1").bound_key == ""


def test_a_guest_s_token_is_bound_to_the_key_that_was_proven_here() -> None:
    word = rules.assertion(BOUND, _person(BOUND), "//320402", ())
    home = HomeRegion("341500", "https://luan.example", 4)
    assert rules.accept(replace(AWAY, key="k"), word, home, ()).bound_key == "k"
    assert rules.accept(AWAY, word, home, ()).actor_kind is ActorKind.PERSON


@pytest.mark.parametrize("grant", GRANTS)
def test_every_grant_binds_to_the_certificate_of_who_came_with_one(
    grant: Callable[[TokenIssue, Any], Claims],
) -> None:
    bound = grant(BY_CERTIFICATE, CHANNEL)
    assert (bound.token_type, bound.payload()["cnf"]) == ("Bearer", {"x5t#S256": "A" * 43})
    assert from_payload(TokenType.ACCESS, bound.payload()) == bound


@pytest.mark.parametrize(
    ("constraint", "bound", "reason"),
    [
        ("MTLS", "", "CERTIFICATE_NOT_PRESENTED"),
        ("MTLS", "k", "CERTIFICATE_NOT_PRESENTED"),
        ("DPOP", "", "POSSESSION_NOT_PROVEN"),
        ("DPOP", CERTIFICATE, "POSSESSION_NOT_PROVEN"),
    ],
)
@pytest.mark.parametrize("grant", GRANTS)
def test_through_a_client_nothing_comes_that_is_bound_otherwise_than_it_demands(
    grant: Callable[[TokenIssue, Any], Claims], constraint: str, bound: str, reason: str
) -> None:
    with pytest.raises(Unauthenticated) as raised:
        grant(replace(BARE, key=bound), replace(CHANNEL, sender_constraint=constraint))
    assert (raised.value.reason, raised.value.metadata) == (reason, {"rule": "demanded"})


def test_a_certificate_is_what_it_is_asked_for() -> None:
    for demanded, bound in (("MTLS", CERTIFICATE), ("DPOP", "k"), ("", CERTIFICATE), ("", "k"), ("", "")):
        check_bound(replace(MACHINE, sender_constraint=demanded), bound)


def test_exchanges_keep_the_certificate() -> None:
    person, clerk = _person(BY_CERTIFICATE), WindowClerk(_clerk(BY_CERTIFICATE), frozenset({Duty.RECEIVING}))
    assert rules.act_for(BY_CERTIFICATE, person, FIRM, ()).bound_key == CERTIFICATE
    assert rules.at_window(BY_CERTIFICATE, person, clerk, ()).bound_key == CERTIFICATE
    word = rules.assertion(BY_CERTIFICATE, person, "//320402", ())
    assert word.payload()["cnf"] == {"x5t#S256": "A" * 43}
    home = HomeRegion("341500", "https://luan.example", 4)
    assert rules.accept(replace(AWAY, key=CERTIFICATE), word, home, ()).bound_key == CERTIFICATE
    assert rules.delegation(BY_CERTIFICATE, person, "//320402", f"caseTransfers/{ID}1").bound_key == ""
