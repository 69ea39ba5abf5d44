"""What a token may do at the most, told by a model that is slow and plain: it keeps all that ever happened, and reads it all each time.

Nothing of the product stands in here. A token rests on things (a client, a post, a mandate, somebody's office, a region's word, the key
that signed it); things stop standing and may stand again; a token that was made before its thing stopped is over for good.
"""

from dataclasses import dataclass, replace

from tests.service.identity.model.held import Given, Held, StandIn
from tests.service.identity.model.ledger import Ledger
from tests.service.identity.model.rights import CASES, PERSON, SEND, TABLE, WINDOW, of_post

LEEWAY = 60
"""Seconds by which clocks of regions may differ."""
ACCESS_SECONDS, ASSERTION_SECONDS, DELEGATION_SECONDS = 600, 60, 90 * 24 * 3600
IN_PERSON, BY_PASSWORD = 4, 2
"""How well somebody is known whose document staff saw, and who signed in by a password alone."""


@dataclass
class Reference(Ledger):
    """Judges by what happened."""

    def given_stands(self, given: Given) -> bool:
        """Says whether a mandate holds, with all that it comes from."""
        return all(self.stands(each.name) and self.now < each.ends for each in given.chain)

    def stand_in_holds(self, found: StandIn) -> bool:
        """Says whether somebody stands in for a colleague who still has the post."""
        has = self.stands(f"post of {found.represented}") and self.offices[found.represented] == found.office
        return has and self.stands(found.name) and self.now < found.ends

    def bears(self, held: Held) -> bool:
        """Says whether all that a token rests on stood from when it was made until now."""
        return all(self.stands(thing) and not any(at > held.made for at in self.stopped[thing]) for thing in held.rests)

    def holds(self, held: Held) -> bool:
        """Says whether a token may be taken now, where it is shown."""
        return self.now < held.ends + LEEWAY and self.bears(held)

    def makes(self, held: Held) -> bool:
        """Says whether a token may become another that lives no longer: one that is over, and taken for the clocks' sake alone, makes none."""
        return self.now < held.ends and self.bears(held)

    def right_stands(self, held: Held) -> bool:
        """Says whether whoever the token speaks for may still act for whom it says, and whoever stands in still stands in."""
        if held.stands_in and not self.stand_in_holds(held.stands_in):
            return False
        if not held.for_whom:
            return True
        if held.mandate is None:
            return self.heads[held.for_whom] == held.subject
        return self.given_stands(held.mandate)

    # -- what may be made ----------------------------------------------------------------------------------------------------

    def may_sign_in(self, client: str, key: int, acts: str) -> bool:
        """Says whether a channel may say who sits before it, signed by a key."""
        signed = self.client_keys[client].takes(key, self.now)
        return self.stands(client) and signed and acts in self.channels[client].who

    def may_act_for(self, held: Held, principal: str, given: Given | None) -> bool:
        """Says whether a token may become one for a firm, or for another person."""
        if not (held.kind == "access" and not held.abroad and not held.for_whom and self.makes(held)):
            return False
        if not held.subject.startswith("persons/") or not self.right_stands(held):
            return False
        if given is None:
            return self.heads.get(principal) == held.subject
        names = given.agent == held.subject and given.principal == principal
        return names and self.given_stands(given) and self.may_be_used(given, held)

    def may_be_used(self, given: Given, held: Held) -> bool:
        """Says whether a use is left of each link of a mandate; what one token of the agent's own does is one use."""
        counted = [(each.most, self.uses[each.name]) for each in given.chain if each.most]
        return all(held.text in uses or len(uses) < most for most, uses in counted)

    def use(self, given: Given, held: Held) -> None:
        """Notes a use of a mandate, and of what it was passed on from."""
        for each in given.chain:
            if each.most:
                self.uses[each.name].add(held.text)

    def may_stand_at_window(self, person: Held, staff: Held) -> bool:
        """Says whether a person's and a clerk's token may become one of both."""
        plain = person.subject.startswith("persons/") and not person.delegate
        clerk = staff.subject.startswith("staff/") and not staff.delegate
        at_home = not person.abroad and not staff.abroad and person.kind == staff.kind == "access"
        stand = self.makes(person) and self.makes(staff) and self.right_stands(person) and self.right_stands(staff)
        return plain and clerk and at_home and stand

    def may_be_asserted(self, held: Held) -> bool:
        """Says whether a token may become an assertion for the other region."""
        return self.makes(held) and self._may_leave(held)

    def may_be_accepted(self, held: Held) -> bool:
        """Says whether the other region may take an assertion: fresh, by a key that it pinned, and within its trust."""
        fresh = held.kind == "assertion" and held.text not in self.used and self.now < held.ends + LEEWAY
        return fresh and self.stands("inbound") and held.key in self.pinned and self.trust["inbound"].covers(held)

    def may_be_kept(self, held: Held) -> bool:
        """Says whether a token may become a delegation: only where its holder may send applications."""
        return self.holds(held) and self._may_leave(held) and SEND in held.scopes

    def _may_leave(self, held: Held) -> bool:
        at_home = held.kind == "access" and not held.abroad and held.acts in ("PERSON", "STAFF")
        return at_home and self._may_cross(held)

    def _may_cross(self, held: Held) -> bool:
        travels = held.mandate is None or all(each.travels for each in held.mandate.chain)
        return self.right_stands(held) and self.stands("outbound") and travels and self.trust["outbound"].covers(held)

    def may_use_kept(self, held: Held) -> bool:
        """Says whether a delegation may become an assertion: it lives long, and all that it rests on must stand today."""
        standing = all(self.stands(thing) for thing in held.rests)
        alive = held.kind == "delegation" and self.now < held.ends + LEEWAY
        believed = all(acts in self.channels[name].who for name, acts in held.vouched)
        return alive and standing and believed and self._may_cross(self.as_believed(held))

    def as_believed(self, held: Held) -> Held:
        """The same as known no better than its channels are believed today."""
        levels = [self.channels[name].most for name, acts in held.vouched if acts == held.subject_acts]
        return replace(held, assurance=min([held.assurance, *levels]))

    # -- what it may do then -------------------------------------------------------------------------------------------------

    def person_at(self, client: str, person: str, assurance: int) -> Held:
        """What a person's token may do at the most."""
        level = min(assurance, IN_PERSON, self.channels[client].most)
        made = self._first(person, "PERSON", level, TABLE[PERSON], {client})
        return replace(made, vouched=frozenset({(client, "PERSON")}))

    def clerk_at(self, client: str, clerk: str, assurance: int, found: StandIn | None) -> Held:
        """What the token of a member of staff may do at the most, in the own post or in that of who is away."""
        whose = found.represented if found else clerk
        level = min(assurance, self.channels[client].most)
        things = {client, f"post of {whose}", *([found.name] if found else [])}
        made = self._first(clerk, "STAFF", level, of_post(self.roles[whose]), things)
        made = replace(made, vouched=frozenset({(client, "STAFF")}))
        return replace(made, stands_in=found, ends=min(made.ends, found.ends)) if found else made

    def machine(self, client: str) -> Held:
        """What a machine's own token may do at the most."""
        return self._first(client, "CLIENT", 0, self.machines[client], {client})

    def signed_in_at(self, party: str, person: str, scopes: frozenset[str], sign_in: str) -> Held:
        """What the token of a client may do to which a person signed in by password."""
        return self._first(person, "PERSON", BY_PASSWORD, scopes, {party, sign_in})

    def _first(self, subject: str, acts: str, level: int, scopes: frozenset[str], rests: set[str]) -> Held:
        key, ends = self.signing, self.now + ACCESS_SECONDS
        things = frozenset({*rests, f"key {key}"})
        return Held("", "access", subject, acts, self.now, ends, level, scopes, things, key=key)

    def signed(self, held: Held, kind: str) -> Held:
        """The same as a token that is made now at home: another key may sign it."""
        keys = {thing for thing in held.rests if thing.startswith("key ")}
        rests = frozenset({*held.rests - keys, f"key {self.signing}"})
        return replace(held, kind=kind, made=self.now, key=self.signing, rests=rests)

    def acting(self, held: Held, principal: str, given: Given | None) -> Held:
        """What a token for a firm or a person may do at the most."""
        things = {each.name for each in given.chain} if given else {f"{held.subject} {principal}"}
        ends = min([held.ends, *(each.ends for each in given.chain)] if given else [held.ends])
        made = self.signed(held, "access")
        return replace(made, ends=ends, for_whom=principal, mandate=given, rests=made.rests | things)

    def at_window(self, person: Held, staff: Held) -> Held:
        """What a token of both may do: what both may, and what only a window does, so far as the clerk may."""
        made = self.signed(replace(person, rests=person.rests | staff.rests), "access")
        return replace(
            made,
            acts="STAFF",
            ends=min(person.ends, staff.ends),
            delegate=staff.subject,
            scopes=((TABLE[PERSON] & person.scopes) | (TABLE[WINDOW] - TABLE[PERSON])) & staff.scopes,
            stands_in=staff.stands_in,
            vouched=person.vouched | staff.vouched,
        )

    def asserted(self, held: Held, *, by: str = "") -> Held:
        """What an assertion of a token, or of what was kept of one (``by`` a service), says at the most."""
        seconds = min(self.now + ASSERTION_SECONDS, held.ends)
        ends = min([seconds, *(each.ends for each in held.mandate.chain)] if held.mandate else [seconds])
        level = min(self.as_believed(held).assurance, self.trust["outbound"].most)
        made = replace(self.signed(held, "assertion"), ends=ends, rests=frozenset(), abroad=True, assurance=level)
        made = replace(made, delegate=by or held.delegate, stands_in=None)
        return replace(made, acts="SERVICE", scopes=TABLE[CASES]) if by else made

    def accepted(self, held: Held) -> Held:
        """What a guest may do at the most: the other region's own doing ends it, and time."""
        ends = self.now + ACCESS_SECONDS
        ends = min([ends, *(each.ends for each in held.mandate.chain)] if held.mandate else [ends])
        level, rests = min(held.assurance, self.trust["inbound"].most), frozenset({"inbound"})
        return replace(
            held, kind="access", made=self.now, ends=ends, rests=rests, assurance=level, scopes=held.guest_scopes
        )

    def kept(self, held: Held) -> Held:
        """What a delegation may be used for at the most."""
        ends = self.now + DELEGATION_SECONDS
        ends = min([ends, *(each.ends for each in held.mandate.chain)] if held.mandate else [ends])
        return replace(self.signed(held, "delegation"), ends=ends, scopes=frozenset())
