"""Asks other regions which of the assertions no longer stand for which their guests got tokens here, while such tokens live."""

import asyncio
import re
from datetime import datetime, timedelta
from functools import partial

from libs.background import attempt, forever
from libs.errors import TongbanError, reasons
from libs.observability import metrics
from libs.observability.logs import logger
from libs.rpc.regions import Regions
from services.identity.core.guest_homes import GuestHome
from services.identity.core.parts import Parts
from services.identity.guests import store
from tongban.identity.v1 import token_service_pb2 as pb
from tongban.identity.v1.token_service_pb2_grpc import TokenServiceStub

_TASK = "guests"
_EVERY_SECONDS = 1.0
_AGAIN = timedelta(seconds=0.9)
"""From question to question: what is due a little before the next turn is due in it."""
_TURN = timedelta(seconds=5)
"""So long nobody else asks a region that is being asked: longer than that may take."""
_ASK_SECONDS, _ANSWER_SECONDS = 4.0, 2.0
_MOST_SECONDS = 15
"""So seldom a region is asked that does not answer."""
_PAGES = 4
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LONGEST_CURSOR = 200
_log = logger(__name__)


class GuestWatch:
    """Asks each such region every second; of several replicas the one that takes the turn.

    A process that dies between an answer and the note of it has nothing noted: the next one asks from the same place.
    """

    def __init__(self, parts: Parts, regions: Regions) -> None:
        self._parts = parts
        self._regions = regions
        self._told: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Asks for ever; a region that is slow to answer keeps no other one waiting."""
        async with asyncio.TaskGroup() as turns:

            async def begin() -> None:
                turns.create_task(attempt(_TASK, self.turn))

            await forever(_TASK, begin, _EVERY_SECONDS)

    async def turn(self) -> None:
        """Asks all that are due."""
        now = self._parts.wall.now()
        async with self._parts.database.read() as connection:
            found = await store.living(connection, now)
        self._tell(found)
        await asyncio.gather(*(attempt(_TASK, partial(self._ask, each)) for each in found if each.ask_time <= now))

    async def close(self) -> None:
        """Closes the channels."""
        await self._regions.close()

    def _tell(self, found: list[GuestHome]) -> None:
        silent = {each.region: each.silent_since.timestamp() for each in found if each.silent_since is not None}
        for region in self._told | silent.keys():
            metrics.GUESTS_HOME_SILENT_SINCE.labels(region).set(silent.get(region, 0))
        self._told = frozenset(silent)

    async def _ask(self, home: GuestHome) -> None:
        now = self._parts.wall.now()
        async with self._parts.database.transaction() as connection:
            taken = await store.take(connection, home.region, now, now + _TURN)
        if taken is None:
            return
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self._read(taken, now + _AGAIN)
        except (TongbanError, TimeoutError) as error:
            await self._miss(taken, now, error.reason if isinstance(error, TongbanError) else "TIMEOUT")

    async def _read(self, home: GuestHome, again: datetime) -> None:
        cursor, at_end = home.cursor, False
        for _ in range(_PAGES):
            answer = await self._regions.invoke(
                home.region,
                lambda channel: TokenServiceStub(channel).ReadWithdrawnAssertions,
                pb.ReadWithdrawnAssertionsRequest(cursor=cursor),
                pb.ReadWithdrawnAssertionsResponse,
                timeout=_ANSWER_SECONDS,
            )
            cursor, at_end = _checked(home.region, answer.next_cursor), answer.at_end
            await self._learn(home.region, answer, cursor, again)
            if at_end:
                return

    async def _learn(
        self, region: str, answer: pb.ReadWithdrawnAssertionsResponse, cursor: str, again: datetime
    ) -> None:
        """Notes what was told, and how far, in one transaction."""
        told = [each for each in answer.assertions if _UUID.fullmatch(each.transaction)]
        async with self._parts.database.transaction() as connection:
            await self._parts.withdrawals.learn(connection, region, {each.transaction for each in told})
            await store.forget_rights(connection, region, {each.transaction for each in told if each.authority_ended})
            await store.heard(connection, region, cursor, again)

    async def _miss(self, home: GuestHome, now: datetime, reason: str) -> None:
        if not home.misses:
            _log.warning("a region does not tell what it withdrew", region=home.region, reason=reason)
        pause = timedelta(seconds=min(_MOST_SECONDS, 2 ** min(home.misses + 1, 4)))
        async with self._parts.database.transaction() as connection:
            await store.missed(connection, home.region, now, now + pause)


def _checked(region: str, cursor: str) -> str:
    """Returns another region's cursor; raises Unavailable where it is none that can be kept."""
    if 0 < len(cursor) <= _LONGEST_CURSOR and cursor.isascii() and cursor.isprintable():
        return cursor
    raise reasons.dependency_unavailable(
        f"//{region} answers with no cursor", retry_after=_MOST_SECONDS, dependency=f"//{region}"
    )
