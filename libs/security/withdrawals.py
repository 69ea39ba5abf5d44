"""What no longer stands behind tokens given before: kept in memory, so that no call asks for it.

A token lives ten minutes. Whoever is suspended, loses a post or a mandate in that time is refused within seconds all the
same: identity tells what was withdrawn, each process keeps the little that still counts and looks every token's parties up.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from libs.access.actor import Actor
from libs.background import attempt, forever, rest
from libs.errors import TongbanError, reasons
from libs.observability.logs import logger

EVERY_SECONDS = 1.0
"""So often a process asks what was withdrawn."""
_ALL_EVERY_SECONDS = 60.0
"""So often it asks for everything, which also forgets what no token outlives."""
_WATCH = "withdrawals"
_OVERLAP_SECONDS = 30.0
"""A change is told by when it began, and seen only when it is committed: that much is asked for again each time."""
STANDS_NOT = math.inf
"""Withdrawn and not restored: every token that rests on it is refused."""
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class WithdrawnParties:
    """What was withdrawn.

    Attributes:
        parties: by party the time, in seconds since the epoch, before which tokens that rest on it are refused.
        at: when it was read, likewise.
    """

    parties: Mapping[str, float]
    at: float


Ask = Callable[[float], Awaitable[WithdrawnParties]]
"""Tells what was withdrawn or restored since a time, in seconds since the epoch; 0 asks for all that counts."""


class Withdrawals:
    """The withdrawals that count now.

    While identity is away those known hold. A process that never heard of any can't tell, and says so (Unavailable):
    it knows no keys either then.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: dict[str, float] = {}
        self._just_restored: dict[str, float] = {}
        self._told_at = 0.0
        self._all_at = -math.inf
        self._tried_at = -math.inf
        self._looking: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it was ever told."""
        return self._told_at > 0

    def check(self, actor: Actor) -> None:
        """Raises Unauthenticated TOKEN_INVALID (rule `withdrawn`) where a party behind the token does not stand any more."""
        known = self._known
        if not known:
            return
        for party in actor.parties:
            before = known.get(party)
            if before is not None and actor.issued < before:
                raise reasons.token_invalid("what the token rests on was withdrawn", rule="withdrawn")

    async def be_ready(self) -> None:
        """Waits until it was told once; raises Unavailable where identity does not answer."""
        if not self.ready and time.monotonic() - self._tried_at >= EVERY_SECONDS:
            if self._looking is None or self._looking.done():
                # A task of its own: the caller who began it may hang up while others wait for it.
                self._looking = asyncio.create_task(self.look())
            await asyncio.shield(self._looking)
        if not self.ready:
            raise reasons.dependency_unavailable(
                "it can't be told whether the token still holds",
                retry_after=1.0,
                dependency="identity",
            )

    async def look(self) -> None:
        """Asks once; what is known stays where nobody answers."""
        began = time.monotonic()
        whole = not self.ready or began - self._all_at >= _ALL_EVERY_SECONDS
        try:
            told = await self._ask(0.0 if whole else self._told_at - _OVERLAP_SECONDS)
        except TongbanError as error:
            _log.warning("withdrawals can't be read", reason=error.reason)
            return
        finally:
            self._tried_at = time.monotonic()
        self._known = self._merged({} if whole else self._known, told.parties)
        self._told_at = told.at
        self._all_at = began if whole else self._all_at

    def restored(self, party: str, at: float, *, stood_withdrawn: bool = False) -> None:
        """Takes new tokens that rest on ``party`` at once, where this process itself restores it.

        Should that not be committed after all, nothing is lost: nobody gets new tokens then, and the old stay refused.

        Args:
            party: what tokens rest on.
            at: when, in seconds since the epoch.
            stood_withdrawn: whether it stood withdrawn before, which this process may not have heard of yet: an answer that is
                on its way to it may still say so.
        """
        if stood_withdrawn or party in self._known:
            self._known[party] = math.floor(at)
            self._just_restored[party] = time.monotonic()

    def withdrawn(self, party: str) -> None:
        """Believes what is told of ``party`` again, where this process itself withdraws it soon after it was restored."""
        self._just_restored.pop(party, None)

    def _merged(self, known: Mapping[str, float], told: Mapping[str, float]) -> dict[str, float]:
        """Adds what was told, but for what was read before a restoration of this process was committed."""
        least = time.monotonic() - 2 * EVERY_SECONDS
        self._just_restored = {party: at for party, at in self._just_restored.items() if at > least}
        kept = {
            party: self._known[party]
            for party in self._just_restored.keys() & self._known.keys()
            if told.get(party) == STANDS_NOT
        }
        return {**known, **told, **kept}

    async def watch(self) -> None:
        """Asks every second, for ever: from question to question, so that what is withdrawn is known a second and an answer later."""
        await forever(_WATCH, self._turn, 0.0)

    async def _turn(self) -> None:
        await asyncio.gather(attempt(_WATCH, self.look), rest(EVERY_SECONDS))


def party_of_post(staff: str, post: str) -> str:
    """Names a post that a member of staff holds, as tokens rest on it."""
    return f"{staff} {post}"


def party_of_representative(person: str, organization: str) -> str:
    """Names who represents an organisation by law, as tokens rest on it."""
    return f"{person} {organization}"


def party_of_region(code: str) -> str:
    """Names another region, as its guests' tokens rest on its word."""
    return f"//{code}"


def party_of_assertions(code: str) -> str:
    """Names all assertions of another region, as its guests' tokens rest on them."""
    return f"//{code}/assertions"


def party_of_assertion(code: str, transaction: str) -> str:
    """Names one assertion of another region, by its `txn`, as the tokens rest on it that were got for it."""
    return f"{party_of_assertions(code)}/{transaction}"
