"""Separation compares human beings, and nobody handles what concerns themselves."""

import pytest

from libs import separation
from libs.errors import PermissionDenied
from libs.security.principal import from_claims

CLERK = "persons/clerk"
STAFF = {"sub": "staff/s", "actor_kind": "STAFF", "human": CLERK, "near": ["organizations/shop", "persons/aunt"]}


def test_staff_stand_for_the_human_being_that_they_are_and_for_those_near_to_them() -> None:
    principal = from_claims(STAFF, "")
    assert principal.human == CLERK
    assert principal.humans == {CLERK}
    assert principal.affairs == {CLERK, "organizations/shop", "persons/aunt"}


def test_at_a_window_the_clerk_acts_and_the_person_is_no_affair_of_theirs() -> None:
    act = {"sub": "staff/s", "actor_kind": "STAFF"}
    principal = from_claims(STAFF | {"sub": "persons/p", "org": "persons/boss", "act": act}, "")
    assert principal.human == CLERK
    assert principal.humans == {CLERK, "persons/p", "persons/boss"}
    assert principal.affairs == {CLERK, "organizations/shop", "persons/aunt"}


def test_a_person_stands_for_themselves_and_for_whom_they_act() -> None:
    guest = "//320402/persons/p"
    principal = from_claims({"sub": guest, "actor_kind": "PERSON", "org": "organizations/f"}, "")
    assert principal.human == guest
    assert principal.humans == {guest}
    assert principal.affairs == {guest, "organizations/f"}


@pytest.mark.parametrize("kind", ["CLIENT", "SERVICE", "REGION"])
def test_a_machine_is_no_human_being(kind: str) -> None:
    principal = from_claims({"sub": "clients/c", "actor_kind": kind}, "")
    assert principal.human == ""
    assert principal.affairs == frozenset()
    with pytest.raises(PermissionDenied, match="ACTOR_NOT_ALLOWED"):
        separation.require_human(principal.human, principal.kind)


def test_who_is_a_party_stands_back() -> None:
    affairs = {CLERK, "organizations/shop"}
    separation.require_uninvolved(affairs, "persons/p", "", "organizations/other")
    separation.require_uninvolved({"*"}, "", "")
    for party in affairs:
        with pytest.raises(PermissionDenied, match="ACTING_ON_SELF"):
            separation.require_uninvolved(affairs, "persons/p", party)
    with pytest.raises(PermissionDenied, match="ACTING_ON_SELF"):
        separation.require_uninvolved({CLERK, separation.EVERYBODY}, "persons/p")


def test_steps_are_compared_by_human_being_and_machines_count_for_nobody() -> None:
    assert separation.took_part(CLERK, ("", CLERK))
    assert not separation.took_part(CLERK, ("", "persons/other"))
    assert not separation.took_part("", ("", ""))
