"""Separation compares human beings, and nobody handles what concerns themselves."""

import pytest

from libs import separation
from libs.access.actor import from_claims
from libs.errors import PermissionDenied

ID = "00000000-0000-7000-8000-00000000000"
CLERK, APPLICANT, BOSS, AUNT = f"persons/{ID}1", f"persons/{ID}2", f"persons/{ID}3", f"persons/{ID}4"
SHOP, FIRM, MEMBER, HALL = f"organizations/{ID}5", f"organizations/{ID}6", f"staff/{ID}7", f"departments/{ID}8"
STAFF = {"sub": MEMBER, "actor_kind": "STAFF", "human": CLERK, "near": [SHOP, AUNT], "dept": HALL}


def test_staff_stand_for_the_human_being_that_they_are_and_for_those_near_to_them() -> None:
    principal = from_claims(STAFF, "")
    assert principal.human == CLERK
    assert principal.humans == {CLERK}
    assert principal.affairs == {CLERK, SHOP, AUNT}


def test_at_a_window_the_clerk_acts_and_the_person_is_no_affair_of_theirs() -> None:
    act = {"sub": MEMBER, "actor_kind": "STAFF"}
    principal = from_claims(STAFF | {"sub": APPLICANT, "org": BOSS, "act": act}, "")
    assert principal.human == CLERK
    assert principal.humans == {CLERK, APPLICANT, BOSS}
    assert principal.affairs == {CLERK, SHOP, AUNT}


def test_a_person_stands_for_themselves_and_for_whom_they_act() -> None:
    guest, firm = f"//320402/{APPLICANT}", f"//320402/{FIRM}"
    principal = from_claims({"sub": guest, "actor_kind": "PERSON", "org": firm, "region": "320402"}, "")
    assert principal.human == guest
    assert principal.humans == {guest}
    assert principal.affairs == {guest, firm}


@pytest.mark.parametrize(
    ("kind", "subject", "region"),
    [
        ("CLIENT", "clients/partner", ""),
        ("SERVICE", "services/cases", ""),
        ("REGION", "//320402/services/cases", "320402"),
    ],
)
def test_a_machine_is_no_human_being(kind: str, subject: str, region: str) -> None:
    principal = from_claims({"sub": subject, "actor_kind": kind, "region": region}, "")
    assert principal.human == ""
    assert principal.affairs == frozenset()
    with pytest.raises(PermissionDenied, match="ACTOR_NOT_ALLOWED"):
        separation.require_human(principal.human, principal.kind)


def test_who_is_a_party_stands_back() -> None:
    affairs = {CLERK, SHOP}
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
