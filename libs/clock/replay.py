"""A clock that runs beside the machine's by an offset kept in a file: for demos and for replaying past months.

It is the business clock only (dates of cases, licences, seals). Tokens and TLS always go by the machine's clock.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path


class ReplayClock:
    """Reads its offset (seconds, as text) whenever the file has changed, so that a new offset holds from the next call."""

    def __init__(self, file: Path) -> None:
        """Takes the file; it must exist."""
        self._file = file
        self._seen = -1
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Returns the machine's time plus the offset, aware and in UTC."""
        changed = os.stat(self._file).st_mtime_ns
        if changed != self._seen:
            self._offset = timedelta(seconds=float(self._file.read_text(encoding="ascii")))
            self._seen = changed
        return datetime.now(UTC) + self._offset


def set_replay(file: Path, moment: datetime) -> None:
    """Makes every clock on ``file`` show ``moment`` (aware) now, and run on from there."""
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(str((moment - datetime.now(UTC)).total_seconds()), encoding="ascii")
    draft.replace(file)
