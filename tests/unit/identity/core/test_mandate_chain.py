"""What was passed on never does more than its chain allows: rule by rule, and against a slow model of the words of the contract."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import TongbanError
from services.identity.core import mandate_rules
from services.identity.core.mandate_chain import MOST_PASSED_ON, MandateChain, check_passing_on
from services.identity.core.mandate_rules import Mandate, MandatePower, MandateScope, MandateState
from tests.unit.identity.records import mandate

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
FIRM, AGENCY, CLERK = "organizations/firm", "persons/agency", "persons/clerk"
APPLY, PRESENT, COLLECT = MandatePower.APPLY, MandatePower.PRESENT, MandatePower.COLLECT
PARENT = mandate(
    id="parent",
    principal=FIRM,
    agent=AGENCY,
    item_codes=("A", "B"),
    powers=(APPLY, PRESENT),
    sub_delegable=True,
    regions=frozenset({"320402", "330102"}),
    state=MandateState.ACTIVE,
)
CHILD = replace(
    PARENT,
    id="child",
    agent=CLERK,
    granter=AGENCY,
    parent=PARENT.name,
    sub_delegable=False,
    item_codes=("A",),
    powers=(APPLY,),
    regions=frozenset({"320402"}),
)


def refused(act: Callable[[], object]) -> str:
    """The reason, with the rule of the field where it is one."""
    with pytest.raises(TongbanError) as caught:
        act()
    return " ".join([caught.value.reason, *(each.rule for each in caught.value.violations)])


def test_what_lies_within_its_parent_may_be_passed_on() -> None:
    check_passing_on(CHILD, PARENT, MOST_PASSED_ON - 1, NOW)
    whole = replace(PARENT, all_items=True, item_codes=(), regions=None)
    check_passing_on(replace(CHILD, regions=None), whole, 0, NOW)
    check_passing_on(replace(CHILD, all_items=True, item_codes=()), whole, 0, NOW)
    later = replace(PARENT, begin_time=NOW + timedelta(days=1))
    check_passing_on(replace(CHILD, begin_time=later.begin_time), later, 0, NOW)


BEYOND: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"agent": "persons/other"}, "MANDATE_WRONG_AGENT"),
    ({"principal": "organizations/other"}, {}, "FIELD_INVALID mandate.parent"),
    ({}, {"state": MandateState.REVOKED}, "MANDATE_NOT_ACTIVE"),
    ({}, {"state": MandateState.PROPOSED}, "MANDATE_NOT_ACTIVE"),
    ({}, {"expire_time": NOW}, "MANDATE_NOT_ACTIVE"),
    ({}, {"sub_delegable": False}, "FIELD_INVALID mandate.sub_delegable"),
    ({}, {"parent": "mandates/above"}, "FIELD_INVALID mandate.sub_delegable"),
    ({"sub_delegable": True}, {}, "FIELD_INVALID mandate.depth"),
    ({"agent": AGENCY}, {}, "FIELD_INVALID mandate.self"),
    ({"item_codes": ("A", "C")}, {}, "FIELD_INVALID mandate.within"),
    ({"item_codes": (), "all_items": True}, {}, "FIELD_INVALID mandate.within"),
    ({"powers": (APPLY, COLLECT)}, {}, "FIELD_INVALID mandate.within"),
    ({"begin_time": NOW - timedelta(seconds=1)}, {}, "FIELD_INVALID mandate.within"),
    ({"expire_time": PARENT.expire_time + timedelta(seconds=1)}, {}, "FIELD_INVALID mandate.within"),
    ({"regions": None}, {}, "FIELD_INVALID mandate.within"),
    ({"regions": frozenset({"440106"})}, {}, "FIELD_INVALID mandate.within"),
]


@pytest.mark.parametrize(("child", "parent", "reason"), BEYOND)
def test_nothing_beyond_its_parent_is_passed_on(child: dict[str, Any], parent: dict[str, Any], reason: str) -> None:
    assert refused(lambda: check_passing_on(replace(CHILD, **child), replace(PARENT, **parent), 0, NOW)) == reason


def test_so_many_are_passed_on_and_no_more() -> None:
    assert refused(lambda: check_passing_on(CHILD, PARENT, MOST_PASSED_ON, NOW)) == "FIELD_INVALID mandate.passed_on"


ENDED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"state": MandateState.REVOKED}, "MANDATE_NOT_ACTIVE"),
    ({}, {"state": MandateState.REQUESTED}, "MANDATE_NOT_ACTIVE"),
    ({}, {"expire_time": NOW}, "MANDATE_NOT_ACTIVE"),
    ({}, {"begin_time": NOW + timedelta(seconds=1)}, "MANDATE_NOT_ACTIVE"),
    ({"state": MandateState.PROPOSED}, {}, "MANDATE_NOT_ACTIVE"),
    ({"granter": "persons/other"}, {}, "MANDATE_WRONG_AGENT"),
    ({}, {"principal": "organizations/other"}, "MANDATE_WRONG_PRINCIPAL"),
    ({}, {"sub_delegable": False}, "MANDATE_NOT_ACTIVE"),
    ({}, {"parent": "mandates/above"}, "MANDATE_NOT_ACTIVE"),
    ({"parent": "mandates/other"}, {}, "MANDATE_NOT_ACTIVE"),
]


@pytest.mark.parametrize(("child", "parent", "reason"), ENDED)
def test_a_chain_holds_as_long_as_each_of_its_links(child: dict[str, Any], parent: dict[str, Any], reason: str) -> None:
    asked = {"person": CLERK, "principal": FIRM, "now": NOW}
    MandateChain(CHILD, PARENT).check(**asked)  # type: ignore[arg-type]
    broken = MandateChain(replace(CHILD, **child), replace(PARENT, **parent))
    assert refused(lambda: broken.check(**asked)) == reason  # type: ignore[arg-type]


def test_what_was_passed_on_is_nothing_without_what_it_comes_from() -> None:
    alone = MandateChain(CHILD)
    assert refused(lambda: alone.check(person=CLERK, principal=FIRM, now=NOW)) == "MANDATE_NOT_ACTIVE"


def test_a_chain_is_as_narrow_as_its_narrowest_link() -> None:
    wide = replace(CHILD, all_items=True, item_codes=(), powers=(APPLY, COLLECT), regions=None)
    found = MandateChain(wide, replace(PARENT, expire_time=NOW + timedelta(days=1)))
    assert found.scope == MandateScope(frozenset({APPLY}), frozenset({"A", "B"}))
    assert found.expire_time == NOW + timedelta(days=1)
    assert found.regions == PARENT.regions
    found.check_region("320402")
    assert refused(lambda: found.check_region("440106")) == "MANDATE_NOT_FOR_REGION"
    MandateChain(wide).check_region("440106")
    nowhere = MandateChain(replace(wide, regions=frozenset()))
    assert refused(lambda: nowhere.check_region("320402")) == "MANDATE_NOT_FOR_REGION"


# -- Against a model ---------------------------------------------------------------------------------------------------

PEOPLE = ["persons/1", "persons/2", "persons/3"]
ITEMS, POWERS, REGIONS = ["A", "B"], [APPLY, PRESENT], ["r1", "r2"]
_Act = tuple[str, str, MandatePower, str]


@dataclass
class Told:
    """A mandate as the model keeps it: every single act that it was given for, and nothing derived."""

    agent: str
    acts: set[_Act]
    begin: int
    end: int
    passes: bool
    above: "Told | None" = None
    accepted: bool = True
    revoked: bool = False

    def lets(self, act: _Act, day: int) -> bool:
        """By the words of the contract: it and what it comes from hold now, and each was given for this very act."""
        holds = self.accepted and not self.revoked and self.begin <= day < self.end and act[1:] in self.bare()
        return holds and (
            self.above is None or (self.above.passes and self.above.lets((self.above.agent, *act[1:]), day))
        )

    def bare(self) -> set[tuple[str, MandatePower, str]]:
        return {act[1:] for act in self.acts}


@dataclass
class World:
    """Mandates as rules make them, beside the model; a step that rules refuse happens in neither."""

    day: int = 0
    made: list[Mandate] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return NOW + timedelta(days=self.day)

    def give(self, by: int, agent: int, items: frozenset[str], powers: frozenset[MandatePower], **more: Any) -> None:
        """``by`` is the mandate that is passed on, counted from the end; -1 for the firm's own."""
        fits = more["fits"]  # else most of what is drawn lies beyond its parent
        from_ = [each for each in self.made if not fits or (each.sub_delegable and not each.parent)]
        above = from_[by % len(from_)] if by >= 0 and from_ else None
        begin, days, regions = more["begin"], more["days"], more["regions"]
        if above is not None and fits:
            items, powers, regions = _fitting(above, items, powers, regions)
            begin, days = (above.begin_time - NOW).days, min(days, (above.expire_time - above.begin_time).days)
        draft = mandate(
            id=str(len(self.made)),
            principal=FIRM,
            agent=PEOPLE[agent],
            item_codes=tuple(sorted(items)),
            all_items=not items,
            powers=tuple(sorted(powers)),
            begin_time=NOW + timedelta(days=begin),
            expire_time=NOW + timedelta(days=begin + days),
            granter=above.agent if above else "persons/boss",
            parent=above.name if above else "",
            sub_delegable=more["passes"] and not (above and fits),
            regions=regions,
            acceptance_required=more["waits"],
        )
        try:
            given_now = mandate_rules.grant(draft, self.now)
            if above is not None:
                check_passing_on(given_now, above, 0, self.now)
        except TongbanError:
            return
        acts = {
            (draft.agent, item, power, region)
            for item in (items or {*ITEMS, "other"})
            for power in powers
            for region in ["", *(REGIONS if regions is None else regions)]
        }
        parent = self.told[self.made.index(above)] if above else None
        self.made.append(given_now)
        self.told.append(
            Told(draft.agent, acts, begin, begin + days, draft.sub_delegable, parent, accepted=not more["waits"])
        )

    def accept(self, at: int) -> None:
        self._change(at, lambda each: mandate_rules.accept(each, each.agent, self.now), "accepted")

    def revoke(self, at: int) -> None:
        self._change(at, lambda each: mandate_rules.revoke(each, "", self.now), "revoked")

    def _change(self, at: int, rule: Callable[[Mandate], Mandate], word: str) -> None:
        if not self.made:
            return
        place = at % len(self.made)
        try:
            self.made[place] = rule(self.made[place])
        except TongbanError:
            return
        setattr(self.told[place], word, True)

    def lets(self, place: int, act: _Act) -> bool:
        """What the rules say, asked as every use asks them."""
        person, item, power, region = act
        each = self.made[place]
        above = next((one for one in self.made if one.name == each.parent), None)
        chain = MandateChain(each, above)
        try:
            chain.check(person=person, principal=FIRM, now=self.now)
            mandate_rules.check_item(each.name, chain.scope, [item], power)
            if region:
                chain.check_region(region)
        except TongbanError:
            return False
        return self.now < chain.expire_time


def _fitting(
    above: Mandate, items: frozenset[str], powers: frozenset[MandatePower], regions: frozenset[str] | None
) -> tuple[frozenset[str], frozenset[MandatePower], frozenset[str] | None]:
    """What of it lies within a parent; all of the parent's where nothing would."""
    scope = above.scope
    items = items if scope.all_items else (items & scope.item_codes) or scope.item_codes
    if above.regions is not None:
        regions = above.regions if regions is None else regions & above.regions
    return items, (powers & scope.powers) or scope.powers, regions


_ACTS = [(p, i, w, r) for p in PEOPLE for i in [*ITEMS, "other"] for w in POWERS for r in ["", *REGIONS]]
_GIVE = st.tuples(
    st.just("give"),
    st.fixed_dictionaries(
        {
            "by": st.sampled_from([-1, 0, 1, 2]),
            "agent": st.integers(0, 2),
            "items": st.frozensets(st.sampled_from(ITEMS)),
            "powers": st.frozensets(st.sampled_from(POWERS), min_size=1),
            "begin": st.sampled_from([0, 0, 0, 1]),
            "days": st.integers(1, 9),
            "regions": st.none() | st.frozensets(st.sampled_from(REGIONS)),
            "fits": st.sampled_from([True, True, False]),
            "passes": st.sampled_from([True, True, False]),
            "waits": st.sampled_from([False, False, False, True]),
        }
    ),
)
_STEP = (
    _GIVE | st.tuples(st.sampled_from(["accept", "revoke"]), st.integers(0, 3)) | st.tuples(st.just("wait"), st.none())
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_STEP, min_size=3, max_size=12))
def test_no_sequence_of_steps_lets_a_mandate_do_more_than_its_chain(steps: list[tuple[str, Any]]) -> None:
    world = World()
    for step, value in steps:
        if step == "wait":
            world.day += 1
        elif step == "give":
            world.give(**value)
        else:
            getattr(world, step)(value)
        for place, told in enumerate(world.told):
            allowed = {act for act in _ACTS if world.lets(place, act)}
            assert allowed == {act for act in _ACTS if act[0] == told.agent and told.lets(act, world.day)}
            # And by sets alone: what was passed on is never beyond what the firm gave.
            assert told.above is None or {act[1:] for act in allowed} <= told.above.bare()
