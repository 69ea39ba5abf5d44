"""Memory that work has used and freed, given back to the system.

The C library keeps what was freed in the arena of each thread: one file of three megabytes that unfolds to a hundred
would be paid for as long as the service runs.
"""

import ctypes
from pathlib import Path

_PAGE = 4096
_STATM = Path("/proc/self/statm")
_BEYOND = 32 << 20


def resident() -> int:
    """Returns how many bytes of this process are in memory; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


class MemoryRelease:
    """Gives memory back once a process has grown by more than is worth keeping."""

    def __init__(self, beyond: int = _BEYOND) -> None:
        """Takes by how many bytes the process may grow before that is done: it costs some milliseconds."""
        self._beyond = beyond
        self._floor = resident()
        # glibc has it; where there is none, nothing is given back.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def __call__(self) -> None:
        """Looks, and gives back; other threads go on meanwhile."""
        if self._trim is None or resident() - self._floor <= self._beyond:
            return
        self._trim(0)
        # What another thread still works with must not pass for what the process needs.
        self._floor = min(resident(), self._floor + self._beyond)
