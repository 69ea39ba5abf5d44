"""Steps that give rights, end them, narrow them, and rotate keys."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.service.identity.model.held import APPLY, COLLECT, EVERYTHING, PRESENT, Channel, Given, StandIn, Trust
from tests.service.identity.model.ledger import BOTH
from tests.service.identity.model.machine import ANY, Machine, of
from tests.service.identity.model.offices import limited, scope_of
from tests.service.identity.model.rights import MACHINE, ROLE

_ITEMS = (EVERYTHING, frozenset({"ITEM-1"}), frozenset({"ITEM-1", "ITEM-2"}), frozenset({"ITEM-3"}))
_POWERS = (frozenset({APPLY}), frozenset({APPLY, PRESENT}), frozenset({APPLY, PRESENT, COLLECT}), frozenset({COLLECT}))
_USES = (0, 0, 0, 1, 2)
_WHO = (BOTH, BOTH, frozenset({"PERSON"}), frozenset({"STAFF"}))
_MINUTES = st.integers(1, 300)
_EVERYBODY = frozenset({"PERSON", "STAFF", "SERVICE"})
_PASSING = (frozenset[str](), frozenset[str](), _EVERYBODY, frozenset({"PERSON"}), frozenset({"SERVICE", "STAFF"}))


class ChangeSteps(Machine):
    """What principals, administrators and operators do."""

    @rule(whose=ANY, agent=ANY, what=ANY, minutes=_MINUTES, passes_on=st.booleans(), travels=ANY, most=ANY)
    def gives_a_mandate(
        self, whose: int, agent: int, what: int, minutes: int, travels: int, most: int, *, passes_on: bool
    ) -> None:
        """A firm to an agent, or a person to a helper."""
        principal, who = of(self.world.firms * 2 + self.world.people, whose), of(self.world.people, agent)
        giver = self.model.heads.get(principal, principal)
        if who in (giver, principal):
            return
        ends, items, powers = self.model.now + 60 * minutes, of(_ITEMS, what), of(_POWERS, what // 4)
        draft = Given("", principal, who, items, ends, powers, passes_on, None, of(_USES, most), travels % 4 != 0)
        self._give(giver, draft)

    @precondition(lambda self: any(each.passes_on for each in self.given))
    @rule(parent=ANY, agent=ANY, minutes=_MINUTES, most=ANY, less=st.booleans())
    def passes_one_on(self, parent: int, agent: int, minutes: int, most: int, *, less: bool) -> None:
        """An agent to another, as much as it is or less."""
        mandate, who = of([each for each in self.given if each.passes_on], parent), of(self.world.people, agent)
        if who in (mandate.agent, mandate.principal) or not self.model.given_stands(mandate):
            return
        ends = min(self.model.now + 60 * minutes, mandate.ends)
        items = frozenset({"ITEM-1"}) if less and mandate.items == EVERYTHING else mandate.items
        powers = frozenset([min(mandate.powers)]) if less else mandate.powers
        made = Given("", mandate.principal, who, items, ends, powers, parent=mandate, most=of(_USES, most))
        self._give(mandate.agent, replace(made, travels=mandate.travels))

    @rule(agent=ANY, what=ANY, minutes=_MINUTES, travels=ANY)
    def gets_a_guardian(self, agent: int, what: int, minutes: int, travels: int) -> None:
        """Staff record who stands for a child."""
        ward, who = of(self.world.wards, 0), of(self.world.people, agent)
        items, powers = of(_ITEMS, what), of(_POWERS, what // 4)
        draft = Given(
            "", ward, who, items, self.model.now + 60 * minutes, powers, travels=travels % 4 != 0, guardian=True
        )
        scope, limits = scope_of(items, powers), limited(travels=draft.travels)
        name = self.run(self.world.guard(ward, who, seconds=60 * minutes, scope=scope, limits=limits))
        self.given.append(replace(draft, name=name))

    @rule(which=ANY)
    def a_mandate_ends(self, which: int) -> None:
        """Who gave it ends it, or staff where it is a guardian's."""
        mandate = self.one_given(which)
        if mandate is None or not self.model.given_stands(mandate):
            return
        giver = "" if mandate.guardian else self.model.heads.get(mandate.principal, mandate.principal)
        self._change(self.world.revoke(mandate.name, self.signed_in(giver) if giver else ""))
        self.model.stop(mandate.name)
        self.tick()

    @rule(firm=ANY, who=ANY)
    def another_represents(self, firm: int, who: int) -> None:
        """A firm gets another representative by law."""
        name, person = of(self.world.firms, firm), of(self.world.people, who)
        before = self.model.heads[name]
        if before == person:
            return
        self._change(self.world.represent(name, person))
        self.model.heads[name] = person
        self.model.stop(f"{before} {name}")
        if not self.model.stands(f"{person} {name}"):
            self.model.begin(f"{person} {name}")
        self.tick()

    @rule(what=st.sampled_from(["client", "clerk", "inbound", "outbound"]), which=ANY)
    def something_ends_or_begins(self, what: str, which: int) -> None:
        """A client, a clerk's post, or what passes one way between the regions."""
        if what == "client":
            self.turn_client(of(self.world.clients, which))
        elif what == "clerk":
            self.turn_clerk(of(self.world.clerks, which))
        else:
            self.turn_trust(what)

    @rule(clerk=ANY, which=ANY)
    def a_role_is_narrowed(self, clerk: int, which: int) -> None:
        """A permission is taken from the role of a clerk's post."""
        name = of(self.world.clerks, clerk)
        left = self.model.roles[name]
        if len(left) == 1 or not self.model.stands(f"post of {name}"):
            return
        taken = of(sorted(left), which)
        self._change(self.world.narrow_role(name, taken))
        self.model.roles[name] = left - {taken}
        self.model.renew(f"post of {name}")
        self.tick()

    @rule(which=ANY, most=st.integers(1, 4), who=ANY)
    def a_channel_gets_other_terms(self, which: int, most: int, who: int) -> None:
        """It is believed less far or of fewer at once, further when two people said so."""
        name = of(self.world.channels, which)
        before, terms = self.model.channels[name], Channel(most, of(_WHO, who))
        if terms == before:
            return
        self._change(self.world.change_client(name, terms))
        self.model.channels[name] = terms
        if terms.most < before.most or not before.who <= terms.who:
            self.model.renew(name)
        self.tick()

    @rule(which=ANY, lacks=st.sets(st.sampled_from(sorted(MACHINE)), max_size=3))
    def a_machine_gets_other_permissions(self, which: int, lacks: set[str]) -> None:
        """It may less, or what it might before."""
        name, may = of(self.world.machines + self.world.parties, which), MACHINE - lacks
        before = self.model.machines[name]
        if may == before:
            return
        self._change(self.world.change_client(name, may))
        self.model.machines[name] = may
        if not before <= may:
            self.model.renew(name)
        self.tick()

    @rule(which=ANY, overlap=st.sampled_from([0, 0, 60, 300]), approved=ANY)
    def a_client_gets_another_key(self, which: int, overlap: int, approved: int) -> None:
        """The key before it is good for a while, or no more; of a channel nothing changes until two people said so."""
        name = of(self.world.clients, which)
        if not self.model.stands(name):
            return
        agreed = approved % 4 != 0 or name not in self.world.channels
        self.tick()
        number = self.run(self.world.rotate(name, overlap, approved=agreed))
        if agreed:
            self.model.client_keys[name].rotate(number, self.model.now + overlap)
            if not overlap:
                self.model.renew(name)
        self.tick()

    @rule(
        way=st.sampled_from(["inbound", "outbound"]),
        most=st.integers(1, 4),
        least=st.sampled_from([0, 0, 2, 3]),
        who=ANY,
    )
    def the_trust_is_made_anew(self, way: str, most: int, least: int, who: int) -> None:
        """It ends and begins on other terms; the keys are pinned anew with it."""
        terms = Trust(most, min(most, least), of(_PASSING, who))
        self._change(self.world.trust_anew(way, terms))
        self.model.trust[way] = terms
        if way == "inbound":
            self.model.pinned = frozenset(self.model.region_keys)
        if self.model.stands(way):
            self.model.stop(way)
        self.model.begin(way)
        self.tick()

    @rule(what=st.sampled_from(["make", "leak", "pin", "pin"]), which=ANY)
    def keys_of_the_region_change(self, what: str, which: int) -> None:
        """The next is made, one leaks and is destroyed, or the other region pins those that are published."""
        self.tick()
        left = self.model.region_keys = self.world.region_keys()
        if what == "make":
            self.world.make_key()
            self.model.region_keys = self.world.region_keys()
        elif what == "leak" and len(left) > 1:
            gone = of(sorted(left), which)
            self.world.destroy_key(gone)
            self.model.destroy_key(gone)
        elif what == "pin":
            self.run(self.world.pin())
            self.model.pinned = frozenset(left)
        self.tick()

    @rule(represented=ANY, minutes=_MINUTES)
    def somebody_is_away(self, represented: int, minutes: int) -> None:
        """A colleague stands in for a clerk."""
        away = of(self.world.clerks, represented)
        other = of([each for each in self.world.clerks if each != away], 0)
        same = [each for each in self.stand_ins if each.represented == away and self.model.stands(each.name)]
        if not self.model.stands(f"post of {away}") or any(self.model.now < each.ends for each in same):
            return
        name = self.run(self.world.stand_in(away, other, 60 * minutes))
        self.stand_ins.append(StandIn(name, away, other, self.model.now + 60 * minutes, self.model.offices[away]))

    @precondition(lambda self: self.stand_ins)
    @rule(which=ANY)
    def somebody_is_back(self, which: int) -> None:
        """Nobody stands in for a clerk any more."""
        found = of(self.stand_ins, which)
        if not self.model.stands(found.name) or self.model.now >= found.ends:
            return
        self._change(self.world.end_stand_in(found.name))
        self.model.stop(found.name)
        self.tick()

    # -- how --------------------------------------------------------------------------------------------------------------------

    def _change(self, change: Coroutine[Any, Any, Any]) -> None:
        """Does something a second after what was before; whoever calls lets another one pass."""
        self.tick()
        self.model.region_keys = self.world.region_keys()
        self.run(change)

    def _give(self, giver: str, draft: Given) -> None:
        fields = {
            "scope": scope_of(draft.items, draft.powers),
            "sub_delegable": draft.passes_on,
            "parent": draft.parent.name if draft.parent else "",
            "max_uses": draft.most,
            "limits": limited(travels=draft.travels),
        }
        seconds, token = draft.ends - self.model.now, self.signed_in(giver)
        name = self.run(self.world.give(token, draft.principal, draft.agent, seconds=seconds, **fields))
        self.given.append(replace(draft, name=name))

    def turn_client(self, name: str) -> None:
        """Suspends a client, or resumes it."""
        if not self._turn(name, lambda stands: self.world.client_stands(name, stands=stands)):
            self.model.suspended[name].append(self.model.stopped[name][-1])

    def turn_clerk(self, clerk: str) -> None:
        """Takes a clerk's post, or gives them a fresh one, for which nobody stands in."""
        if self._turn(f"post of {clerk}", lambda stands: self.world.clerk_stands(clerk, stands=stands)):
            self.model.roles[clerk] = ROLE
            self.model.offices[clerk] += 1

    def turn_trust(self, way: str) -> None:
        """Suspends what passes one way, or resumes it."""
        self._turn(way, lambda stands: self.world.trust_stands(way, stands=stands))

    def _turn(self, thing: str, change: Callable[[bool], Coroutine[Any, Any, None]]) -> bool:
        """Ends what stands, or lets it stand again; says which."""
        stands = not self.model.stands(thing)
        self._change(change(stands))
        (self.model.begin if stands else self.model.stop)(thing)
        self.tick()
        return stands
