"""A region of a newcomer's own: `./run` in an empty folder, with state and port beside nobody else's."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class NewcomersDesk:
    """Where a newcomer types.

    Attributes:
        folder: where they stand; `./run` is the project's there.
        port: the gateway's.
        environment: what their shell holds.
    """

    folder: Path
    port: int
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """The gateway's base URL."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str, timeout: float = 300) -> str:
        """Runs a command there to its end; returns what it said, raises AssertionError with that where it fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def newcomers_desk(folder: Path) -> Iterator[NewcomersDesk]:
    """Makes the folder ready; whatever was started there is stopped at the end."""
    (folder / "run").write_text(f'#!/bin/sh\nexec "{ROOT}/run" "$@"\n', encoding="utf-8")
    (folder / "run").chmod(0o755)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    state, port = folder / "state", free_port()
    state.mkdir()
    (state / "settings.toml").write_text(f"[regions.341500]\nport = {port}\n", encoding="utf-8")
    desk = NewcomersDesk(folder, port, os.environ | {"TONGBAN_STATE": str(state)})
    try:
        yield desk
    finally:
        subprocess.run([ROOT / "run", "down"], env=desk.environment, check=False, capture_output=True, timeout=120)
