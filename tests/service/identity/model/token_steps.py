"""Steps that make tokens: signing in, exchanging, crossing to the other region."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.service.identity.model.held import Held, StandIn
from tests.service.identity.model.machine import ANY, Machine, of
from tests.service.identity.model.places import AWAY, HOME
from tests.service.identity.model.rights import SEND, WANTED, asked

_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
WANTS = st.sampled_from(WANTED)


class TokenSteps(Machine):
    """What callers of all kinds ask for."""

    @rule(who=ANY, channel=ANY, assurance=st.integers(1, 4), key=ANY, wanted=WANTS)
    def signs_in(self, who: int, channel: int, assurance: int, key: int, wanted: str) -> None:
        """A person or a clerk at a channel."""
        subject, name = of(self.world.people + self.world.clerks, who), of(self.world.channels, channel)
        if subject.startswith("staff/"):
            self._clerk(subject, name, assurance, key, wanted)
        else:
            self._person(subject, name, assurance, key, wanted)

    def _person(self, subject: str, name: str, assurance: int, key: int, wanted: str) -> None:
        held, number = self.model.person_at(name, subject, assurance), self.key_of(name, key)
        scopes = asked(held.scopes, wanted)
        allowed = self.model.may_sign_in(name, number, "PERSON") and scopes is not None
        text = self.world.sign_in(subject, name, assurance, key=number, scope=wanted)
        self._made(text, allowed, held, scopes)

    @precondition(lambda self: self.stand_ins)
    @rule(which=ANY, channel=ANY, key=ANY, wanted=WANTS)
    def stands_in(self, which: int, channel: int, key: int, wanted: str) -> None:
        """A clerk in the post of a colleague."""
        found = of(self.stand_ins, which)
        self._clerk(found.substitute, of(self.world.channels, channel), 4, key, wanted, found)

    def _clerk(
        self, clerk: str, name: str, assurance: int, key: int, wanted: str, found: StandIn | None = None
    ) -> None:
        held, number = self.model.clerk_at(name, clerk, assurance, found), self.key_of(name, key)
        scopes = asked(held.scopes, wanted)
        office = self.model.stand_in_holds(found) if found else self.model.stands(f"post of {clerk}")
        allowed = self.model.may_sign_in(name, number, "STAFF") and office and scopes is not None
        text = self.world.sign_in(clerk, name, assurance, key=number, scope=wanted, stands_in=found)
        self._made(text, allowed, held, scopes)

    @rule(which=ANY, key=ANY, wanted=st.sampled_from(["", "cases.cases.get", "license.licenses.get", "cases.*"]))
    def machine_asks(self, which: int, key: int, wanted: str) -> None:
        """A machine for itself."""
        name = of(self.world.machines, which)
        held, number = self.model.machine(name), self.key_of(name, key)
        scopes = asked(held.scopes, wanted)
        takes = self.model.client_keys[name].takes(number, self.model.now)
        allowed = self.model.stands(name) and takes and scopes is not None
        self._made(self.world.machine_asks(name, key=number, scope=wanted), allowed, held, scopes)

    @precondition(lambda self: self.held)
    @rule(token=ANY, firm=ANY, given=ANY, wanted=WANTS)
    def acts_for(self, token: int, firm: int, given: int, wanted: str) -> None:
        """Somebody for a firm or another person, mostly where they may."""
        held = self.one(token, lambda each: not each.for_whom and bool(self.rights(each)))
        name, mandate = of(self.world.firms + self.world.wards + self.world.people, firm), self.one_given(given)
        if firm % 4 and (rights := self.rights(held)):
            name, mandate = of(rights, given)
        fields = {"on_behalf_of": name, "mandate": mandate.name if mandate else "", "scope": wanted}
        scopes = asked(held.scopes, wanted)
        allowed = self.model.may_act_for(held, name, mandate) and scopes is not None
        made = self.model.acting(held, name, mandate) if allowed else held
        if self._made(self._exchange(held, **fields), allowed, made, scopes) and mandate:
            self.model.use(mandate, held)

    @precondition(lambda self: len(self.held) > 1)
    @rule(person=ANY, clerk=ANY, wanted=WANTS)
    def stands_at_a_window(self, person: int, clerk: int, wanted: str) -> None:
        """A person before a clerk."""
        held = self.one(person, lambda each: each.subject.startswith("persons/") and not each.abroad)
        staff = self.one(clerk, lambda each: each.subject.startswith("staff/") and not each.abroad)
        made = self.model.at_window(held, staff)
        scopes = asked(made.scopes, wanted)
        allowed = self.model.may_stand_at_window(held, staff) and scopes is not None
        fields = {"actor_token": staff.text, "actor_token_type": _ACCESS, "scope": wanted}
        self._made(self._exchange(held, **fields), allowed, made, scopes)

    @precondition(lambda self: self.held)
    @rule(token=ANY, wanted=WANTS)
    def is_asserted(self, token: int, wanted: str) -> None:
        """Somebody goes to the other region."""
        held = self.one(token, lambda each: not each.abroad)
        scopes = asked(held.scopes, wanted)
        allowed = self.model.may_be_asserted(held) and scopes is not None
        self._made(self._exchange(held, audience=AWAY, scope=wanted), allowed, self.model.asserted(held), scopes)

    @precondition(lambda self: any(each.kind == "assertion" for each in self.held))
    @rule(token=ANY, wanted=WANTS)
    def is_accepted(self, token: int, wanted: str) -> None:
        """The other region takes them in."""
        held = self.one(token, lambda each: each.kind == "assertion" and each.text not in self.model.used)
        made = self.model.accepted(held)
        scopes = asked(made.scopes, wanted)
        allowed = self.model.may_be_accepted(held) and scopes is not None
        if self._made(self.world.accept(held.text, wanted), allowed, made, scopes):
            self.model.used.add(held.text)

    @precondition(lambda self: self.held)
    @rule(token=ANY)
    def is_kept(self, token: int) -> None:
        """The right to speak for somebody is kept for later."""
        held = self.one(token, lambda each: not each.abroad and SEND in each.scopes)
        made = self.model.kept(held)
        self._made(self.world.keep(held.text), self.model.may_be_kept(held), made, made.scopes)

    @precondition(lambda self: any(each.kind == "delegation" for each in self.held))
    @rule(token=ANY)
    def is_used_later(self, token: int) -> None:
        """The service of cases speaks for them."""
        held = self.one(token, lambda each: each.kind == "delegation")
        made = self.model.asserted(held, by="services/cases")
        self._made(self.world.use_kept(held.text), self.model.may_use_kept(held), made, made.scopes)

    @rule(seconds=st.sampled_from((1, 2, 3, 7, 7, 20, 45, 61, 130, 400, 661)))
    def time_passes(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self.passes(seconds)

    def _made(self, text: Coroutine[Any, Any, str], allowed: bool, held: Held, scopes: frozenset[str] | None) -> str:
        return self.makes(text, allowed, lambda: replace(held, scopes=scopes or frozenset()))

    def _exchange(self, held: Held, **fields: str) -> Coroutine[Any, Any, str]:
        place = self.world.away if held.abroad else self.world.home
        if held.abroad and fields.get("audience") == AWAY:
            fields["audience"] = HOME
        return self.world.exchange(place, held.text, **fields)
