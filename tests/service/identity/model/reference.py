"""What a token may do at the most, told by a model that is slow and plain: it keeps all that ever happened, and reads it all each time.

Nothing of the product stands in here. A token rests on things (a client, a post, a mandate, somebody's office, a region's word);
things stop standing and may stand again; a token that was made before its thing stopped is over for good.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

LEEWAY = 60
"""Seconds by which clocks of regions may differ."""
ACCESS_SECONDS, ASSERTION_SECONDS, DELEGATION_SECONDS = 600, 60, 90 * 24 * 3600
BELIEVED = 3
"""The highest assurance that the other region believes."""
EVERYTHING = frozenset({"*"})


@dataclass(frozen=True)
class Given:
    """A mandate as it was given."""

    name: str
    principal: str
    agent: str
    items: frozenset[str]
    ends: int
    passes_on: bool = False
    parent: "Given | None" = None

    @property
    def chain(self) -> "list[Given]":
        """The mandate and all that it comes from."""
        return [self, *(self.parent.chain if self.parent else [])]


@dataclass(frozen=True)
class Held:
    """A token, and the most that it may do.

    ``rests`` are the things that it rests on; ``for_whom`` is empty for oneself; ``abroad`` tells in which region it is shown.
    """

    text: str = field(repr=False)
    kind: str
    subject: str
    made: int
    ends: int
    assurance: int
    scopes: frozenset[str] = field(repr=False)
    rests: frozenset[str] = frozenset()
    for_whom: str = ""
    mandate: Given | None = None
    delegate: str = ""
    abroad: bool = False

    @property
    def items(self) -> frozenset[str]:
        """The items that it is good for: those of all mandates of the chain."""
        if self.mandate is None:
            return EVERYTHING
        left = self.mandate.items
        for each in self.mandate.chain:
            left = left if each.items == EVERYTHING else each.items if left == EVERYTHING else left & each.items
        return left


@dataclass
class Reference:
    """All that happened, in its order, by whole seconds."""

    now: int
    stopped: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    began: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    used: set[str] = field(default_factory=set)
    heads: dict[str, str] = field(default_factory=dict)

    def stop(self, thing: str) -> None:
        """From now on nothing that rests on it holds."""
        self.stopped[thing].append(self.now)

    def begin(self, thing: str) -> None:
        """From now on what is made anew holds again."""
        self.began[thing].append(self.now)

    def stands(self, thing: str) -> bool:
        """Says whether it stands now."""
        return len(self.stopped[thing]) == len(self.began[thing])

    def given_stands(self, given: Given) -> bool:
        """Says whether a mandate holds, with all that it comes from."""
        return all(self.stands(each.name) and self.now < each.ends for each in given.chain)

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
        """Says whether whoever the token speaks for may still act for whom it says."""
        if not held.for_whom:
            return True
        if held.mandate is None:
            return self.heads[held.for_whom] == held.subject
        return self.given_stands(held.mandate)

    def may_act_for(self, held: Held, firm: str, given: Given | None) -> bool:
        """Says whether a token may become one for a firm."""
        if not (held.kind == "access" and not held.abroad and not held.for_whom and self.makes(held)):
            return False
        if given is None:
            return self.heads[firm] == held.subject
        return given.agent == held.subject and given.principal == firm and self.given_stands(given)

    def may_stand_at_window(self, person: Held, staff: Held) -> bool:
        """Says whether a person's and a clerk's token may become one of both."""
        plain = person.subject.startswith("persons/") and not person.delegate
        clerk = staff.subject.startswith("staff/") and not staff.delegate
        at_home = not person.abroad and not staff.abroad and person.kind == staff.kind == "access"
        return plain and clerk and at_home and self.makes(person) and self.makes(staff) and self.right_stands(person)

    def may_be_asserted(self, held: Held) -> bool:
        """Says whether a token may become an assertion for the other region."""
        return self.makes(held) and self._may_leave(held)

    def may_be_accepted(self, held: Held) -> bool:
        """Says whether the other region may take an assertion."""
        fresh = held.kind == "assertion" and held.text not in self.used
        return fresh and self.now < held.ends + LEEWAY and self.stands("inbound")

    def may_be_kept(self, held: Held) -> bool:
        """Says whether a token may become a delegation: only where its holder may send applications."""
        return self.holds(held) and self._may_leave(held) and "cases.caseTransfers.send" in held.scopes

    def _may_leave(self, held: Held) -> bool:
        at_home = held.kind == "access" and not held.abroad
        return at_home and self.right_stands(held) and self.stands("outbound")

    def may_use_kept(self, held: Held) -> bool:
        """Says whether a delegation may become an assertion: it lives long, and all that it rests on must stand today."""
        standing = all(self.stands(thing) for thing in held.rests)
        alive = held.kind == "delegation" and self.now < held.ends + LEEWAY
        return alive and standing and self.right_stands(held) and self.stands("outbound")

    def acting(self, held: Held, firm: str, given: Given | None) -> Held:
        """What a token for a firm may do at the most."""
        things = {each.name for each in given.chain} if given else {f"{held.subject} {firm}"}
        ends = min([held.ends, *(each.ends for each in given.chain)] if given else [held.ends])
        return replace(held, made=self.now, ends=ends, for_whom=firm, mandate=given, rests=held.rests | things)

    def at_window(self, person: Held, staff: Held) -> Held:
        """What a token of both may do at the most, but for what a window alone may do, which the caller adds."""
        return replace(
            person,
            made=self.now,
            ends=min(person.ends, staff.ends),
            rests=person.rests | staff.rests,
            delegate=staff.subject,
            scopes=staff.scopes,
        )

    def asserted(self, held: Held, *, by: str = "") -> Held:
        """What an assertion of a token, or of what was kept of one (``by`` a service), says at the most."""
        seconds = min(self.now + ASSERTION_SECONDS, held.ends)
        ends = min([seconds, *(each.ends for each in held.mandate.chain)] if held.mandate else [seconds])
        made = replace(held, kind="assertion", made=self.now, ends=ends, rests=frozenset(), abroad=True)
        return replace(made, delegate=by or held.delegate)

    def accepted(self, held: Held) -> Held:
        """What a guest may do at the most: the other region's own doing ends it, and time."""
        ends = self.now + ACCESS_SECONDS
        ends = min([ends, *(each.ends for each in held.mandate.chain)] if held.mandate else [ends])
        assurance = min(held.assurance, BELIEVED)
        return replace(held, kind="access", made=self.now, ends=ends, rests=frozenset({"inbound"}), assurance=assurance)

    def kept(self, held: Held) -> Held:
        """What a delegation may be used for at the most."""
        ends = self.now + DELEGATION_SECONDS
        ends = min([ends, *(each.ends for each in held.mandate.chain)] if held.mandate else [ends])
        return replace(held, kind="delegation", made=self.now, ends=ends, scopes=frozenset())
