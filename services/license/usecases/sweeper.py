"""Takes up what a crash or an absent neighbour left: drafts that nobody works on any more."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from libs.clock import Clock, unix_ms
from libs.errors import Internal
from libs.ids.uuid7 import uuid7
from libs.sweeps.sweep import Backlog
from services.license.domain.lifecycle import State
from services.license.store.licenses import DRAFTS, LicenseStore
from services.license.usecases.issue import Issuing, LicenseVoided, own_command

_AHEAD = timedelta(days=1)
_REDRAWN = "PAGE_CHANGED"


class Drafts:
    """Finishes drafts older than the patience, or voids them."""

    def __init__(self, store: LicenseStore, issuing: Issuing, wall: Clock, patience: float) -> None:
        self._store = store
        self._issuing = issuing
        self._wall = wall
        self._patience = timedelta(seconds=patience)

    def backlog(self, pause: float) -> Backlog:
        """Returns the hand-over to the seal service as a sweep follows it; ``pause`` seconds before the second try."""
        first = timedelta(seconds=pause)
        return Backlog("license_draft_sealed", DRAFTS, self.end, self._values, pause=first, longest=8 * first)

    def _values(self) -> Mapping[str, Any]:
        now = self._wall.now()
        return {"before": uuid7(unix_ms(now - self._patience)), "after": uuid7(unix_ms(now + _AHEAD))}

    async def end(self, identifier: str) -> None:
        """Takes the steps that are missing; raises what the seal service refuses with for now."""
        row = await self._store.get(identifier)
        if row.state != State.DRAFT.value:
            return
        try:
            page = await self._issuing.redraw(row)
        except Internal:
            # The bytes that the intent fixed can't be made any more (another version draws differently).
            await self._issuing.void(row, _REDRAWN)
            return
        try:
            await self._issuing.finish(own_command("finish", row), row, page)
        except LicenseVoided:
            return
