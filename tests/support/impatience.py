"""Patience that a test ends: only who hangs is not waited for, and whoever is well has all the time that a slow machine takes."""

import asyncio

from tests.support.patience import PATIENCE


class Impatience:
    """Stands in for what a page waits for one region: everything that came to nothing is the test's own doing."""

    def __init__(self) -> None:
        self._given: asyncio.Timeout | None = None

    def __call__(self) -> asyncio.Timeout:
        """So long a region is waited for."""
        self._given = asyncio.timeout(PATIENCE)
        return self._given

    def end(self, after: float) -> None:
        """Waits no longer than ``after`` seconds for the region that is asked now."""
        assert self._given is not None
        self._given.reschedule(asyncio.get_running_loop().time() + after)


class Hanging(asyncio.Event):
    """Never answers; patience with it ends soon after it was asked."""

    def __init__(self, impatience: Impatience, after: float = 0.2) -> None:
        super().__init__()
        self._impatience, self._after = impatience, after

    async def wait(self) -> bool:  # type: ignore[override]
        """Hangs."""
        self._impatience.end(self._after)
        return await super().wait()
