"""Sends the codes that wait: after the commit that made them, and again where that failed, for as long as they are good."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta

from libs.background import forever
from libs.observability.logs import logger
from services.identity.contacts import store
from services.identity.contacts.convert import notice
from services.identity.contacts.notifier import Notifier
from services.identity.contacts.rules import next_attempt
from services.identity.contacts.store import ContactCode
from services.identity.core.contact_points import ContactKind
from services.identity.core.parts import Parts

_log = logger(__name__)
_LOOK_SECONDS = 2.0
_AT_ONCE = 8
_LEASE = timedelta(seconds=60)
"""So long nobody else sends a code that was taken: longer than any notifier may take."""


class CodeSender:
    """Sends codes of one process. Of several replicas each takes what no other has taken.

    A process that dies between the sending and the note of it leaves a code that is sent once more: the same code, under the same id.
    """

    def __init__(self, parts: Parts, region: str, notifiers: Mapping[ContactKind, Notifier]) -> None:
        self._parts = parts
        self._region = region
        self._notifiers = notifiers
        self._woken = asyncio.Event()

    @property
    def kinds(self) -> frozenset[ContactKind]:
        """What the region can send to."""
        return frozenset(self._notifiers)

    def wake(self) -> None:
        """Tells that a code waits."""
        self._woken.set()

    async def run(self) -> None:
        """Sends for ever."""
        await forever("contact codes", self._turn, 0.0)

    async def _turn(self) -> None:
        self._woken.clear()
        if self._notifiers and (row := await self._take()) is not None:
            # One that hangs holds up seven others at most, and them not for ever.
            await asyncio.gather(self._send(row), *(self.send_all() for _ in range(_AT_ONCE - 1)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), _LOOK_SECONDS)

    async def send_all(self) -> None:
        """Sends whatever is due."""
        while (row := await self._take()) is not None:
            await self._send(row)

    async def _take(self) -> ContactCode | None:
        async with self._parts.database.transaction() as connection:
            return await store.due(connection, self._parts.wall.now(), _LEASE)

    async def _send(self, row: ContactCode) -> None:
        now = self._parts.wall.now()
        try:
            await self._notifiers[row.kind].send(notice(row, self._parts.cipher, self._region))
        except Exception as error:  # noqa: BLE001 - a notifier of the region's own may fail in any way
            _log.warning("a code could not be sent", code_id=row.id, error=type(error).__name__)
            changes = {"attempt_time": next_attempt(row.attempts - 1, now)}
        else:
            changes = {"send_time": now}
        async with self._parts.database.transaction() as connection:
            await store.UPDATE_CODE.one(connection, row.id, **changes, update_time=now)

    async def close(self) -> None:
        """Lets go of the notifiers."""
        for each in self._notifiers.values():
            await each.close()
