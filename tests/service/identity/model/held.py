"""What the model remembers of mandates, of colleagues who stand in, and of tokens."""

from dataclasses import dataclass, field

from tests.service.identity.model.rights import REGION, TABLE

EVERYTHING = frozenset({"*"})
APPLY, PRESENT, COLLECT = "APPLY", "PRESENT", "COLLECT"


@dataclass(frozen=True)
class Given:
    """A mandate as it was given: an agent's, a helper's or a guardian's.

    ``most`` is how often it may be used, 0 for as often as one likes; ``travels`` says whether it is good in the other region.
    """

    name: str
    principal: str
    agent: str
    items: frozenset[str]
    ends: int
    powers: frozenset[str] = frozenset({APPLY})
    passes_on: bool = False
    parent: "Given | None" = None
    most: int = 0
    travels: bool = True
    guardian: bool = False

    @property
    def chain(self) -> "list[Given]":
        """The mandate and all that it comes from."""
        return [self, *(self.parent.chain if self.parent else [])]

    @property
    def all_items(self) -> frozenset[str]:
        """The items of all of the chain."""
        left = self.items
        for each in self.chain:
            left = left if each.items == EVERYTHING else each.items if left == EVERYTHING else left & each.items
        return left

    @property
    def all_powers(self) -> frozenset[str]:
        """What all of the chain lets the agent do."""
        return frozenset.intersection(*(each.powers for each in self.chain))


@dataclass(frozen=True)
class StandIn:
    """That a member of staff stands in for another, in the post that this one had then, their ``office``-th."""

    name: str
    represented: str
    substitute: str
    ends: int
    office: int


@dataclass(frozen=True)
class Held:
    """A token, and the most that it may do.

    ``acts`` is who acts: PERSON, STAFF, CLIENT or SERVICE. ``rests`` are the things that it rests on; ``for_whom`` is empty for
    oneself; ``abroad`` tells in which region it is shown; ``key`` which key of the first region signed it, 0 of none;
    ``vouched`` which channel said of whom, PERSON or STAFF, that they sit before it.
    """

    text: str = field(repr=False)
    kind: str
    subject: str
    acts: str
    made: int
    ends: int
    assurance: int
    scopes: frozenset[str] = field(repr=False)
    rests: frozenset[str] = frozenset()
    for_whom: str = ""
    mandate: Given | None = None
    delegate: str = ""
    abroad: bool = False
    stands_in: StandIn | None = None
    key: int = 0
    vouched: frozenset[tuple[str, str]] = frozenset()

    @property
    def subject_acts(self) -> str:
        """What the subject is by itself: PERSON or STAFF."""
        return "PERSON" if self.subject.startswith("persons/") else "STAFF"

    @property
    def guest_scopes(self) -> frozenset[str]:
        """What is left of it at a border: what guests of its kind may do, so far as it held that at home."""
        return self.scopes & TABLE["P" if self.acts == "PERSON" else REGION]


@dataclass(frozen=True)
class Trust:
    """What passes one way between the regions: to which assurance it is believed, from which on, and who (all, where empty)."""

    most: int
    least: int = 0
    who: frozenset[str] = frozenset()

    def covers(self, held: Held) -> bool:
        """Says whether somebody passes; a service has no assurance of its own."""
        high = held.acts == "SERVICE" or held.assurance >= self.least
        return high and (not self.who or held.acts in self.who)


@dataclass(frozen=True)
class Channel:
    """The terms of a channel: to which assurance it is believed, and of whom."""

    most: int
    who: frozenset[str]


@dataclass
class SignedIn:
    """A sign-in to the client: what it was for, all refresh tokens that came of it, and when the last one was given."""

    name: str
    party: str
    person: str
    began: int
    scopes: frozenset[str]
    given: list[str] = field(default_factory=list)
    last: int = 0
