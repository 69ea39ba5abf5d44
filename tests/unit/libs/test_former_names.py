"""People are known by the names that they had before accounts were merged, and own what is kept under them."""

from typing import Any

import pytest

from libs.access.actor import Actor, from_claims
from libs.access.owners import hide_from_others, listed_owners
from libs.errors import NotFound, PermissionDenied

ID = "00000000-0000-7000-8000-00000000000"
NOW, BEFORE, HELPED, HELPED_BEFORE = (f"persons/{ID}{each}" for each in range(1, 5))
STRANGER = f"persons/{ID}9"


def _actor(**claims: Any) -> Actor:
    return from_claims({"sub": NOW, "actor_kind": "PERSON", "former": [BEFORE], **claims}, "")


def test_a_person_speaks_for_all_of_their_names() -> None:
    assert _actor().speaks_for == {NOW, BEFORE}
    helper = _actor(org=HELPED, mandate=f"mandates/{ID}1", org_former=[HELPED_BEFORE])
    assert helper.speaks_for == {NOW, BEFORE, HELPED, HELPED_BEFORE}
    assert helper.known_as(NOW) == {NOW, BEFORE}
    assert helper.known_as(HELPED) == {HELPED, HELPED_BEFORE}
    assert helper.known_as("") == helper.known_as(STRANGER) - {STRANGER} == frozenset()


def test_what_is_listed_is_theirs_by_every_name() -> None:
    helper = _actor(org=HELPED, mandate=f"mandates/{ID}1", org_former=[HELPED_BEFORE])
    assert listed_owners(_actor(), "") == (NOW, BEFORE)
    assert listed_owners(_actor(), BEFORE) == (BEFORE,)
    assert listed_owners(helper, "") == (HELPED, HELPED_BEFORE)
    assert listed_owners(helper, NOW) == (NOW, BEFORE)
    with pytest.raises(PermissionDenied):
        listed_owners(_actor(), STRANGER)


def test_what_is_kept_under_a_former_name_is_not_hidden_and_others_things_are() -> None:
    hide_from_others(_actor(), "cases/1", [BEFORE])
    with pytest.raises(NotFound):
        hide_from_others(_actor(former=[]), "cases/1", [BEFORE])


def test_staff_speak_for_nobody_by_a_former_name() -> None:
    clerk = from_claims(
        {
            "sub": f"staff/{ID}1",
            "actor_kind": "STAFF",
            "dept": f"departments/{ID}1",
            "human": NOW,
            "former": [BEFORE],
        },
        "",
    )
    assert clerk.speaks_for == frozenset()


@pytest.mark.parametrize("claim", ["former", "org_former"])
@pytest.mark.parametrize("name", [f"organizations/{ID}1", f"//320402/persons/{ID}1", f"staff/{ID}1", "", "persons/1"])
def test_a_former_name_is_a_persons_of_the_same_region(claim: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _actor(**{claim: [name]})


def test_a_guest_has_former_names_of_their_region() -> None:
    there = {"sub": f"//320402/{NOW}", "region": "320402", "human": f"//320402/{NOW}"}
    assert _actor(**there, former=[f"//320402/{BEFORE}"]).speaks_for == {f"//320402/{NOW}", f"//320402/{BEFORE}"}
    with pytest.raises(ValueError, match=r"."):
        _actor(**there)
