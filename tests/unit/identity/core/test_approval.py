"""Two human beings stand behind what lets another speak for people."""

import pytest

from libs.errors import PermissionDenied
from services.identity.core import approval

ONE, OTHER = "persons/1", "persons/2"


def test_it_takes_two_human_beings() -> None:
    assert not approval.holds(approval.asked_by(ONE))
    assert approval.holds(approval.approved_by(approval.asked_by(ONE), OTHER, "STAFF"))


def test_who_asks_as_a_machine_counts_for_nobody() -> None:
    first = approval.approved_by(approval.asked_by(""), ONE, "STAFF")
    assert first == (ONE,)
    assert not approval.holds(first)


def test_nobody_is_their_own_second_person_and_no_machine_approves() -> None:
    with pytest.raises(PermissionDenied, match="ACTING_ON_SELF"):
        approval.approved_by((ONE,), ONE, "STAFF")
    with pytest.raises(PermissionDenied, match="ACTOR_NOT_ALLOWED"):
        approval.approved_by((ONE,), "", "CLIENT")
    assert not approval.holds((ONE, ONE))
