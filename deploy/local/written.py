"""Configuration files that are written anew at each start: what somebody edited by hand is kept beside them, and told."""

import hashlib
from itertools import chain, count
from pathlib import Path

from deploy.local.own_settings import FILE
from deploy.local.secret_files import write_secret
from services.gateway import edited

ENVOY = "envoy.json"
OF_THE_GATEWAY = (ENVOY, "envoy-listeners.json")
"""What the gateway writes itself when it starts."""
_KINDS = (".toml", ".conf")
_EDITED = ".edited"
_MARK = f"# Written anew at each start; what is to stay belongs into {FILE} of the state folder. sha256 "


def write(path: Path, content: str) -> list[str]:
    """Writes a file with a mark of what it holds; returns what to tell where somebody had edited it."""
    notes = set_aside(path)
    write_secret(path, f"{_MARK}{_digest(content)}\n{content}")
    return notes


def was_written(path: Path, content: str) -> bool:
    """Tells whether the last start, or a reload, wrote this very content."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return lines.readline().rstrip("\n") == f"{_MARK}{_digest(content)}"
    except OSError:
        return False


def set_aside(path: Path) -> list[str]:
    """Keeps a file that was edited under a free name beside it; returns what to tell."""
    if not was_edited(path):
        return []
    first = path.with_name(f"{path.name}{_EDITED}")
    names = chain((first,), (first.with_name(f"{first.name}-{number}") for number in count(2)))
    kept = next(each for each in names if not each.exists())
    path.replace(kept)
    return [f"{path} was edited by hand, which no start keeps: put it into {FILE} (yours lies in {kept.name})"]


def edited_files(folder: Path) -> list[Path]:
    """The files of a folder that were edited since the last start wrote them."""
    files = sorted(path for path in folder.glob("*") if path.suffix in _KINDS or path.name in OF_THE_GATEWAY)
    return [path for path in files if was_edited(path)]


def was_edited(path: Path) -> bool:
    """Tells whether a configuration file holds something else than was written at the last start."""
    if path.name in OF_THE_GATEWAY:
        return edited.was_edited(path)
    try:
        first, _, content = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    except OSError:
        return False
    return first != f"{_MARK}{_digest(content)}"


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
