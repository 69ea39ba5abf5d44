"""Two real regions by one clock that the test moves, and the keys that the first of them signs by."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from libs.access.actor import Actor
from libs.clock import FakeClock
from libs.errors import TongbanError
from libs.process import Process
from libs.security.tokens import TokenVerifier
from services.identity.app import signing_keys
from services.identity.core.signing_keys import TOKENS, TokenKeys
from services.identity.keys.worker import KeyKeeper
from tests.service.identity.model.ledger import KEY_SECONDS
from tests.support.town import LIUAN, TIANNING, Town

AWAY, HOME = f"//{TIANNING.id}", f"//{LIUAN.id}"


class Refused(Exception):
    """The real system said no, for this reason."""


@dataclass
class Places:
    """A region, another one that trusts it, and their clock."""

    home: Town
    away: Town
    clock: FakeClock
    verifiers: dict[bool, TokenVerifier] = field(default_factory=dict)
    _keys: list[TokenKeys] = field(default_factory=list)
    _number: int = 0

    @property
    def now(self) -> int:
        """The machine's time and the business's, in seconds since the epoch."""
        return int(self.clock.now().timestamp())

    def pass_by(self, seconds: int) -> None:
        """Lets time pass for everybody."""
        self.clock.advance(timedelta(seconds=seconds))

    def next_number(self) -> int:
        """A number that nothing else here has."""
        self._number += 1
        return self._number

    def open_doors(self) -> None:
        """Finds what signs at home and what verifies there, to make its keys change within minutes and be seen at once."""
        process = self.home.service.process
        workers = [getattr(task, "__self__", None) for task in process._tasks]
        own = [each.keys for each in workers if isinstance(each, KeyKeeper)]
        self._keys = [keys for keys in own if keys.purpose == TOKENS]
        for keys in self._keys:
            keys.period = timedelta(seconds=KEY_SECONDS)
        for abroad, place in ((False, self.home), (True, self.away)):
            keys = signing_keys(place.service.process)
            self._keys += [] if abroad else [keys]
            self.verifiers[abroad] = place.service.process.verifier(keys)

    def also_sees(self, verifying: list[TokenKeys]) -> None:
        """Notes what else verifies at home."""
        self._keys += verifying

    async def look(self) -> None:
        """Lets the services of both regions be told what was withdrawn."""
        for place in (self.home, self.away):
            await place.service.process.withdrawals.look()

    async def judged(self, token: str, *, abroad: bool) -> tuple[Actor | None, str]:
        """For whom a service of the region takes a token, or why it takes it for nobody."""
        try:
            return await self.verifiers[abroad].verify(token), ""
        except TongbanError as error:
            return None, error.reason

    # -- keys of the region ---------------------------------------------------------------------------------------------------

    def region_keys(self) -> dict[int, int]:
        """The keys of the first region that are left, by their numbers, and when each was made."""
        store = self.home.service.process.keys
        if set(store.versions(TOKENS)) != set(self._keys[0]._by_version):
            self.see_keys()
        return {number: int(key.create_time.timestamp()) for number, key in self._keys[0]._by_version.items()}

    def see_keys(self) -> None:
        """Lets all that signs or verifies at home see which keys there are: they look for themselves every few seconds only."""
        for keys in self._keys:
            keys.load()

    def make_key(self) -> None:
        """Makes the next key, unless there is one that waits."""
        self._keys[0].rotate()
        self.see_keys()

    def destroy_key(self, number: int) -> None:
        """Destroys a key that leaked."""
        self.home.service.process.keys.destroy(TOKENS, number)
        self.see_keys()


def by_the_clock(clock: FakeClock, verifying: list[TokenKeys]) -> Any:
    """Prepares a process to go by the clock, its keys too; notes what it verifies by."""

    def prepare(process: Process) -> None:
        process.wall = clock
        process.keys._clock = clock
        first = process.verifier

        def noted(keys: Any) -> TokenVerifier:
            made = first(keys)
            if isinstance(made._keys, TokenKeys):
                verifying.append(made._keys)
            return made

        verifier: Any = noted
        process.verifier = verifier  # type: ignore[method-assign]

    return prepare
