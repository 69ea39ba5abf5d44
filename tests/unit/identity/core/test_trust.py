"""Trust between regions: each direction stands and falls by itself, and covers what its terms say."""

from dataclasses import replace

import pytest

from libs.errors import FailedPrecondition, PermissionDenied
from services.identity.core import trust
from services.identity.core.trust import RegionState, RegionTrust, TrustDirection, TrustGrade, TrustState, TrustTerms

NAME = "regions/341500"
INBOUND, OUTBOUND, BOTH = TrustDirection.INBOUND, TrustDirection.OUTBOUND, TrustDirection.BOTH
OPEN, SUSPENDED = TrustState.OPEN, TrustState.SUSPENDED


def active(inbound: TrustState, outbound: TrustState) -> RegionTrust:
    return RegionTrust(RegionState.ACTIVE, inbound, outbound)


IN_SUSPENDED, OUT_SUSPENDED = active(SUSPENDED, OPEN), active(OPEN, SUSPENDED)
ALL_SUSPENDED = active(SUSPENDED, SUSPENDED)
PASSES = {
    trust.PROPOSED: trust.NOTHING,
    trust.BEGUN: BOTH,
    IN_SUSPENDED: OUTBOUND,
    OUT_SUSPENDED: INBOUND,
    ALL_SUSPENDED: trust.NOTHING,
    trust.OVER: trust.NOTHING,
}


@pytest.mark.parametrize("stands", PASSES)
@pytest.mark.parametrize("direction", [INBOUND, OUTBOUND, BOTH])
def test_a_direction_passes_only_where_it_is_open(stands: RegionTrust, direction: TrustDirection) -> None:
    if direction & PASSES[stands] == direction:
        trust.require("341500", stands, direction)
        return
    with pytest.raises(PermissionDenied) as caught:
        trust.require("341500", stands, direction)
    assert (caught.value.reason, caught.value.metadata) == ("REGION_NOT_TRUSTED", {"region": "341500"})


def test_a_region_that_is_not_on_the_list_is_not_trusted() -> None:
    with pytest.raises(PermissionDenied):
        trust.require("341500", None, INBOUND)


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (trust.BEGUN, INBOUND, IN_SUSPENDED),
        (trust.BEGUN, OUTBOUND, OUT_SUSPENDED),
        (trust.BEGUN, BOTH, ALL_SUSPENDED),
        (IN_SUSPENDED, OUTBOUND, ALL_SUSPENDED),
        (IN_SUSPENDED, BOTH, ALL_SUSPENDED),
        (OUT_SUSPENDED, INBOUND, ALL_SUSPENDED),
    ],
)
def test_suspending_closes_a_direction(before: RegionTrust, direction: TrustDirection, after: RegionTrust) -> None:
    assert trust.suspend(NAME, before, direction) == after


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (ALL_SUSPENDED, INBOUND, OUT_SUSPENDED),
        (ALL_SUSPENDED, OUTBOUND, IN_SUSPENDED),
        (ALL_SUSPENDED, BOTH, trust.BEGUN),
        (IN_SUSPENDED, INBOUND, trust.BEGUN),
        (OUT_SUSPENDED, BOTH, trust.BEGUN),
    ],
)
def test_resuming_opens_it_again(before: RegionTrust, direction: TrustDirection, after: RegionTrust) -> None:
    assert trust.resume(NAME, before, direction) == after


@pytest.mark.parametrize(
    ("stands", "state", "allowed"),
    [
        (trust.PROPOSED, "PROPOSED", "ACTIVE"),
        (trust.OVER, "ENDED", "ACTIVE"),
        (ALL_SUSPENDED, "SUSPENDED", "OPEN"),
    ],
)
def test_nothing_is_suspended_twice_or_outside_of_trust(stands: RegionTrust, state: str, allowed: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        trust.suspend(NAME, stands, BOTH)
    assert caught.value.metadata == {"resource": NAME, "state": state, "allowed": allowed}


@pytest.mark.parametrize("stands", [trust.PROPOSED, trust.OVER, trust.BEGUN, OUT_SUSPENDED])
def test_only_what_is_suspended_resumes(stands: RegionTrust) -> None:
    with pytest.raises(FailedPrecondition):
        trust.resume(NAME, stands, INBOUND)


def test_trust_begins_once_and_ends_for_ever() -> None:
    assert trust.activate(NAME, trust.PROPOSED) == trust.BEGUN
    for stands in PASSES.keys() - {trust.PROPOSED}:
        with pytest.raises(FailedPrecondition):
            trust.activate(NAME, stands)
    for stands in PASSES.keys() - {trust.OVER}:
        assert trust.end(NAME, stands) == trust.OVER
        trust.require_lasting(NAME, stands)
        assert not trust.may_propose(stands)
    with pytest.raises(FailedPrecondition):
        trust.end(NAME, trust.OVER)
    with pytest.raises(FailedPrecondition):
        trust.require_lasting(NAME, trust.OVER)
    assert trust.may_propose(None)
    assert trust.may_propose(trust.OVER)


PEOPLE_ONLY = TrustTerms(INBOUND, 4, min_assurance=2, actor_kinds=frozenset({"PERSON", "SERVICE"}))


@pytest.mark.parametrize(
    ("kind", "assurance", "rule"),
    [
        ("PERSON", 2, ""),
        ("PERSON", 1, "assurance"),
        ("STAFF", 4, "actor_kind"),
        # A service has no assurance of its own to be asked for.
        ("SERVICE", 0, ""),
    ],
)
def test_who_passes_is_of_a_kind_and_known_well_enough(kind: str, assurance: int, rule: str) -> None:
    if not rule:
        trust.require_covered("341500", PEOPLE_ONLY, kind, assurance)
        return
    with pytest.raises(PermissionDenied) as caught:
        trust.require_covered("341500", PEOPLE_ONLY, kind, assurance)
    told = {"region": "341500", "direction": "INBOUND", "rule": rule}
    assert (caught.value.reason, caught.value.metadata) == ("REGION_TRUST_NOT_COVERING", told)


@pytest.mark.parametrize("kind", ["PERSON", "STAFF", "SERVICE"])
def test_terms_that_say_nothing_cover_all(kind: str) -> None:
    trust.require_covered("341500", TrustTerms(OUTBOUND, 4), kind, 0)


# ---- only reads pass ----


IN_READING, ALL_READING = replace(trust.BEGUN, reading=INBOUND), replace(trust.BEGUN, reading=BOTH)


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (trust.BEGUN, INBOUND, IN_READING),
        (trust.BEGUN, BOTH, ALL_READING),
        (IN_READING, OUTBOUND, ALL_READING),
        (IN_READING, BOTH, ALL_READING),
        # What is suspended can be narrowed before anybody opens it again.
        (IN_SUSPENDED, INBOUND, replace(IN_SUSPENDED, reading=INBOUND)),
    ],
)
def test_narrowing_leaves_reads(before: RegionTrust, direction: TrustDirection, after: RegionTrust) -> None:
    assert trust.narrow(NAME, before, direction) == after


@pytest.mark.parametrize(
    ("stands", "direction", "told"),
    [
        (trust.PROPOSED, INBOUND, ("PROPOSED", "ACTIVE")),
        (trust.OVER, BOTH, ("ENDED", "ACTIVE")),
        (IN_READING, INBOUND, ("READING", "FULL")),
        (ALL_READING, BOTH, ("READING", "FULL")),
    ],
)
def test_nothing_is_narrowed_twice(stands: RegionTrust, direction: TrustDirection, told: tuple[str, str]) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        trust.narrow(NAME, stands, direction)
    assert (caught.value.reason, caught.value.metadata["state"], caught.value.metadata["allowed"]) == (
        "STATE_CONFLICT",
        *told,
    )


@pytest.mark.parametrize(
    ("before", "direction", "changes", "after"),
    [
        (ALL_READING, INBOUND, True, replace(trust.BEGUN, reading=OUTBOUND)),
        (ALL_READING, BOTH, True, trust.BEGUN),
        (replace(ALL_SUSPENDED, reading=INBOUND), BOTH, True, trust.BEGUN),
        # Who opens it again without a word of changes gets what there was.
        (replace(ALL_SUSPENDED, reading=INBOUND), BOTH, False, IN_READING),
        (replace(IN_SUSPENDED, reading=OUTBOUND), INBOUND, True, replace(trust.BEGUN, reading=OUTBOUND)),
    ],
)
def test_only_a_word_of_changes_lets_them_pass_again(
    before: RegionTrust, direction: TrustDirection, changes: bool, after: RegionTrust
) -> None:
    assert trust.resume(NAME, before, direction, changes=changes) == after


@pytest.mark.parametrize(
    ("stands", "direction", "changes"),
    [
        (trust.BEGUN, BOTH, True),
        (IN_READING, OUTBOUND, True),
        (IN_READING, INBOUND, False),
        (replace(trust.OVER, reading=BOTH), BOTH, True),
        (replace(trust.PROPOSED, reading=BOTH), BOTH, True),
    ],
)
def test_where_nothing_is_closed_nothing_resumes(stands: RegionTrust, direction: TrustDirection, changes: bool) -> None:
    with pytest.raises(FailedPrecondition):
        trust.resume(NAME, stands, direction, changes=changes)


def test_trust_begins_and_ends_with_the_grade_that_it_has() -> None:
    assert trust.activate(NAME, replace(trust.PROPOSED, reading=INBOUND)) == IN_READING
    assert trust.end(NAME, ALL_READING) == replace(trust.OVER, reading=BOTH)
    assert [IN_READING.grade(each) for each in (INBOUND, OUTBOUND)] == [TrustGrade.READING, TrustGrade.FULL]


def test_what_changes_something_does_not_pass_where_only_reads_do() -> None:
    trust.require_changes("341500", TrustTerms(OUTBOUND, 4))
    with pytest.raises(PermissionDenied) as caught:
        trust.require_changes("341500", TrustTerms(OUTBOUND, 4, grade=TrustGrade.READING))
    told = {"region": "341500", "direction": "OUTBOUND", "rule": "grade"}
    assert (caught.value.reason, caught.value.metadata) == ("REGION_READS_ONLY", told)
