"""Former names of a person go along wherever a token of theirs goes."""

from dataclasses import replace

import pytest

from libs.errors import Unauthenticated
from services.identity.core.claims import ActingRight, Claims, TokenType, from_payload
from services.identity.tokens import rules as exchange
from tests.unit.identity.tokens.test_exchange_rules import CLERK, FIRM, HOME, ID, LUAN, PERSON, TIANNING

BEFORE = f"persons/{ID}a"
MERGED = replace(PERSON, former=(BEFORE,))
HELPED = ActingRight(f"persons/{ID}b", mandate=f"mandates/{ID}2", former=(f"persons/{ID}c",))


def _abroad(subject: Claims) -> Claims:
    made = exchange.assertion(LUAN, subject, TIANNING.home, ("a.b.c",))
    exchange.check_assertion(TIANNING, made, HOME)
    return exchange.accept(TIANNING, made, HOME, ("a.b.c",))


def test_they_go_along_at_the_window_and_when_somebody_is_acted_for() -> None:
    assert exchange.at_window(LUAN, MERGED, CLERK, ("d.e.f",)).former == (BEFORE,)
    acting = exchange.act_for(LUAN, MERGED, FIRM, ("d.e.f",))
    assert (acting.former, acting.authority) == ((BEFORE,), FIRM)


def test_another_region_is_told_them_as_names_of_ours() -> None:
    guest = _abroad(exchange.act_for(LUAN, MERGED, HELPED, ("a.b.c",)))
    assert guest.former == (f"//341500/{BEFORE}",)
    assert guest.authority is not None
    assert guest.authority.former == (f"//341500/persons/{ID}c",)


def test_a_region_speaks_of_its_own_people_only() -> None:
    made = exchange.assertion(LUAN, MERGED, TIANNING.home, ("a.b.c",))
    acting = exchange.assertion(LUAN, exchange.act_for(LUAN, MERGED, HELPED, ()), TIANNING.home, ())
    assert acting.authority is not None
    for foreign in (BEFORE, f"//320402/{BEFORE}"):
        right = replace(acting.authority, former=(foreign,))
        for claims in (replace(made, former=(foreign,)), replace(acting, authority=right)):
            with pytest.raises(Unauthenticated) as refused:
                exchange.check_assertion(TIANNING, claims, HOME)
            assert refused.value.reason == "ASSERTION_SUBJECT_FOREIGN"


def test_what_is_written_is_what_is_read() -> None:
    claims = replace(MERGED, authority=HELPED)
    payload = claims.payload()
    assert (payload["former"], payload["org_former"]) == ([BEFORE], [f"persons/{ID}c"])
    assert from_payload(TokenType.ACCESS, payload) == claims
    assert {"former", "org_former"}.isdisjoint(replace(PERSON, authority=FIRM).payload())
