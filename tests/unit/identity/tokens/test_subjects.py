"""Of whom another region's assertion may speak: whoever is of another shape, kind or region is nobody."""

from dataclasses import replace

import pytest

from libs.errors import Unauthenticated
from services.identity.core.claims import ActingParty, ActingRight, ActorKind, Claims, TokenType
from services.identity.tokens.subjects import check_subject

REGION = "341500"
ID = "00000000-0000-7000-8000-00000000000"
THERE = f"//{REGION}/"
PERSON, STAFF, SERVICE = f"{THERE}persons/{ID}1", f"{THERE}staff/{ID}2", f"{THERE}services/cases"
HALL, FIRM, MANDATE = f"{THERE}departments/{ID}3", f"{THERE}organizations/{ID}4", f"{THERE}mandates/{ID}5"
TRANSFER = f"{THERE}caseTransfers/{ID}6"

CITIZEN = Claims(
    type=TokenType.ASSERTION,
    iss="https://luan.example",
    sub=PERSON,
    aud="//320402",
    iat=0,
    exp=60,
    jti="1",
    actor_kind=ActorKind.PERSON,
)
CLERK = ActingParty(STAFF, ActorKind.STAFF, HALL)
MACHINE = ActingParty(SERVICE, ActorKind.SERVICE)
OFFICE = replace(CITIZEN, sub=STAFF, actor_kind=ActorKind.STAFF, dept=HALL)
WINDOW = replace(CITIZEN, actor_kind=ActorKind.STAFF, act=CLERK, dept=HALL)
SYSTEM = replace(CITIZEN, sub=SERVICE, actor_kind=ActorKind.SERVICE)


@pytest.mark.parametrize(
    "claims",
    [
        CITIZEN,
        OFFICE,
        SYSTEM,
        WINDOW,
        replace(CITIZEN, actor_kind=ActorKind.SERVICE, act=MACHINE),
        replace(OFFICE, actor_kind=ActorKind.SERVICE, act=MACHINE),
        replace(WINDOW, actor_kind=ActorKind.SERVICE, act=replace(MACHINE, act=CLERK)),
        replace(WINDOW, act=replace(CLERK, dept="")),
        replace(OFFICE, human=PERSON),
        replace(CITIZEN, authority=ActingRight(FIRM)),
        replace(CITIZEN, authority=ActingRight(f"{THERE}persons/{ID}7", mandate=MANDATE)),
        replace(WINDOW, authority=ActingRight(FIRM)),
        replace(CITIZEN, transfer=TRANSFER),
        replace(CITIZEN, dept=HALL),
    ],
)
def test_whom_a_region_may_assert(claims: Claims) -> None:
    check_subject(claims, REGION)


@pytest.mark.parametrize(
    "claims",
    [
        replace(CITIZEN, sub=""),
        replace(CITIZEN, sub=f"//341501/persons/{ID}1"),
        replace(CITIZEN, sub=f"persons/{ID}1"),
        replace(CITIZEN, sub=f"{THERE}clients/hall"),
        replace(CITIZEN, sub=STAFF, dept=HALL),
        replace(SYSTEM, actor_kind=ActorKind.PERSON),
        replace(WINDOW, actor_kind=ActorKind.PERSON),
        # Who acts is of the kind that they say, and nobody acts for whom they can't stand for.
        replace(WINDOW, act=replace(CLERK, kind=ActorKind.SERVICE)),
        replace(WINDOW, act=replace(CLERK, sub=f"//341501/staff/{ID}2")),
        replace(CITIZEN, act=ActingParty(f"{THERE}persons/{ID}7", ActorKind.PERSON)),
        replace(OFFICE, act=CLERK),
        replace(SYSTEM, act=MACHINE),
        replace(WINDOW, act=replace(CLERK, act=CLERK)),
        replace(WINDOW, act=replace(CLERK, act=MACHINE)),
        replace(CITIZEN, actor_kind=ActorKind.SERVICE, act=replace(MACHINE, act=MACHINE)),
        # Staff are of a department of theirs.
        replace(OFFICE, dept=""),
        replace(WINDOW, dept=""),
        replace(OFFICE, dept=f"//341501/departments/{ID}3"),
        replace(OFFICE, dept=FIRM),
        replace(CITIZEN, dept=FIRM),
        replace(WINDOW, act=replace(CLERK, dept=FIRM)),
        replace(WINDOW, act=replace(CLERK, dept=f"//341501/departments/{ID}3")),
        replace(OFFICE, human=STAFF),
        replace(OFFICE, human=f"//341501/persons/{ID}1"),
        replace(CITIZEN, transfer=MANDATE),
        replace(CITIZEN, transfer=f"caseTransfers/{ID}6"),
        # Only people act for others: for a firm or a person, by a mandate of that region.
        replace(OFFICE, authority=ActingRight(FIRM)),
        replace(SYSTEM, authority=ActingRight(FIRM)),
        replace(CITIZEN, authority=ActingRight("")),
        replace(CITIZEN, authority=ActingRight(HALL)),
        replace(CITIZEN, authority=ActingRight(f"organizations/{ID}4")),
        replace(CITIZEN, authority=ActingRight(FIRM, mandate=TRANSFER)),
        replace(CITIZEN, authority=ActingRight(FIRM, mandate=f"mandates/{ID}5")),
    ],
)
def test_whoever_else_is_nobody(claims: Claims) -> None:
    with pytest.raises(Unauthenticated) as refused:
        check_subject(claims, REGION)
    assert (refused.value.reason, refused.value.metadata) == ("TOKEN_INVALID", {"rule": "sub"})
