"""Who must stand back from a step: machines where a human being is asked for, staff where it is their own affair."""

from typing import Any

import pytest

from libs.access.actor import Actor, Standing
from libs.errors import PermissionDenied

ID = "00000000-0000-7000-8000-00000000000"
PERSON, OTHER, STAFF, FIRM = f"persons/{ID}1", f"persons/{ID}2", f"staff/{ID}3", f"organizations/{ID}4"


def actor(subject: str, kind: str, **more: Any) -> Actor:
    return Actor(subject, kind, frozenset({"*"}), **more)


def test_a_human_being_is_named_and_a_machine_refused() -> None:
    assert actor(STAFF, "STAFF", human=PERSON).require_human() == PERSON
    with pytest.raises(PermissionDenied) as refused:
        actor("clients/hall", "CLIENT").require_human()
    assert (refused.value.reason, refused.value.metadata) == ("ACTOR_NOT_ALLOWED", {"actor_kind": "CLIENT"})


@pytest.mark.parametrize(
    "who", [actor(STAFF, "STAFF", human=PERSON), actor(OTHER, "STAFF", delegate=STAFF, human=PERSON)]
)
def test_staff_stand_back_from_what_is_theirs_and_from_nothing_else(who: Actor) -> None:
    with pytest.raises(PermissionDenied) as refused:
        who.require_impartial(FIRM, PERSON)
    assert refused.value.reason == "ACTING_ON_SELF"
    who.require_impartial(FIRM, f"persons/{ID}9", "")


def test_a_person_may_take_a_step_in_an_affair_of_their_own() -> None:
    actor(PERSON, "PERSON", human=PERSON).require_impartial(PERSON)


def test_those_near_count_too() -> None:
    near = actor(STAFF, "STAFF", human=PERSON, near=frozenset({FIRM}))
    with pytest.raises(PermissionDenied):
        near.require_impartial(FIRM)
    assert near.affairs == {PERSON, FIRM}


def test_a_firm_that_is_acted_for_at_a_window_is_the_applicants_affair() -> None:
    by_itself = actor(PERSON, "PERSON", human=PERSON, organization=FIRM)
    at_window = actor(OTHER, "STAFF", delegate=STAFF, human=PERSON, organization=FIRM)
    assert by_itself.affairs == {PERSON, FIRM}
    assert at_window.affairs == {PERSON}
    assert at_window.humans == {PERSON, OTHER}


def test_a_guest_is_no_clerk_and_no_guest_has_one_at_a_window() -> None:
    away = "//320402/"
    guest = actor(f"{away}{PERSON}", "PERSON", region="320402")
    assert (guest.standing, guest.person, guest.clerk) == (Standing.PERSON, f"{away}{PERSON}", "")
    there = {"region": "320402", "department": f"{away}departments/{ID}6"}
    assert actor(f"{away}{PERSON}", "STAFF", delegate=f"{away}{STAFF}", **there).standing is Standing.NOBODY
    assert actor(f"{away}{STAFF}", "STAFF", **there).standing is Standing.NOBODY


def test_what_a_token_rests_on() -> None:
    claims = {"via": ["partner", ""], "iat": 17}
    office = f"departments/{ID}6"
    whole = actor(STAFF, "STAFF", department=office, client="hall", posts=("posts/1",), human=OTHER, claims=claims)
    assert whole.parties == {"clients/hall", "clients/partner", f"{STAFF} posts/1", OTHER}
    assert whole.issued == 17
    assert actor(PERSON, "PERSON").issued == 0
    assert actor(PERSON, "PERSON").parties == {PERSON}
    assert actor(STAFF, "STAFF", human=PERSON, department=f"departments/{ID}6").parties == {PERSON}
    assert actor(PERSON, "PERSON", organization=FIRM).parties == {PERSON, FIRM, f"{PERSON} {FIRM}"}
    mandate, giver = f"mandates/{ID}7", f"persons/{ID}9"
    assert actor(PERSON, "PERSON", organization=FIRM, mandate=mandate).parties == {PERSON, FIRM, mandate}
    passed_on = actor(PERSON, "PERSON", organization=FIRM, mandate=mandate, claims={"mandate_by": giver})
    assert passed_on.parties == {PERSON, FIRM, mandate, giver}
    abroad = {"//320402", "//320402/assertions"}
    assert actor("//320402/services/cases", "REGION", region="320402", client="hall").parties == abroad
    told = actor("//320402/services/cases", "REGION", region="320402", claims={"txn": ID})
    assert told.parties == abroad | {f"//320402/assertions/{ID}"}
