"""What each exchange carries over and what it leaves behind; whose tokens are none for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import TongbanError
from services.identity.core.claims import ActingParty, ActingRight, ActorKind, Claims, IdentityClaim, TokenType
from services.identity.core.duties import Duty
from services.identity.core.issue import TokenIssue, guest_kind
from services.identity.tokens import rules as exchange
from services.identity.tokens.rules import HomeRegion, WindowClerk

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
T = int(NOW.timestamp())
ID = "00000000-0000-7000-8000-00000000000"
LUAN = TokenIssue("341500", "https://luan.example", NOW, "2", "3")
TIANNING = TokenIssue("320402", "https://tianning.example", NOW, "4", "5")
HOME = HomeRegion("341500", "https://luan.example", 4)
FIRM = ActingRight(f"organizations/{ID}1", "91350100M000100Y43", f"mandates/{ID}2", ("ITEM",), ("APPLY",), T + 400)
TRANSFER = f"caseTransfers/{ID}8"

PERSON = Claims(
    type=TokenType.ACCESS,
    iss=LUAN.issuer,
    sub=f"persons/{ID}3",
    aud=LUAN.home,
    iat=T - 60,
    exp=T + 540,
    jti="1",
    actor_kind=ActorKind.PERSON,
    acr=3,
    scope=("a.b.c",),
    client_id="channel",
)
STAFF = replace(
    PERSON,
    sub=f"staff/{ID}4",
    exp=T + 300,
    actor_kind=ActorKind.STAFF,
    acr=4,
    client_id="window",
    dept=f"departments/{ID}5",
    posts=(f"departments/{ID}5/posts/{ID}6",),
    human=f"persons/{ID}7",
    near=(f"persons/{ID}9",),
)
SERVICE = replace(PERSON, sub="services/cases", actor_kind=ActorKind.SERVICE, client_id="services/cases")
CLERK = WindowClerk(STAFF, frozenset({Duty.RECEIVING}))
WINDOW = exchange.at_window(LUAN, PERSON, CLERK, ("d.e.f",))


def refusal(act: Callable[[], object]) -> tuple[str, dict[str, str]]:
    with pytest.raises(TongbanError) as caught:
        act()
    assert caught.value.message.strip()
    return caught.value.reason, dict(caught.value.metadata)


def test_a_window_token_is_the_persons_with_the_staff_in_it() -> None:
    assert (
        Claims(
            type=TokenType.ACCESS,
            iss=LUAN.issuer,
            sub=PERSON.sub,
            aud=LUAN.home,
            iat=T,
            exp=STAFF.exp,
            jti="2",
            actor_kind=ActorKind.STAFF,
            acr=3,
            scope=("d.e.f",),
            client_id="window",
            act=ActingParty(STAFF.sub, ActorKind.STAFF, STAFF.dept),
            dept=STAFF.dept,
            posts=STAFF.posts,
            human=STAFF.human,
            near=STAFF.near,
            via=("channel",),
        )
        == WINDOW
    )
    assert exchange.at_window(LUAN, replace(PERSON, authority=FIRM), CLERK, ()).authority == FIRM
    same = exchange.at_window(LUAN, replace(PERSON, client_id="window", exp=T + 100), CLERK, ())
    assert (same.via, same.exp) == ((), T + 100)


def test_who_acts_for_a_firm_stays_who_they_are() -> None:
    acting = exchange.act_for(LUAN, WINDOW, FIRM, ("g.h.i",))
    assert acting == replace(WINDOW, authority=FIRM, scope=("g.h.i",), exp=STAFF.exp)
    by_itself = exchange.act_for(LUAN, PERSON, FIRM, ())
    assert (by_itself.exp, by_itself.acr, by_itself.client_id, by_itself.act) == (T + 400, 3, "channel", None)


def test_only_staffs_own_token_stands_at_a_window() -> None:
    for token in (PERSON, WINDOW, SERVICE, replace(STAFF, region="320402")):
        assert refusal(lambda token=token: exchange.check_window(PERSON, token)) == (  # type: ignore[misc]
            "EXCHANGE_NOT_ALLOWED",
            {"rule": "staff"},
        )
    for subject in (STAFF, SERVICE, replace(PERSON, sub=f"//341500/persons/{ID}3"), replace(PERSON, sub="?")):
        assert refusal(lambda subject=subject: exchange.check_may_act(subject)) == (  # type: ignore[misc]
            "EXCHANGE_NOT_ALLOWED",
            {"rule": "person"},
        )


def test_an_assertion_says_who_it_is_and_no_more() -> None:
    told = exchange.assertion(LUAN, WINDOW, "//320402", ("j.k.l",))
    assert told == Claims(
        type=TokenType.ASSERTION,
        iss=LUAN.issuer,
        sub=f"//341500/persons/{ID}3",
        aud="//320402",
        iat=T,
        exp=T + 60,
        jti="2",
        txn="3",
        actor_kind=ActorKind.STAFF,
        acr=3,
        act=ActingParty(f"//341500/staff/{ID}4", ActorKind.STAFF, f"//341500/departments/{ID}5"),
        dept=f"//341500/departments/{ID}5",
        human=f"//341500/persons/{ID}7",
        scope=("j.k.l",),
    )


@pytest.mark.parametrize(
    ("subject", "by", "rule"),
    [
        (replace(PERSON, region="320402"), None, "guest"),
        (replace(PERSON, sub="clients/hall", actor_kind=ActorKind.CLIENT), None, "client"),
        (PERSON, STAFF, "service"),
        (PERSON, replace(SERVICE, actor_kind=ActorKind.CLIENT), "service"),
        (PERSON, replace(SERVICE, sub=f"staff/{ID}4"), "service"),
        (PERSON, replace(SERVICE, sub="//320402/services/cases"), "service"),
        (PERSON, replace(SERVICE, sub="services/"), "service"),
    ],
)
def test_who_is_not_asserted(subject: Claims, by: Claims | None, rule: str) -> None:
    assert refusal(lambda: exchange.assertion(LUAN, subject, "//320402", (), by)) == (
        "EXCHANGE_NOT_ALLOWED",
        {"rule": rule},
    )


def test_a_delegation_keeps_who_it_is_for_one_transfer() -> None:
    kept = exchange.delegation(LUAN, WINDOW, "//320402", TRANSFER)
    assert kept == replace(
        WINDOW,
        type=TokenType.DELEGATION,
        iat=T,
        exp=T + 90 * 86_400,
        scope=(),
        target="//320402",
        transfer=TRANSFER,
    )
    limited = exchange.delegation(LUAN, replace(WINDOW, authority=FIRM), "//320402", TRANSFER)
    assert limited.exp == FIRM.expire
    foreign = replace(WINDOW, iss="x", aud="y")
    assert (exchange.delegation(LUAN, foreign, "", "").iss, exchange.delegation(LUAN, foreign, "", "").aud) == (
        LUAN.issuer,
        LUAN.home,
    )


@pytest.mark.parametrize(
    ("subject", "rule"),
    [
        (replace(PERSON, region="320402"), "guest"),
        (SERVICE, "client"),
        (replace(PERSON, actor_kind=ActorKind.CLIENT), "client"),
        (replace(PERSON, actor_kind=ActorKind.REGION), "client"),
    ],
)
def test_who_needs_no_delegation(subject: Claims, rule: str) -> None:
    assert refusal(lambda: exchange.delegation(LUAN, subject, "//320402", TRANSFER)) == (
        "EXCHANGE_NOT_ALLOWED",
        {"rule": rule},
    )


@pytest.mark.parametrize(
    ("change", "reason", "metadata"),
    [
        ({"aud": "//320402"}, "TOKEN_INVALID", {"rule": "aud"}),
        ({"iss": "https://other.example"}, "TOKEN_INVALID", {"rule": "aud"}),
        ({"exp": T - 60, "iat": T - 600}, "TOKEN_INVALID", {"rule": "exp"}),
        ({"target": "//110000"}, "DELEGATION_MISMATCH", {"transfer": TRANSFER}),
        ({"transfer": "caseTransfers/1"}, "DELEGATION_MISMATCH", {"transfer": TRANSFER}),
    ],
)
def test_a_delegation_of_another_is_refused(change: dict[str, object], reason: str, metadata: dict[str, str]) -> None:
    kept = replace(exchange.delegation(LUAN, PERSON, "//320402", TRANSFER), **change)  # type: ignore[arg-type]
    assert refusal(lambda: exchange.use_delegation(LUAN, kept, SERVICE, "//320402", TRANSFER, ())) == (reason, metadata)


def test_what_was_kept_tells_when_it_was_asked_for_however_late_it_is_used() -> None:
    kept = exchange.delegation(LUAN, replace(WINDOW, auth_time=T - 9), "//320402", TRANSFER)
    days_later = replace(LUAN, now=LUAN.now + timedelta(days=3))
    told = exchange.use_delegation(days_later, kept, SERVICE, "//320402", TRANSFER, ())
    assert (told.iat, told.delegated, told.auth_time) == (T + 3 * 86_400, T, T - 9)
    guest = exchange.accept(replace(TIANNING, now=days_later.now), told, HOME, ())
    assert (guest.delegated, guest.auth_time) == (T, T - 9)
    assert exchange.assertion(LUAN, PERSON, "//320402", ()).delegated == 0, "of what is done at once it says nothing"


def test_a_guests_token_says_whose_word_it_rests_on() -> None:
    told = exchange.assertion(LUAN, replace(WINDOW, authority=FIRM), "//320402", (), SERVICE)
    guest = exchange.accept(TIANNING, told, replace(HOME, max_assurance=2), ("m.n.o",))
    assert guest == Claims(
        type=TokenType.ACCESS,
        iss=TIANNING.issuer,
        sub=told.sub,
        aud="//320402",
        iat=T,
        exp=FIRM.expire,
        jti="4",
        actor_kind=ActorKind.REGION,
        acr=2,
        scope=("m.n.o",),
        client_id="//341500",
        act=told.act,
        authority=told.authority,
        dept=told.dept,
        human=told.human,
        region="341500",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"sub": f"//320402/persons/{ID}3"},
        {"dept": f"departments/{ID}5"},
        {"human": f"persons/{ID}7"},
        {"transfer": f"//320402/caseTransfers/{ID}8"},
        {"act": ActingParty(f"//320402/staff/{ID}4", ActorKind.STAFF)},
        {"act": ActingParty(f"//341500/staff/{ID}4", ActorKind.STAFF, f"departments/{ID}5")},
        {"authority": ActingRight(f"//320402/organizations/{ID}1")},
        {"authority": ActingRight(f"//341500/organizations/{ID}1", mandate=f"mandates/{ID}2")},
        {"stated": (IdentityClaim(f"//320402/persons/{ID}3", "n", "111", "1"),)},
    ],
    ids=str,
)
def test_no_name_in_an_assertion_is_of_another_region(change: dict[str, object]) -> None:
    told = exchange.assertion(LUAN, WINDOW, "//320402", ())
    exchange.check_assertion(TIANNING, told, HOME)
    wrong = replace(told, **change)  # type: ignore[arg-type]
    assert refusal(lambda: exchange.check_assertion(TIANNING, wrong, HOME)) == (
        "ASSERTION_SUBJECT_FOREIGN",
        {"region": "341500"},
    )


def test_only_a_person_stays_one_abroad() -> None:
    assert {kind: guest_kind(kind) for kind in ActorKind} == {
        ActorKind.PERSON: ActorKind.PERSON,
        **dict.fromkeys((ActorKind.STAFF, ActorKind.CLIENT, ActorKind.SERVICE, ActorKind.REGION), ActorKind.REGION),
    }
