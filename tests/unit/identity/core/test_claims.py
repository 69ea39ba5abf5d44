"""What a token's payload may hold, and for how long each type of token lives."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.errors import Unauthenticated
from services.identity.core.claims import (
    ActingParty,
    ActingRight,
    ActorKind,
    Claims,
    IdentityClaim,
    TokenType,
    check_times,
    from_payload,
)

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
T = int(NOW.timestamp())
LEAST = Claims(
    type=TokenType.ACCESS,
    iss="https://luan.example",
    sub="persons/1",
    aud="//341500",
    iat=T,
    exp=T + 600,
    jti="1",
    actor_kind=ActorKind.PERSON,
)
PLAIN: dict[str, Any] = {
    "iss": "https://luan.example",
    "sub": "persons/1",
    "aud": "//341500",
    "iat": T,
    "exp": T + 600,
    "jti": "1",
    "actor_kind": "PERSON",
    "acr": "0",
}
WHOLE = replace(
    LEAST,
    acr=3,
    auth_time=T - 9,
    delegated=T - 5,
    scope=("a.b.c", "d.*"),
    client_id="hall",
    act=ActingParty("services/cases", ActorKind.SERVICE, act=ActingParty("staff/1", ActorKind.STAFF, "departments/1")),
    authority=ActingRight("organizations/1", "91350100M000100Y43", "mandates/1", ("ITEM",), ("APPLY",), T + 9),
    dept="departments/1",
    posts=("posts/1",),
    human="persons/2",
    near=("persons/3",),
    via=("window",),
    region="320402",
    target="//320402",
    transfer="caseTransfers/1",
    nbf=T - 1,
    txn="2",
    stated=(IdentityClaim("persons/1", "张三三", "111", "1"), IdentityClaim("organizations/1", "商行", "001", "2")),
)


def test_what_is_empty_is_left_out_of_a_payload() -> None:
    assert LEAST.payload() == PLAIN
    assert from_payload(TokenType.ACCESS, PLAIN) == LEAST


def test_a_whole_payload_is_written_in_the_words_of_the_standards() -> None:
    assert WHOLE.payload() == {
        **PLAIN,
        "acr": "3",
        "auth_time": T - 9,
        "delegated": T - 5,
        "scope": "a.b.c d.*",
        "client_id": "hall",
        "act": {
            "sub": "services/cases",
            "actor_kind": "SERVICE",
            "act": {"sub": "staff/1", "actor_kind": "STAFF", "dept": "departments/1"},
        },
        "org": "organizations/1",
        "org_uscc": "91350100M000100Y43",
        "mandate": "mandates/1",
        "mandate_items": ["ITEM"],
        "mandate_powers": ["APPLY"],
        "mandate_exp": T + 9,
        "dept": "departments/1",
        "posts": ["posts/1"],
        "human": "persons/2",
        "near": ["persons/3"],
        "via": ["window"],
        "region": "320402",
        "target": "//320402",
        "transfer": "caseTransfers/1",
        "nbf": T - 1,
        "txn": "2",
        "ids": [
            {"sub": "persons/1", "name": "张三三", "document": "111", "number": "1"},
            {"sub": "organizations/1", "name": "商行", "document": "001", "number": "2"},
        ],
    }
    for token_type in TokenType:
        told = replace(WHOLE, type=token_type)
        assert from_payload(token_type, told.payload()) == told


def test_who_represents_a_firm_by_law_needs_no_mandate() -> None:
    by_law = replace(LEAST, authority=ActingRight("organizations/1"))
    assert by_law.payload() == {**PLAIN, "org": "organizations/1"}
    assert from_payload(TokenType.ACCESS, by_law.payload()) == by_law


def test_who_acts_is_told_the_last_first() -> None:
    assert [each.sub for each in WHOLE.actors()] == ["services/cases", "staff/1"]
    assert list(LEAST.actors()) == []


def acting(depth: int) -> dict[str, Any]:
    inner = {"act": acting(depth - 1)} if depth > 1 else {}
    return {"sub": f"staff/{depth}", "actor_kind": "STAFF", **inner}


def test_a_chain_of_those_who_act_has_an_end() -> None:
    assert len(list(from_payload(TokenType.ACCESS, {**PLAIN, "act": acting(4)}).actors())) == 4
    with pytest.raises(Unauthenticated):
        from_payload(TokenType.ACCESS, {**PLAIN, "act": acting(5)})


PERSON = {"sub": "persons/1", "name": "n", "document": "111", "number": "1"}


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in PLAIN),
        {"iat": 1.5},
        {"nbf": "1"},
        {"scope": ["a"]},
        *({name: 1} for name in ("client_id", "dept", "human", "region", "target", "transfer", "txn")),
        *({name: [1]} for name in ("near", "via", "posts")),
        {"act": []},
        {"act": {"sub": "staff/1", "actor_kind": "STAFF", "dept": 1}},
        {"act": {"actor_kind": "STAFF"}},
        {"org": "organizations/1", "org_uscc": 1},
        {"org": "organizations/1", "mandate": 1},
        {"org": "organizations/1", "mandate_items": "ITEM"},
        {"org": "organizations/1", "mandate_powers": [1]},
        {"org": "organizations/1", "mandate_exp": "soon"},
        {"ids": PERSON},
        {"ids": [PERSON] * 3},
        *({"ids": [{**PERSON, name: None}]} for name in PERSON),
    ],
    ids=str,
)
def test_a_payload_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        from_payload(TokenType.ASSERTION, {**PLAIN, **change})
    assert (refused.value.reason, refused.value.metadata) == ("TOKEN_INVALID", {"rule": "claims"})
    assert refused.value.message.strip()


@pytest.mark.parametrize("name", list(PLAIN))
def test_what_every_token_says_may_not_be_missing(name: str) -> None:
    with pytest.raises(Unauthenticated):
        from_payload(TokenType.ACCESS, {key: value for key, value in PLAIN.items() if key != name})


@pytest.mark.parametrize(
    ("token_type", "longest"),
    [(TokenType.ACCESS, 600), (TokenType.ASSERTION, 60), (TokenType.DELEGATION, 7_776_000)],
)
def test_each_type_of_token_lives_so_long_and_no_longer(token_type: TokenType, longest: int) -> None:
    check_times(replace(LEAST, type=token_type, exp=T + longest), NOW)
    check_times(replace(LEAST, type=token_type, exp=T + 1), NOW)
    for end in (longest + 1, 0):
        with pytest.raises(Unauthenticated) as refused:
            check_times(replace(LEAST, type=token_type, exp=T + end), NOW)
        assert refused.value.metadata == {"rule": "lifetime"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"exp": T - 59, "iat": T - 600}, ""),
        ({"exp": T - 60, "iat": T - 600}, "exp"),
        ({"iat": T + 60}, ""),
        ({"iat": T + 61}, "iat"),
        ({"nbf": T + 60}, ""),
        ({"nbf": T + 61}, "nbf"),
        ({"auth_time": T + 60}, ""),
        ({"auth_time": T + 61}, "auth_time"),
        ({"delegated": T + 60}, ""),
        ({"delegated": T + 61}, "delegated"),
    ],
)
def test_clocks_may_differ_by_a_minute_either_way(change: dict[str, int], rule: str) -> None:
    token = replace(LEAST, **change)  # type: ignore[arg-type]
    if not rule:
        check_times(token, NOW)
        return
    with pytest.raises(Unauthenticated) as refused:
        check_times(token, NOW)
    assert refused.value.metadata == {"rule": rule}
