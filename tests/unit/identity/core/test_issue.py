"""First tokens: what each says and leaves open, and when it ends."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.errors import PermissionDenied, Unauthenticated
from services.identity.core import issue
from services.identity.core.claims import ActorKind, Claims, TokenType
from services.identity.core.client_rules import ClientKind, ClientState
from services.identity.core.issue import SignIn, StaffFacts, TokenIssue, named_near
from tests.unit.identity.records import client

NOW = datetime(2024, 6, 3, 9, 0, 0, 900_000, tzinfo=UTC)
T = int(NOW.timestamp())
LUAN = TokenIssue("341500", "https://luan.example", NOW, "1", "2")
CHANNEL = client("window", ClientKind.CHANNEL, assertable=("PERSON", "STAFF"), max_assurance=3)
LEAST = Claims(
    type=TokenType.ACCESS,
    iss="https://luan.example",
    sub="",
    aud="//341500",
    iat=T,
    exp=T + 600,
    jti="1",
    actor_kind=ActorKind.PERSON,
    scope=("a.b.c",),
)
STAFF = StaffFacts("staff/1", "departments/1", ("posts/1",), "persons/1", ("persons/2",), T + 100)


def test_a_token_says_what_is_known_of_its_caller_and_no_more() -> None:
    assert issue.for_service(LUAN, "cases", ("a.b.c",)) == replace(
        LEAST, sub="services/cases", actor_kind=ActorKind.SERVICE, client_id="services/cases"
    )
    assert issue.for_client(LUAN, client("erp", ClientKind.SYSTEM), ("a.b.c",)) == replace(
        LEAST, sub="clients/erp", actor_kind=ActorKind.CLIENT, client_id="erp"
    )
    assert issue.for_person(LUAN, CHANNEL, "persons/1", SignIn(2, 4), ("a.b.c",)) == replace(
        LEAST, sub="persons/1", acr=2, client_id="window"
    )
    assert issue.for_staff(LUAN, CHANNEL, STAFF, ("a.b.c",)) == replace(
        LEAST,
        sub="staff/1",
        actor_kind=ActorKind.STAFF,
        exp=T + 100,
        acr=3,
        client_id="window",
        dept="departments/1",
        posts=("posts/1",),
        human="persons/1",
        near=("persons/2",),
    )
    assert issue.for_staff(LUAN, CHANNEL, replace(STAFF, until=0), (), SignIn(4, 1)).exp == T + 600


@pytest.mark.parametrize(
    ("owner", "department"), [("departments/1", "departments/1"), ("organizations/1", ""), ("", "")]
)
def test_a_system_is_of_the_department_that_answers_for_it(owner: str, department: str) -> None:
    machine = client("erp", ClientKind.SYSTEM, owner=owner)
    assert issue.for_client(LUAN, machine, ()).dept == department
    assert issue.in_name_of(LUAN, machine).dept == department


def test_who_may_speak_for_whom() -> None:
    for_people = replace(CHANNEL, assertable=("PERSON",))
    with pytest.raises(PermissionDenied) as staff:
        issue.for_staff(LUAN, for_people, STAFF, ())
    assert staff.value.metadata == {"client": "clients/window", "actor_kind": "STAFF"}
    with pytest.raises(PermissionDenied) as person:
        issue.for_person(LUAN, replace(CHANNEL, assertable=("STAFF",)), "persons/1", SignIn(4, 4), ())
    assert person.value.metadata == {"client": "clients/window", "actor_kind": "PERSON"}
    waiting = replace(CHANNEL, state=ClientState.REQUESTED)
    attempts: tuple[Callable[[], Claims], ...] = (
        lambda: issue.for_client(LUAN, waiting, ()),
        lambda: issue.for_person(LUAN, waiting, "persons/1", SignIn(4, 4), ()),
        lambda: issue.for_staff(LUAN, waiting, STAFF, ()),
    )
    for make in attempts:
        with pytest.raises(PermissionDenied, match="CLIENT_NOT_ACTIVE"):
            make()


@pytest.mark.parametrize(
    ("token_type", "seconds", "limits", "lives"),
    [
        (TokenType.ACCESS, 600, (), 600),
        (TokenType.ACCESS, 60, (), 60),
        (TokenType.ACCESS, 601, (), 600),
        (TokenType.ASSERTION, 10, (), 60),
        (TokenType.DELEGATION, 10, (0,), 90 * 86_400),
        (TokenType.ACCESS, 600, (T + 50, 0, T + 40), 40),
        (TokenType.ACCESS, 600, (T + 1,), 1),
        (TokenType.ACCESS, 600, (T + 601,), 600),
    ],
)
def test_a_token_ends_with_the_first_of_its_limits(
    token_type: TokenType, seconds: int, limits: tuple[int, ...], lives: int
) -> None:
    assert replace(LUAN, access_seconds=seconds).end(token_type, *limits) == T + lives


@pytest.mark.parametrize("limit", [T, T - 1])
def test_nothing_is_made_from_what_has_ended(limit: int) -> None:
    with pytest.raises(Unauthenticated) as refused:
        LUAN.end(TokenType.ACCESS, limit)
    assert refused.value.metadata == {"rule": "exp"}


def test_those_near_are_named_up_to_fifty() -> None:
    fifty = [f"persons/{number}" for number in range(50)]
    assert named_near(fifty) == tuple(fifty)
    assert named_near([*fifty, "persons/50"]) == ("*",)


def test_a_regions_default_quota_holds_for_clients_whose_contract_names_none() -> None:
    region, firm = replace(LUAN, quota=(5, 900)), "organizations/00000000-0000-7000-8000-000000000001"
    ours, theirs = client("erp", ClientKind.SYSTEM), replace(client("erp", ClientKind.SYSTEM), owner=firm)
    agreed = replace(theirs, quota_per_day=7)
    assert [issue.for_client(region, each, ()).quota for each in (ours, theirs, agreed)] == [(), (5, 900), (0, 7)]
    assert issue.for_client(LUAN, theirs, ()).quota == ()
    assert issue.for_service(region, "cases", ()).quota == ()
