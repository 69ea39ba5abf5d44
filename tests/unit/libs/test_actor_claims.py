"""What a token says of its caller: every claim in its place, every shape in its standing, and all else nobody."""

from typing import Any

import pytest

from libs.access.actor import ANONYMOUS, Actor, Standing, from_claims, is_person, service_actor
from tongban.options.v1 import options_pb2

ID = "00000000-0000-7000-8000-00000000000"
AWAY = "320402"
PERSON, OTHER, STAFF, FIRM = f"persons/{ID}1", f"persons/{ID}2", f"staff/{ID}3", f"organizations/{ID}4"
HALL, MANDATE = f"departments/{ID}5", f"mandates/{ID}6"


def away(name: str) -> str:
    return f"//{AWAY}/{name}"


def test_every_claim_has_its_place() -> None:
    claims: dict[str, Any] = {
        "sub": OTHER,
        "actor_kind": "STAFF",
        "scope": "a.b.c  d.*",
        "acr": "3",
        "act": {"sub": STAFF, "actor_kind": "STAFF"},
        "org": FIRM,
        "mandate": MANDATE,
        "dept": HALL,
        "posts": ["posts/1", "posts/2"],
        "client_id": "hall",
        "human": PERSON,
        "near": [FIRM],
        "iat": 5,
    }
    assert from_claims(claims, "the token") == Actor(
        subject=OTHER,
        kind="STAFF",
        scopes=frozenset({"a.b.c", "d.*"}),
        assurance=3,
        delegate=STAFF,
        organization=FIRM,
        mandate=MANDATE,
        department=HALL,
        posts=("posts/1", "posts/2"),
        client="hall",
        human=PERSON,
        near=frozenset({FIRM}),
        claims=claims,
        token="the token",
    )


def test_what_a_token_does_not_say_is_nothing() -> None:
    found = from_claims({"sub": PERSON, "actor_kind": "PERSON"}, "")
    assert found == Actor(PERSON, "PERSON", frozenset(), human=PERSON, claims=found.claims)
    machine = from_claims({"sub": "clients/hall", "actor_kind": "CLIENT", "act": None}, "")
    assert (machine.human, machine.delegate, machine.region) == ("", "", "")
    guest = from_claims({"sub": away(PERSON), "actor_kind": "PERSON", "region": AWAY}, "")
    assert (guest.human, guest.region) == (away(PERSON), AWAY)


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        (Actor(PERSON, "PERSON", frozenset()), "PERSON"),
        (Actor(away(PERSON), "PERSON", frozenset(), region=AWAY), "PERSON"),
        (Actor(PERSON, "STAFF", frozenset(), delegate=STAFF, department=HALL), "ASSISTED"),
        (Actor(STAFF, "STAFF", frozenset(), department=HALL), "STAFF"),
        (Actor("clients/hall", "CLIENT", frozenset()), "CLIENT"),
        (Actor("services/cases", "SERVICE", frozenset()), "SERVICE"),
        (Actor(away("services/cases"), "REGION", frozenset(), region=AWAY), "REGION_SERVICE"),
        (
            Actor(away(PERSON), "REGION", frozenset(), region=AWAY, delegate=away("services/cases")),
            "REGION_SERVICE",
        ),
        (Actor(away(STAFF), "REGION", frozenset(), region=AWAY, department=away(HALL)), "REGION_STAFF"),
        (Actor(away(PERSON), "REGION", frozenset(), region=AWAY, delegate=away(STAFF)), "REGION_STAFF"),
        (Actor("nobody", "STAFF", frozenset(), department=HALL), "UNSPECIFIED"),
        (Actor(PERSON, "STAFF", frozenset(), department=HALL), "UNSPECIFIED"),
    ],
)
def test_contracts_tell_more_kinds_apart_than_the_claim(actor: Actor, kind: str) -> None:
    assert options_pb2.ActorKind.Name(actor.access_kind) == f"ACTOR_KIND_{kind}"


@pytest.mark.parametrize(
    ("actor", "standing"),
    [
        (Actor(PERSON, "PERSON", frozenset()), Standing.PERSON),
        (Actor(away(PERSON), "PERSON", frozenset(), region=AWAY), Standing.PERSON),
        (Actor(PERSON, "STAFF", frozenset(), delegate=STAFF, department=HALL), Standing.PERSON),
        (Actor(STAFF, "STAFF", frozenset(), department=HALL), Standing.OFFICE),
        (Actor("clients/hall", "CLIENT", frozenset()), Standing.CLIENT),
        (Actor("services/cases", "SERVICE", frozenset()), Standing.SERVICE),
        (Actor(away("services/cases"), "REGION", frozenset(), region=AWAY), Standing.REGION),
        (Actor(away(STAFF), "REGION", frozenset(), region=AWAY, department=away(HALL)), Standing.REGION),
        (
            Actor(away(PERSON), "REGION", frozenset(), region=AWAY, delegate=away("services/cases")),
            Standing.REGION,
        ),
        (Actor(PERSON, "PERSON", frozenset(), organization=FIRM, mandate=MANDATE, human=PERSON), Standing.PERSON),
        (Actor(PERSON, "PERSON", frozenset(), organization=OTHER), Standing.PERSON),
    ],
)
def test_for_whom_a_caller_stands(actor: Actor, standing: Standing) -> None:
    assert actor.standing is standing
    person = actor.subject if standing is Standing.PERSON else ""
    assert actor.person == person
    assert actor.speaks_for == (frozenset({person, actor.organization}) - {""} if person else frozenset())


@pytest.mark.parametrize(
    "actor",
    [
        ANONYMOUS,
        Actor("", "PERSON", frozenset()),
        Actor(PERSON, "CLIENT", frozenset()),
        Actor(PERSON, "STAFF", frozenset(), department=HALL),
        Actor(PERSON, "REGION", frozenset()),
        Actor(PERSON, "PERSON", frozenset(), delegate=STAFF, department=HALL),
        Actor(PERSON, "STAFF", frozenset(), delegate=OTHER, department=HALL),
        Actor(PERSON, "STAFF", frozenset(), delegate="services/cases", department=HALL),
        Actor(PERSON, "STAFF", frozenset(), delegate=away(STAFF), department=HALL),
        Actor(PERSON, "STAFF", frozenset(), delegate=STAFF),
        Actor(STAFF, "PERSON", frozenset()),
        Actor(STAFF, "STAFF", frozenset()),
        Actor(STAFF, "STAFF", frozenset(), department=away(HALL)),
        Actor(STAFF, "STAFF", frozenset(), department=FIRM),
        Actor(STAFF, "STAFF", frozenset(), department=HALL, delegate=STAFF),
        Actor("clients/hall", "CLIENT", frozenset(), department=FIRM),
        Actor("clients/hall", "SERVICE", frozenset()),
        Actor(away(STAFF), "STAFF", frozenset(), region=AWAY, department=away(HALL)),
        Actor(away(PERSON), "PERSON", frozenset()),
        Actor(PERSON, "PERSON", frozenset(), region=AWAY),
        Actor(PERSON, "PERSON", frozenset(), organization=HALL),
        Actor(PERSON, "PERSON", frozenset(), organization=away(FIRM)),
        Actor(PERSON, "PERSON", frozenset(), organization=FIRM, mandate=FIRM),
        Actor(PERSON, "PERSON", frozenset(), mandate=away(MANDATE)),
        Actor(PERSON, "PERSON", frozenset(), human=STAFF),
        Actor(PERSON, "PERSON", frozenset(), human=away(PERSON)),
    ],
)
def test_a_token_whose_parts_do_not_agree_is_nobodys(actor: Actor) -> None:
    assert actor.standing is Standing.NOBODY
    assert (actor.person, actor.speaks_for, actor.office, actor.clerk) == ("", frozenset(), "", "")
    claims = {
        "sub": actor.subject,
        "actor_kind": actor.kind,
        "act": {"sub": actor.delegate} if actor.delegate else None,
        "org": actor.organization,
        "mandate": actor.mandate,
        "dept": actor.department,
        "region": actor.region,
        "human": actor.human,
    }
    with pytest.raises(ValueError, match=r".+"):
        from_claims(claims, "")


def test_the_staff_at_the_keyboard() -> None:
    assert Actor(STAFF, "STAFF", frozenset(), department=HALL).clerk == STAFF
    assert Actor(STAFF, "STAFF", frozenset(), department=HALL).office == HALL
    window = Actor(PERSON, "STAFF", frozenset(), department=HALL, delegate=STAFF)
    assert (window.clerk, window.office) == (STAFF, "")
    assert Actor("clients/hall", "CLIENT", frozenset(), department=HALL).office == ""
    assert Actor("clients/hall", "CLIENT", frozenset()).clerk == ""


@pytest.mark.parametrize(
    ("scopes", "permission", "may"),
    [
        ({"cases.cases.get"}, "cases.cases.get", True),
        ({"cases.cases.get"}, "cases.cases.getAll", False),
        ({"cases.*"}, "cases.cases.get", True),
        ({"cases.cases.*", "x.y.z"}, "cases.cases.get", True),
        ({"cases.*"}, "casesx.cases.get", False),
        ({"case*"}, "cases.cases.get", False),
        ({"*"}, "cases.cases.get", True),
        (set(), "cases.cases.get", False),
        (set(), "", False),
    ],
)
def test_a_permission_is_held_exactly_or_by_its_family(scopes: set[str], permission: str, may: bool) -> None:
    assert Actor(PERSON, "PERSON", frozenset(scopes)).may(permission) is may


def test_a_service_of_ours_holds_what_it_is_given_and_no_more() -> None:
    cases = service_actor("cases", "license.licenses.issue", "seal.*")
    assert (cases.subject, cases.kind, cases.assurance, cases.standing) == (
        "services/cases",
        "SERVICE",
        4,
        Standing.SERVICE,
    )
    assert cases.scopes == {"license.licenses.issue", "seal.*"}
    assert not service_actor("cases").scopes


@pytest.mark.parametrize(
    ("name", "person"), [(PERSON, True), (away(PERSON), True), (STAFF, False), (FIRM, False), ("", False)]
)
def test_a_human_being_is_told_by_the_name(name: str, person: bool) -> None:
    assert is_person(name) is person
