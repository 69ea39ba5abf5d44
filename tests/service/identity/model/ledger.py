"""All that happened, in its order, by whole seconds: what stands, which keys are good, what is trusted how far."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.service.identity.model.held import Channel, Trust
from tests.service.identity.model.rights import MACHINE, ROLE

KEY_SECONDS = 300
"""So long before it signs each key of the region is published."""
BOTH = frozenset({"PERSON", "STAFF"})


@dataclass
class ClientKeys:
    """The keys of a client, numbered as they were made: the one that is good, and until when the one before is too."""

    good: int = 0
    before: int = -1
    until: int = 0

    def takes(self, number: int, now: int) -> bool:
        """Says whether what a key signs counts now."""
        return number == self.good or (number == self.before and now < self.until)

    def rotate(self, number: int, overlap_ends: int) -> None:
        """Puts another key in the place of the good one; only the last one before it may still be good."""
        self.good, self.before, self.until = number, self.good, overlap_ends


@dataclass
class Ledger:
    """What happened."""

    now: int
    stopped: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    began: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    suspended: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    used: set[str] = field(default_factory=set)
    heads: dict[str, str] = field(default_factory=dict)
    uses: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    client_keys: dict[str, ClientKeys] = field(default_factory=lambda: defaultdict(ClientKeys))
    channels: dict[str, Channel] = field(default_factory=lambda: defaultdict(lambda: Channel(4, BOTH)))
    machines: dict[str, frozenset[str]] = field(default_factory=lambda: defaultdict(lambda: MACHINE))
    roles: dict[str, frozenset[str]] = field(default_factory=lambda: defaultdict(lambda: ROLE))
    offices: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    trust: dict[str, Trust] = field(default_factory=lambda: {"inbound": Trust(3), "outbound": Trust(4)})
    region_keys: dict[int, int] = field(default_factory=dict)
    pinned: frozenset[int] = frozenset()

    def stop(self, thing: str) -> None:
        """From now on nothing that rests on it holds."""
        self.stopped[thing].append(self.now)

    def begin(self, thing: str) -> None:
        """From now on what is made anew holds again."""
        self.began[thing].append(self.now)

    def renew(self, thing: str) -> None:
        """From now on only what is made anew holds."""
        if self.stands(thing):
            self.stop(thing)
            self.begin(thing)

    def stands(self, thing: str) -> bool:
        """Says whether it stands now."""
        return len(self.stopped[thing]) == len(self.began[thing])

    @property
    def signing(self) -> int:
        """Which key of the region signs: the newest that was published long enough, or the oldest that is left."""
        left = sorted(self.region_keys)
        ripe = [each for each in left if self.region_keys[each] + KEY_SECONDS <= self.now]
        return max(ripe, default=left[0])

    def destroy_key(self, number: int) -> None:
        """A key leaked: nothing that it signed is taken any more."""
        del self.region_keys[number]
        self.stop(f"key {number}")
